/**
 * Remembers what rendering a cluster came to: helmfile evaluates its templates several times and asks for the releases each
 * time, an operator types `bootstrap` again, and every rendering starts a kustomize for each Kustomization (five seconds of
 * processor time for sixty), a lab of the same repository the same ones again. What is remembered is valid for exactly the files
 * it was made from, wherever they stand.
 */
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { cacheRoot } from '../tools/cache-root.ts'
import { layout } from './layout.ts'

export interface RenderingCache<T> {
  read(): T | undefined
  write(value: T): void
}

/** Results that are kept, for what a repository was before its last few changes, and for labs. */
const kept = 60

/**
 * One thing that is remembered, outside the checkout: a preview may remember, too.
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
  return keptJson<T>('renderings', `${name}-${cacheKey(root, tools, directories)}`, kept)
}

/** One entry below `folder` of the cache, of which the newest `most` stay. What is damaged is not there. */
export function keptJson<T>(folder: string, name: string, most: number): RenderingCache<T> {
  const directory = join(cacheRoot(), folder)
  const file = join(directory, `${name}.json`)
  return {
    read: () => {
      try {
        return JSON.parse(readFileSync(file, 'utf8')) as T
      } catch {
        return undefined
      }
    },
    write: (value) => {
      // Another process may write the same at the same time: whoever is last wins, and no reader sees half a file.
      const temporary = `${file}.${process.pid}`
      try {
        mkdirSync(directory, { recursive: true, mode: 0o700 })
        writeFileSync(temporary, JSON.stringify(value), { mode: 0o600 })
        renameSync(temporary, file)
        forgetOld(directory, most)
      } catch {
        // A cache that cannot be written to is only slower.
      }
    },
  }
}

function forgetOld(directory: string, most: number): void {
  const paths = readdirSync(directory).map((name) => join(directory, name))
  if (paths.length <= most) return
  const dated = paths.map((path) => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
  for (const { path } of dated.toSorted((a, b) => b.at - a.at).slice(most)) rmSync(path, { force: true })
}

/** Changes with every file that Flux could read, with the tools, and with this program. */
function cacheKey(root: string, tools: string[], directories: string[]): string {
  const hash = createHash('sha256')
  for (const tool of tools) hash.update(`${tool}\n`)
  // By content: in a package every file of every version has the same date (npm pack).
  for (const own of [import.meta.dirname, join(import.meta.dirname, '../ops')])
    for (const name of readdirSync(own).sort()) {
      if (extname(name) !== '') hash.update(`${name}\n`).update(readFileSync(join(own, name)))
    }
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
  return hash.digest('hex').slice(0, 32)
}
