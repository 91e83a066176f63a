/** The repository's own files, as somebody would commit them, with their YAML documents. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { layout } from './layout.ts'
import { splitDocuments, topLevel } from './manifests.ts'
import { once } from './once.ts'
import { plainDocuments } from './plain-yaml.ts'
import { yaml } from './yaml.ts'

export interface SourceFile {
  /** Relative to the root. */
  path: string
  text: string
  /** The documents as plain data; of malformed ones what could be understood. Parsed on first use. */
  documents: () => unknown[]
  /** Syntax errors, each with its 1-based line. */
  errors: () => { line: number; message: string }[]
}

/** Parses nothing yet. */
export function sourceFile(path: string, text: string): SourceFile {
  let parsed: { documents: unknown[]; errors: { line: number; message: string }[] } | undefined
  const once = () => {
    parsed ??= parse(text)
    return parsed
  }
  return { path, text, documents: () => once().documents, errors: () => once().errors }
}

function parse(text: string) {
  const plain = plainDocuments(text)
  if (plain) return { documents: plain, errors: [] }
  const { LineCounter, parseAllDocuments } = yaml()
  const lineCounter = new LineCounter()
  const found = parseAllDocuments(text, { lineCounter, prettyErrors: false, logLevel: 'silent' })
  const documents: unknown[] = []
  const errors: { line: number; message: string }[] = []
  for (const document of Array.isArray(found) ? found : []) {
    for (const { pos, message } of document.errors) {
      errors.push({ line: Math.max(1, lineCounter.linePos(pos[0]).line), message })
    }
    try {
      documents.push(document.toJS({ maxAliasCount: 100 }))
    } catch (error) {
      // An alias without its anchor, or one that multiplies without end, shows only here.
      const message = error instanceof Error ? error.message : String(error)
      const at = text.indexOf(`*${/: (\S+)$/.exec(message)?.[1] ?? ''}`)
      errors.push({ line: at === -1 ? 1 : text.slice(0, at).split('\n').length, message })
    }
  }
  return { documents, errors }
}

export interface Declared {
  apiVersion: string
  kind: string
  name: string | undefined
  namespace: string | undefined
  text: string
}

const metadataField = (text: string, field: string): string | undefined => {
  const block = /^metadata:[ \t]*(?:#.*)?\n((?:[ \t]+.*\n?|[ \t]*#.*\n?|\n)*)/m.exec(text)?.[1] ?? ''
  const indent = /^([ \t]+)\S/m.exec(block)?.[1] ?? '  '
  return new RegExp(`^${indent}${field}:[ \\t]*["']?([^"'\\s#]+)`, 'm').exec(block)?.[1]
}

/** The Kubernetes objects that a file declares, told by their text: no parser is needed for a kind and a name in block style. */
export const declaredIn = once(({ text }: SourceFile): readonly Declared[] =>
  splitDocuments(text).flatMap((document) => {
    const apiVersion = topLevel(document, 'apiVersion')
    const kind = topLevel(document, 'kind')
    if (!apiVersion || !kind) return []
    const [name, namespace] = [metadataField(document, 'name'), metadataField(document, 'namespace')]
    return [{ apiVersion, kind, name, namespace, text: document }]
  }),
)

/** Files by their path. */
export const filesByPath = once(
  (files: readonly SourceFile[]): ReadonlyMap<string, SourceFile> => new Map(files.map((file) => [file.path, file])),
)

/** Made by tools, or of no concern to anybody who reads manifests. */
const skipped = new Set(['.git', '.k8sops', 'node_modules', 'clusterconfig'])

/** Everything that the rules look at. */
export const lookedAt = [
  layout.repositoryFile,
  layout.sopsConfig,
  layout.kubernetes,
  layout.talosRoot,
  layout.bootstrap,
  layout.runbooks,
  layout.prerequisites,
  layout.github,
]

/** Reads the files below the repository's known folders; a file that cannot be read is not there. */
export function readSourceFiles(root: string, paths: readonly string[] = lookedAt): SourceFile[] {
  const found: SourceFile[] = []
  const visit = (path: string): void => {
    let entries: import('node:fs').Dirent[] | undefined
    try {
      entries = readdirSync(join(root, path), { withFileTypes: true })
    } catch {
      const text = contentOf(join(root, path))
      if (text !== undefined) found.push(sourceFile(path, text))
      return
    }
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      if (!skipped.has(entry.name)) visit(`${path}/${entry.name}`)
    }
  }
  for (const path of paths) visit(path)
  return found
}

function contentOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Manifests and configuration that an operator edits. */
export const isOperated = ({ path }: SourceFile): boolean => /^(kubernetes|talos|bootstrap)\//.test(path)

/** Shared by clusters: nothing in it may be about one of them. */
export const isShared = ({ path }: SourceFile): boolean =>
  /^kubernetes\/(infrastructure|apps)\/|^talos\/patches\//.test(path)

export const isYaml = ({ path }: SourceFile): boolean => /\.ya?ml$/.test(path)
export const isEncrypted = ({ path }: SourceFile): boolean => path.endsWith('.sops.yaml')

/** Whether a file of the repository is one of `paths` (as given, from `cwd`) or below one; every file without any. */
export function belowPaths(root: string, cwd: string, paths: string[]): (file: string) => boolean {
  if (paths.length === 0) return () => true
  const wanted = paths.map((path) => relative(root, resolve(cwd, path)))
  return (file) => wanted.some((path) => path === '' || file === path || file.startsWith(`${path}/`))
}
