/** Finds the repository without reading it: the shell completion must not load a YAML parser for that. */
import { existsSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
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

/** Names of the directories of clusters, sorted; none where there is no such place. */
export async function clusterDirectories(root: string): Promise<string[]> {
  try {
    const entries = await readdir(join(root, layout.clusters), { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort()
  } catch {
    return []
  }
}
