/**
 * What a sound repository came to, kept so that the next command need not load a YAML parser and a schema library (half of the processor
 * time of a command that reads a cluster, ADR 0034). It counts only while every file that it was made of has the very same bytes.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import packageFile from '../../../package.json' with { type: 'json' }
import { cacheRoot } from '../tools/cache-root.ts'
import type { RepositoryFiles } from './files.ts'
import { clusterDirectories } from './find.ts'
import type { Repository } from './load.ts'

/** `checked`: the rules were asked too, and had nothing to say. */
export type Depth = 'read' | 'checked'

interface Entry {
  program: string
  root: string
  /** Digest of each file's text, by path from the root. */
  texts: Record<string, string>
  clusterDirs: string[]
  /** Absolute paths of files that the rules saw there. */
  present: string[]
  repository: Omit<Repository, 'root'>
}

/** Roots whose entries are kept: an operator has one or two, tests and labs many that are soon gone. */
const kept = 20

/**
 * What was remembered of the repository at `root`, if it is still true of its files. Two dozen of small files and nothing to do meanwhile: each
 * that is read in the background costs several times what it costs here.
 */
export async function recall(root: string, depth: Depth): Promise<Repository | undefined> {
  try {
    const entry = JSON.parse(readFileSync(pathOf(root, depth), 'utf8')) as Entry
    if (entry.program !== program() || entry.root !== root) return undefined
    const same =
      Object.entries(entry.texts).every(
        ([path, before]) => digestOf(readFileSync(join(root, path), 'utf8')) === before,
      ) &&
      entry.present.every((path) => statSync(path).isFile()) &&
      (await clusterDirectories(root)).join('/') === entry.clusterDirs.join('/')
    return same ? { root, ...entry.repository } : undefined
  } catch {
    // Not there, not ours, or a file of the repository is gone: it is read anew, which says what is wrong.
    return undefined
  }
}

/** Keeps a repository without problems; one that can't be kept (no home, a full disk) is read anew next time. */
export async function remember(
  files: RepositoryFiles,
  repository: Repository,
  depth: Depth,
  present: string[] = [],
): Promise<void> {
  if (repository.problems.length > 0) return
  const read = [
    files.file,
    ...files.clusters.flatMap(({ talconfigFile, settingsFile }) => [talconfigFile, settingsFile]),
  ]
  const { root, ...facts } = repository
  const entry: Entry = {
    program: program(),
    root,
    texts: Object.fromEntries(read.flatMap((file) => (file ? [[file.path, digestOf(file.text)]] : []))),
    clusterDirs: files.clusterDirs,
    present,
    repository: facts,
  }
  const path = pathOf(root, depth)
  try {
    await mkdir(directory(), { recursive: true, mode: 0o700 })
    await writeFile(`${path}.${process.pid}`, JSON.stringify(entry), { mode: 0o600 })
    await rename(`${path}.${process.pid}`, path)
    await forgetOld()
  } catch {
    // Nothing depends on it.
  }
}

async function forgetOld(): Promise<void> {
  const names = await readdir(directory())
  if (names.length <= kept) return
  const dated = names.map((name) => ({ path: join(directory(), name), at: statSync(join(directory(), name)).mtimeMs }))
  const old = dated.toSorted((a, b) => b.at - a.at).slice(kept)
  await Promise.all(old.map(({ path }) => rm(path, { force: true })))
}

const directory = () => join(cacheRoot(), 'repositories')
const pathOf = (root: string, depth: Depth) => join(directory(), `${digestOf(root).slice(0, 16)}-${depth}.json`)
const digestOf = (text: string) => createHash('sha256').update(text).digest('hex')

const sourceRoot = join(import.meta.dirname, '../../..')
/** The files and directories that read and judge a repository; a test follows the imports. */
export const judges = [
  'src/lib/config',
  'src/lib/gates/catalog',
  'src/lib/gates/catalog.ts',
  'src/lib/gates/kubernetes-releases.ts',
  'src/lib/gates/maintenance-window.ts',
  'src/lib/repo/layout.ts',
]

let identity: string | undefined
/** Another version of this program, or of one of the sources that decide, may come to something else. */
function program(): string {
  if (identity !== undefined) return identity
  // In a package the sources are JavaScript.
  const own = judges.map((name) => name.replace(/\.ts$/, extname(import.meta.filename)))
  const files = [...own, 'package-lock.json'].map((name) => join(sourceRoot, name)).flatMap(filesBelow)
  const stamps = files.map((path) => {
    const found = statSync(path, { throwIfNoEntry: false })
    return `${path}:${found?.mtimeMs}:${found?.size}`
  })
  identity = digestOf([packageFile.version, process.version, ...stamps].join('\n'))
  return identity
}

const filesBelow = (path: string): string[] =>
  extname(path) !== ''
    ? [path]
    : readdirSync(path, { withFileTypes: true }).flatMap(({ name }) => filesBelow(join(path, name)))
