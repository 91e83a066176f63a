/**
 * Remembers what rendering a cluster came to: helmfile evaluates its templates several times and asks for the releases each
 * time, an operator types `bootstrap` again, and every rendering starts a kustomize for each Kustomization (five seconds of
 * processor time for sixty). What is remembered is valid for exactly the files it was made from.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { layout } from './layout.ts'

export interface RenderingCache<T> {
  read(): T | undefined
  write(value: T): void
}

/**
 * One thing that is remembered, in the repository's state directory (ignored by git).
 * @param name of its file, with the cluster's name in it
 * @param tools what else the result depends on, such as the path of the pinned kustomize
 * @param directories that it was made from, below the root
 */
export function renderingCache<T>(
  root: string,
  name: string,
  tools: string[],
  directories: string[] = [layout.kubernetes],
): RenderingCache<T> {
  const file = join(root, layout.state, 'cache', `${name}.json`)
  const key = cacheKey(root, tools, directories)
  return {
    read: () => {
      try {
        const cached = JSON.parse(readFileSync(file, 'utf8')) as { key: string; value: T }
        return cached.key === key ? cached.value : undefined
      } catch {
        return undefined
      }
    },
    write: (value) => {
      // Another process may write the same at the same time: whoever is last wins, and no reader sees half a file.
      const temporary = `${file}.${process.pid}`
      try {
        mkdirSync(dirname(file), { recursive: true })
        writeFileSync(temporary, JSON.stringify({ key, value }))
        renameSync(temporary, file)
      } catch {
        // A repository that cannot be written to is only slower.
      }
    },
  }
}

/** Changes with every file that Flux could read, with the tools, and with this program. */
function cacheKey(root: string, tools: string[], directories: string[]): string {
  const hash = createHash('sha256')
  for (const tool of tools) hash.update(`${tool}\n`)
  for (const own of [import.meta.dirname, join(import.meta.dirname, '../ops')])
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
  for (const directory of directories) if (existsSync(join(root, directory))) visit(directory)
  return hash.digest('hex')
}
