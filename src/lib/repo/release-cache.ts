/**
 * Remembers a cluster's releases: helmfile evaluates its templates several times and asks each time, and rendering a cluster
 * starts a kustomize for every Kustomization. What is remembered is valid for exactly the files it was made from.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { layout } from './layout.ts'
import type { Release } from './releases.ts'

export interface ReleaseCache {
  read(): Release[] | undefined
  write(releases: Release[]): void
}

/**
 * The cache of one cluster, in the repository's state directory (ignored by git).
 * @param tools what else the result depends on, such as the path of the pinned kustomize
 */
export function releaseCache(root: string, cluster: string, tools: string[]): ReleaseCache {
  const file = join(root, layout.state, 'cache', `releases-${cluster}.json`)
  const key = cacheKey(root, tools)
  return {
    read: () => {
      try {
        const cached = JSON.parse(readFileSync(file, 'utf8')) as { key: string; releases: Release[] }
        return cached.key === key ? cached.releases : undefined
      } catch {
        return undefined
      }
    },
    write: (releases) => {
      // Another process may write the same at the same time: whoever is last wins, and no reader sees half a file.
      const temporary = `${file}.${process.pid}`
      try {
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(temporary, JSON.stringify({ key, releases }))
        renameSync(temporary, file)
      } catch {
        // A repository that cannot be written to is only slower.
      }
    },
  }
}

/** Changes with every file that Flux could read, with the tools, and with this program. */
function cacheKey(root: string, tools: string[]): string {
  const hash = createHash('sha256')
  for (const tool of tools) hash.update(`${tool}\n`)
  const own = import.meta.dirname
  for (const name of readdirSync(own).sort()) hash.update(`${name} ${statSync(join(own, name)).mtimeMs}\n`)
  const visit = (directory: string) => {
    const entries = readdirSync(join(root, directory), { withFileTypes: true })
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = `${directory}/${entry.name}`
      if (entry.isDirectory()) {
        visit(path)
      } else {
        const content = readFileSync(join(root, path))
        hash.update(`${path} ${content.length}\n`).update(content)
      }
    }
  }
  visit(layout.kubernetes)
  return hash.digest('hex')
}
