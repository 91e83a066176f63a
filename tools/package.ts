/**
 * `npm run package`: the program as others install it, dist/k8sops-VERSION.tgz. Node strips no types under node_modules, so
 * the sources go as plain JavaScript, one file for each: every path from a source to what lies beside it stays the same.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { layout } from '../src/lib/repo/layout.ts'
import { isKept, partsFile, readParts } from '../src/lib/repo/template.ts'
import { bundleProgram } from './bundle.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const staged = join(dist, 'package')

rmSync(dist, { recursive: true, force: true })
mkdirSync(staged, { recursive: true })
execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.package.json'], { cwd: root, stdio: 'inherit' })
await bundleProgram(root, staged)

/** What the program reads beside its sources: recipes of the tools, records and stand-ins of the lab, Talos' protocol. */
const besides = [
  'bin',
  'lab',
  'src/lib/lab/talos/proto',
  ...readdirSync(join(root, 'tools'))
    .filter((name) => statSync(join(root, 'tools', name)).isDirectory())
    .map((name) => `tools/${name}`),
]
for (const path of besides) cpSync(join(root, path), join(staged, path), { recursive: true })

/** What `k8sops init` makes a new repository of. */
const parts = readParts(readFileSync(join(root, partsFile), 'utf8'))
const example = [layout.cluster(parts.cluster), layout.bootstrapOf(parts.cluster), layout.talconfig(parts.cluster)]
for (const path of parts.paths)
  cpSync(join(root, path), join(staged, path), {
    recursive: true,
    filter: (from) => statSync(from).isDirectory() || isKept(relative(root, from), parts),
  })
for (const path of ['template', ...example]) cpSync(join(root, path), join(staged, path), { recursive: true })

const { name, version, description, license, type, engines, dependencies } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
) as { [key: string]: unknown }
const bin = { k8sops: 'bin/k8sops.js', 'k8sops-setup': 'tools/setup.js' }
const manifest = { name, version, description, license, type, engines, bin, dependencies }
writeFileSync(join(staged, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
cpSync(join(root, 'README.md'), join(staged, 'README.md'))
const setup = join(staged, 'tools/setup.js')
writeFileSync(setup, `#!/usr/bin/env node\n${readFileSync(setup, 'utf8')}`)
for (const program of Object.values(bin)) chmodSync(join(staged, program), 0o755)

execFileSync('npm', ['pack', '--pack-destination', dist, '--loglevel', 'error', staged], {
  cwd: dist,
  stdio: 'inherit',
})
rmSync(staged, { recursive: true })
