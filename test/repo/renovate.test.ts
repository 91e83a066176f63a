/**
 * Renovate's own view of this repository (NFR27): its validator accepts the configuration, and what it would keep up to date
 * is every version that is pinned here. Renovate is no dependency (364 MB): the version that the workflow names is installed
 * once into the cache of the tool-chain.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadRepository } from '../../src/lib/config/load.ts'
import { readView } from '../../src/lib/repo/read-view.ts'
import { renderersOf } from '../../src/lib/repo/renderers.ts'
import { type Pin, pinsOf } from '../../src/lib/repo/rules/pins.ts'
import { toolCache } from '../../src/lib/tools/resolve.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

const lint = readFileSync(join(projectRoot, '.github/workflows/lint.yaml'), 'utf8')
const version = /--package=renovate@([\d.]+)/.exec(lint)?.[1] ?? 'none'
const installed = join(dirname(toolCache()), `renovate-${version}`)
const programs = join(installed, 'node_modules/renovate/dist')

let scratch: string
beforeAll(() => {
  if (!existsSync(installed)) {
    const part = mkdtempSync(`${installed}-`)
    const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--prefix', part]
    execFileSync('npm', ['install', ...flags, `renovate@${version}`], { stdio: 'pipe' })
    renameSync(part, installed)
  }
  scratch = mkdtempSync(join(dirname(toolCache()), 'renovate-run-'))
}, 600_000)
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const renovate = (program: string, args: string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, [join(programs, program), ...args], {
    cwd: projectRoot,
    encoding: 'utf8',
    env: { ...process.env, RENOVATE_BASE_DIR: scratch, LOG_LEVEL: 'warn', ...env },
  })
const validate = (file: string) => renovate('config-validator.js', ['--strict', '--no-global', file])

test('the configuration is valid, and the validator would say if it were not', () => {
  const own = validate('renovate.json5')
  expect(own.status, own.stdout + own.stderr).toBe(0)
  const broken = join(scratch, 'renovate.json5')
  const text = readFileSync(join(projectRoot, 'renovate.json5'), 'utf8')
  writeFileSync(broken, text.replace('matchUpdateTypes', 'matchUpdateKinds'))
  expect(validate(broken).status).toBe(1)
})

test('what it extracts is what is pinned', async () => {
  const report = join(scratch, 'report.json')
  const env = { RENOVATE_REPORT_TYPE: 'file', RENOVATE_REPORT_PATH: report }
  const run = renovate('renovate.js', ['--platform=local', '--dry-run=extract'], env)
  expect(run.status, run.stdout + run.stderr).toBe(0)
  const watched = extracted(report)
  expect(watched).toEqual(pinned())
  // And every chart and image that `validate` counts is among it; it names a chart's release, Renovate the source beside it.
  const repository = await loadRepository(projectRoot)
  const { view } = await readView(repository, repository.clusters, renderersOf(projectRoot, offline))
  // Images of our own come with what builds them: their versions are facts of cluster-settings.yaml.
  const own = /^ghcr\.io\/monosense-io\//
  const counted = pinsOf(view).filter(({ what, name }) => what !== 'action' && !own.test(name))
  expect(counted.length).toBeGreaterThan(15)
  const beside = (file: string) => Object.keys(watched).filter((other) => dirname(other) === dirname(file))
  // A digest behind the tag is Renovate's as well, in a field of its own.
  const isWatched = ({ file, version }: Pin) =>
    beside(file).some((other) => watched[other]?.includes(version.replace(/@sha256:.*/, '')))
  expect(counted.filter((pin) => !isWatched(pin))).toEqual([])
})

interface Dependency {
  currentValue?: string
  datasource?: string
  depType?: string
}

/** `file` -> versions that Renovate watches; apiVersions of manifests, and what a tool's own go.mod entails, are no pins of ours. */
const entailed = ['indirect', 'replace']
function extracted(report: string): Record<string, string[]> {
  const { repositories } = JSON.parse(readFileSync(report, 'utf8')) as {
    repositories: Record<string, { packageFiles: Record<string, { packageFile: string; deps: Dependency[] }[]> }>
  }
  const files = Object.values(repositories).flatMap(({ packageFiles }) => Object.values(packageFiles).flat())
  return byFile(
    files.flatMap(({ packageFile, deps }) =>
      deps
        .filter(({ datasource, depType = '' }) => datasource !== 'kubernetes-api' && !entailed.includes(depType))
        // A source that follows a branch, an empty block of Terraform: what has no version can't be behind (rule source-pinned).
        .flatMap(({ currentValue }): [string, string][] => (currentValue ? [[packageFile, currentValue]] : [])),
    ),
  )
}

/** What this repository pins, read without Renovate: by file name, each kind of pin with a pattern of its own. */
function pinned(): Record<string, string[]> {
  const found: [string, string][] = []
  for (const path of execFileSync('git', ['ls-files'], { cwd: projectRoot, encoding: 'utf8' }).trim().split('\n')) {
    const text = readFileSync(join(projectRoot, path), 'utf8')
    const add = (pattern: RegExp) =>
      found.push(...[...text.matchAll(pattern)].map(([, value = '']) => [path, value] as [string, string]))
    if (path === 'src/lib/gates/talos-releases.ts') add(/^ {2}'(v[\d.]+)',$/gm)
    if (/^kubernetes\/.*\.yaml$/.test(path) && !path.endsWith('.sops.yaml')) {
      if (path.endsWith('/ocirepository.yaml')) found.push([path, parse(text).spec.ref.tag])
      add(/^\s+chart:\n\s+spec:\n(?:\s+#.*\n|\s+\w+:(?: \S+)?\n)*?\s+version: (\S+)$/gm)
      add(/oci:\/\/[^:\s]+:(v?\d[^\s@]*)/g)
      // An image in a release's values is found by two of its managers.
      for (const _ of ['flux', 'helm-values']) add(/^\s+repository: \S+\n\s+tag: (\S+)$/gm)
      add(/# renovate: .*\n\s*\w+: "?([^\s"#]+)/g)
      add(/^\s+(?:image|imageName): [^\s:@]+:([^\s@]+)/gm)
    }
    if (/^talos\/[^/]+\/talconfig\.yaml$/.test(path)) {
      const { talosVersion, kubernetesVersion } = parse(text)
      found.push([path, talosVersion], [path, kubernetesVersion])
    }
    if (path.startsWith('talos/')) add(/budimanjojo\/talhelper\/(v[^/]+)\//g)
    if (/^\.github\/.*\.yaml$/.test(path)) {
      add(/uses: \S+@[0-9a-f]{40} # (v\S+)/g)
      add(/runs-on: ubuntu-(\S+)/g)
      add(/^\s+(?:renovate-)?version: (\S+)/gm)
      add(/--package=[\w-]+@(\S+)/g)
    }
    if (path === 'Containerfile') add(/^FROM [^\s:]+:([^\s@]+)/gm)
    if (/^terraform\/.*\.tf$/.test(path)) add(/^\s+(?:version|required_version)\s+= "([^"]+)"/gm)
    if (path === 'mise.toml') add(/^\S+ = "([^"]+)"/gm)
    if (/^tools\/[^/]+\/go\.mod$/.test(path)) {
      add(/^go (\S+)/gm)
      add(/^(?:require )?\t?[\w.-]+\.[\w/.-]+ (v\S+)$/gm)
    }
    if (path === 'package.json') {
      const { dependencies, devDependencies, engines } = JSON.parse(text)
      for (const value of [dependencies, devDependencies, engines].flatMap(Object.values))
        found.push([path, String(value)])
    }
  }
  return byFile(found)
}

function byFile(pins: [string, string][]): Record<string, string[]> {
  const files: Record<string, string[]> = {}
  for (const [file, version] of pins) files[file] = [...(files[file] ?? []), version].sort()
  return files
}
