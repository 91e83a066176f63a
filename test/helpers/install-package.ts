/** The program as others install it. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** Makes the package of this working tree, and gives the path of its tarball. */
export function makePackage(): string {
  execFileSync(process.execPath, ['tools/package.ts'], { cwd: root })
  const dist = join(root, 'dist')
  return join(dist, readdirSync(dist).find((name) => name.endsWith('.tgz'))!)
}

/** Unpacks it below `prefix`, this repository's dependencies beside it, and gives the path of the program. */
export function installPackage(tarball: string, prefix: string): string {
  const modules = join(prefix, 'node_modules')
  mkdirSync(join(modules, 'k8sops'), { recursive: true })
  execFileSync('tar', ['-xzf', tarball, '--strip-components=1', '-C', join(modules, 'k8sops')])
  for (const name of readdirSync(join(root, 'node_modules')).filter((name) => !name.startsWith('.')))
    symlinkSync(join(root, 'node_modules', name), join(modules, name))
  return join(modules, 'k8sops/bin/k8sops.js')
}
