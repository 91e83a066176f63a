/** Finds the repository without reading it: the shell completion must not load a YAML parser for that. */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { layout } from '../repo/layout.ts'

/** The nearest directory from `cwd` upwards that holds k8sops.yaml, or undefined. */
export function findRepository(cwd: string): string | undefined {
  let directory = resolve(cwd)
  while (!existsSync(join(directory, layout.repositoryFile))) {
    const parent = dirname(directory)
    if (parent === directory) return undefined
    directory = parent
  }
  return directory
}
