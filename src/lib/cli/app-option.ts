/** Names of applications for the shell completion: their directories are named as they are (docs/patterns.md), and reading these takes no time. */
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { CompletionSource } from './define.ts'

const levels = [
  'kubernetes/infrastructure/controllers',
  'kubernetes/infrastructure/configs',
  'kubernetes/infrastructure/base/crds',
]

export const completeApp = {
  app: ({ root }: CompletionSource): string[] => {
    if (root === undefined) return []
    const clusters = directoriesIn(join(root, 'kubernetes/clusters')).map(
      (cluster) => `kubernetes/clusters/${cluster}/apps`,
    )
    const below = [...levels, ...clusters].flatMap((level) => {
      const directory = join(root, level)
      const own = directoriesIn(directory)
      return level.endsWith('crds') ? own : own.flatMap((namespace) => directoriesIn(join(directory, namespace)))
    })
    return [...new Set(['flux-system', 'infrastructure', 'apps', ...below])].toSorted()
  },
}

function directoriesIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []))
  } catch {
    return []
  }
}

/** Names of databases: the directories whose `app/cluster.yaml` is a Cluster of CloudNativePG, which is named as they are. */
export const completeDatabase = {
  database: ({ root }: CompletionSource): string[] => {
    if (root === undefined) return []
    const configs = join(root, 'kubernetes/infrastructure/configs')
    const below = directoriesIn(configs).flatMap((namespace) =>
      directoriesIn(join(configs, namespace)).map((name) => join(configs, namespace, name)),
    )
    return below.filter((path) => isDatabase(join(path, 'app/cluster.yaml'))).map((path) => basename(path))
  },
}

function isDatabase(path: string): boolean {
  try {
    return /^apiVersion: postgresql\.cnpg\.io\//m.test(readFileSync(path, 'utf8'))
  } catch {
    return false
  }
}
