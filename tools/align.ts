/**
 * Raises dependencies that several tools share to one version, so that Go compiles each of them once.
 *
 *   node tools/align.ts [--dir tools]
 *
 * Run it after a tool was bumped, then build and check every tool. It only ever raises a version, as Go's own
 * minimal version selection does when two modules meet, and leaves alone what `keep` names.
 */
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { catalog, recipesDir } from '../src/lib/tools/catalog.ts'

/** Modules that must stay at the version a tool was written for: raising these would change what the tool does. */
const keep: Record<string, RegExp> = {
  talosctl: /^github\.com\/(siderolabs|cosi-project|mdlayher|containerd|coredns|jsimonetti)\/|^golang\.zx2c4\.com/,
}
/**
 * The newest version that a module is raised to: what Flux 2.9 was written for. helmfile 1.8.0 takes helm 4.3.0, which
 * asks for k8s.io 0.37, but has modules of its own by upstream's replaces, so nothing would be shared by following it.
 */
const ceilings: [module: RegExp, version: string][] = [
  [/^helm\.sh\/helm\/v4$/, 'v4.2.4'],
  [/^k8s\.io\/kube-openapi$/, 'v0.0.0-20260603220949-865597e52e25'],
  [/^k8s\.io\/utils$/, 'v0.0.0-20260507154919-ff6756f316d2'],
  [/^k8s\.io\/(?!klog)/, 'v0.36.4'],
  [/^sigs\.k8s\.io\/controller-runtime$/, 'v0.24.1'],
  [/^sigs\.k8s\.io\/structured-merge-diff\/v6$/, 'v6.4.0'],
  [/^sigs\.k8s\.io\/kustomize\/(api|kyaml)$/, 'v0.21.1'],
]
/**
 * Not aligned. etcd and Kubernetes are built with exactly upstream's dependencies, because a rehearsal is worth what
 * its control plane is; the others are tiny, built with another Go, or not built at all.
 */
const alone = new Set([
  'etcd',
  'kubernetes',
  'flux-crds',
  'kubeconform',
  'actionlint',
  'alertmanager',
  'victoria-metrics',
  'victoria-logs',
  'flate',
])

const raisedNote = '// Raised by tools/align.ts to the versions that the other tools have.'
const exec = promisify(execFile)
const { values } = parseArgs({ options: { dir: { type: 'string', default: recipesDir() } } })
const dirs = [...new Set(catalog.map((tool) => tool.dir))].filter((dir) => !alone.has(dir))

for (let round = 1, raised = 1; raised > 0; round++) {
  if (round > 8) throw new Error('No fixed point after 8 rounds: two tools raise each other. Look at `git diff tools`.')
  const used = new Map<string, Map<string, string>>()
  for (const dir of dirs) used.set(dir, await modulesOf(dir))
  const newest = new Map<string, string>()
  for (const modules of used.values()) {
    for (const [path, version] of modules) {
      const limit = ceilings.find(([module]) => module.test(path))?.[1]
      if (limit && compareVersions(version, limit) > 0) continue
      if (compareVersions(version, newest.get(path) ?? 'v0.0.0-0') > 0) newest.set(path, version)
    }
  }
  raised = 0
  for (const [dir, modules] of used) {
    const edits: string[] = []
    for (const [path, version] of modules) {
      const target = newest.get(path) ?? version
      if (compareVersions(target, version) > 0 && !keep[dir]?.test(path)) edits.push(`-require=${path}@${target}`)
    }
    if (edits.length > 0) await go(dir, ['mod', 'edit', ...edits])
    raised += edits.length
  }
  console.log(`round ${round}: ${raised} requirements raised`)
}
for (const dir of dirs) layOut(dir)

/** Writes a go.mod as: the tool itself, then, apart, what this script raised, then its replaces. */
function layOut(dir: string): void {
  const file = join(values.dir, dir, 'go.mod')
  const text = readFileSync(file, 'utf8')
  const own = catalog.find((tool) => tool.dir === dir)!.module
  const lines = text.matchAll(/^(?:require)?\s+([\w.-]+\.\S+) (v[^\s]+)(?: \/\/ indirect)?$/gm)
  const required = new Map([...lines].map(([, path, version]) => [path, version] as [string, string]))
  const tool = `require ${own} ${required.get(own)}\n`
  required.delete(own)
  const raised = [...required.keys()].sort().map((path) => `\t${path} ${required.get(path)} // indirect\n`)
  const block = raised.length > 0 ? `\n${raisedNote}\nrequire (\n${raised.join('')})\n` : ''
  const rest = text
    .replace(`${raisedNote}\n`, '')
    .replace(/^require \([^)]*\)\n|^require .*\n/gm, '')
    .replace(/\n{2,}/g, '\n\n')
    .trim()
  const [head, ...replaces] = rest.split(/\n\n(?=(?:\/\/.*\n)*replace)/)
  writeFileSync(file, [`${head}\n`, `${tool}${block}`, ...replaces.map((part) => `${part}\n`)].join('\n'))
}

/** The modules that a recipe's commands are built from, with versions; replaced modules are left out. */
async function modulesOf(dir: string): Promise<Map<string, string>> {
  const packages = catalog.filter((tool) => tool.dir === dir).map((tool) => tool.package)
  const format = '{{with .Module}}{{if not .Replace}}{{.Path}} {{.Version}}{{end}}{{end}}'
  // flux's package embeds files that its module lacks: an error that -e lets pass, with any other, so only for it.
  const lenient = catalog.some((tool) => tool.dir === dir && tool.missingEmbed) ? ['-e'] : []
  const out = await go(dir, ['list', ...lenient, '-mod=mod', '-deps', '-f', format, ...packages])
  const pairs = out.split('\n').filter((line) => line.includes(' v'))
  return new Map(pairs.map((line) => line.split(' ') as [string, string]))
}

async function go(dir: string, args: string[]): Promise<string> {
  const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' }
  return (await exec('go', args, { cwd: join(values.dir, dir), env, maxBuffer: 64e6 })).stdout
}

/** Orders two Go versions; a pre-release (which pseudo-versions are) comes before its release. */
function compareVersions(a: string, b: string): number {
  const [coreA = '', ...preA] = a.replace(/^v|\+incompatible$/g, '').split('-')
  const [coreB = '', ...preB] = b.replace(/^v|\+incompatible$/g, '').split('-')
  const core = compareIdentifiers(coreA.split('.'), coreB.split('.'))
  if (core !== 0 || preA.length + preB.length === 0) return core
  if (preA.length === 0) return 1
  if (preB.length === 0) return -1
  return compareIdentifiers(preA.join('-').split('.'), preB.join('-').split('.'))
}

function compareIdentifiers(a: string[], b: string[]): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const x = a[i] ?? ''
    const y = b[i] ?? ''
    if (x === y) continue
    const numeric = /^\d+$/
    if (numeric.test(x) && numeric.test(y)) return Number(x) - Number(y)
    if (numeric.test(x) !== numeric.test(y)) return numeric.test(x) ? -1 : 1
    return x < y ? -1 : 1
  }
  return 0
}
