/** Finds the line that a problem is about, in the file that kustomize says an object came from. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Problem } from '../types.ts'

export type YamlPath = readonly (string | number)[]

/** A problem whose line is still to be looked up, unless it is known: by the first line that contains `text`, or by the key at `path`. */
export interface Finding {
  file: string
  message: string
  line?: number
  text?: string
  path?: YamlPath
  /** Which of the file's documents `path` is in; the first without it. */
  object?: { kind: string; name: string }
  /** The cluster that it was found in, when it may differ between clusters. */
  cluster?: string
  /** `namespace/name` of the Kustomizations whose objects it is about; without any it is about the file. */
  owners?: string[]
}

/** Looks the lines up. A file that cannot be read, or a text that is elsewhere (a patch), gives line 1. */
export async function locate(root: string, findings: Finding[]): Promise<Problem[]> {
  const lines = await linesOf(root, findings)
  return findings.map(({ file, message }, index) => ({ file, line: lines[index] ?? 1, message }))
}

/** The 1-based line of each finding; files that are not among `known` are read. */
export async function linesOf(
  root: string,
  findings: Finding[],
  known: readonly { path: string; text: string }[] = [],
): Promise<number[]> {
  const texts = new Map(known.map(({ path, text }) => [path, text]))
  for (const file of new Set(findings.map((finding) => finding.file))) {
    if (!texts.has(file)) texts.set(file, await readFile(join(root, file), 'utf8').catch(() => ''))
  }
  const documents = new Map<string, ReturnType<typeof parsed>>()
  const yaml = findings.some(({ path }) => path) ? await import('yaml') : undefined
  return findings.map(({ file, line, text, path, object }) => {
    const content = texts.get(file) ?? ''
    if (line !== undefined) return line
    if (!path || !yaml) return text ? lineOfText(content, text) : 1
    const known = documents.get(file) ?? parsed(yaml, content)
    documents.set(file, known)
    return lineOfKey(known, path, object)
  })
}

function lineOfText(content: string, text: string): number {
  const index = content.split('\n').findIndex((line) => line.includes(text))
  return index === -1 ? 1 : index + 1
}

function parsed({ LineCounter, parseAllDocuments }: typeof import('yaml'), content: string) {
  const counter = new LineCounter()
  const found = parseAllDocuments(content, { lineCounter: counter, prettyErrors: false, logLevel: 'silent' })
  return { counter, documents: [...found] }
}

interface Ranged {
  range?: [number, number, number] | null
}

/** The line of the deepest part of `path` that the document has, else of the document. */
function lineOfKey(
  { counter, documents }: ReturnType<typeof parsed>,
  path: YamlPath,
  object: Finding['object'],
): number {
  const named = (one: (typeof documents)[number]) =>
    one.get('kind') === object?.kind && one.getIn(['metadata', 'name']) === object?.name
  const ofKind = (one: (typeof documents)[number]) => one.get('kind') === object?.kind
  const isMapping = (one: (typeof documents)[number]) => Array.isArray((one.contents as { items?: unknown })?.items)
  const maps = documents.filter(isMapping)
  // An object whose name a prefix or a variable changes is told by its kind.
  const document = object ? (maps.find(named) ?? maps.find(ofKind) ?? maps[0]) : maps[0]
  if (!document) return 1
  for (let depth = path.length; depth > 0; depth--) {
    const parent = document.getIn(path.slice(0, depth - 1), true) as { items?: unknown[] } | undefined
    const items = parent?.items ?? []
    const last = path[depth - 1]
    const found = typeof last === 'number' ? (items[last] as Ranged) : keyOf(items, last)
    if (found?.range) return counter.linePos(found.range[0]).line
  }
  const start = document.contents?.range?.[0]
  return start === undefined ? 1 : counter.linePos(start).line
}

const keyOf = (items: unknown[], name: string | undefined): Ranged | undefined =>
  (items as { key?: { value?: unknown } & Ranged }[]).find(({ key }) => key?.value === name)?.key
