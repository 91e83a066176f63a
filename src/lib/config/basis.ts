/** What a plan was made from, as one number: `run exec FILE` refuses a plan whose files or tools have moved. */
import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, posix } from 'node:path'
import type { Basis } from '../types.ts'
import { headCommit } from './head.ts'
import type { Git } from './source.ts'

export interface BasisRequest {
  /** The target's root. */
  root: string
  /** Files and directories that the operation uses, relative to the root (`clusterPaths` of source.ts). */
  paths: string[]
  /** Pinned versions by tool name. */
  tools: Record<string, string>
}

/** Made from what is digested already, by `talhelper genconfig` or by a run. */
const generated = new Set(['clusterconfig', '.k8sops', '.git', 'node_modules'])

/**
 * HEAD's commit (`unknown` without git) and a sha256 over every used file's path and content and every tool's version.
 * The same files give the same digest on any machine, whether or not they are committed.
 */
export async function computeBasis(
  git: Git,
  request: BasisRequest,
): Promise<Pick<Basis, 'commit' | 'digest' | 'paths' | 'tools'>> {
  const [commit = 'unknown', digested] = await Promise.all([headCommit(git, request.root), digest(request)])
  return { commit, digest: digested, paths: request.paths, tools: request.tools }
}

/** The digest alone. */
export async function digest({ root, paths, tools }: BasisRequest): Promise<string> {
  const hash = createHash('sha256')
  const files = (await Promise.all(paths.map((path) => filesBelow(root, path)))).flat()
  for (const path of [...new Set(files)].sort()) {
    const content = await readFile(join(root, path))
    // Lengths keep neighbours apart: moving a byte from one file's end to the next file's start must show.
    hash.update(`file ${path.length} ${path} ${content.length}\n`).update(content)
  }
  for (const [name, version] of Object.entries(tools).sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(`tool ${name} ${version}\n`)
  }
  return `sha256:${hash.digest('hex')}`
}

async function filesBelow(root: string, path: string): Promise<string[]> {
  const found = await stat(join(root, path)).catch(() => undefined)
  if (!found) return []
  if (!found.isDirectory()) return [path]
  const names = await readdir(join(root, path))
  const below = await Promise.all(
    names.filter((name) => !generated.has(name)).map((name) => filesBelow(root, posix.join(path, name))),
  )
  return below.flat()
}
