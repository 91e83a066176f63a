/** YAML files with positions: every value can say on which line it stands, so that a problem can point there. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Document, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import type { Problem } from '../types.ts'

export type YamlPath = readonly (string | number)[]

export interface YamlFile {
  /** Relative to the repository's root. */
  path: string
  text: string
  /** The parsed document as plain data. */
  data: unknown
  /** 1-based line of the key (or list item) at `path`; of its nearest ancestor that exists when it is not there. */
  lineOf(path: YamlPath): number
}

/**
 * Reads one single-document YAML file. A missing or malformed file is pushed onto `problems` (every syntax error with
 * its line) and gives undefined. Aliases and duplicate keys follow YAML 1.2: a duplicate key is an error, as it is for talhelper.
 */
export async function readYaml(root: string, path: string, problems: Problem[]): Promise<YamlFile | undefined> {
  let text: string
  try {
    text = await readFile(join(root, path), 'utf8')
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'file is missing' : `cannot be read: ${cause}`
    problems.push({ file: path, line: 1, message: reason })
    return undefined
  }
  return parseYaml(text, path, problems)
}

/** As `readYaml`, of text that is already there. */
export function parseYaml(text: string, path: string, problems: Problem[]): YamlFile | undefined {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  for (const error of document.errors) {
    problems.push({ file: path, line: lines.linePos(error.pos[0]).line, message: `malformed YAML: ${error.message}` })
  }
  if (document.errors.length > 0) return undefined
  let data: unknown
  try {
    data = document.toJS()
  } catch (error) {
    // An alias whose anchor is not there shows only here.
    const message = error instanceof Error ? error.message : String(error)
    problems.push({ file: path, line: lineOfAlias(text, message), message: `malformed YAML: ${message}` })
    return undefined
  }
  const lineAt = (offset: number | undefined) => (offset === undefined ? 1 : lines.linePos(offset).line)
  return { path, text, data, lineOf: (where) => lineAt(offsetOf(document, where)) }
}

/** The line of the alias that the yaml library complains about (`…: name`), else the first. */
export function lineOfAlias(text: string, message: string): number {
  const at = text.indexOf(`*${/: (\S+)$/.exec(message)?.[1] ?? ''}`)
  return at === -1 ? 1 : text.slice(0, at).split('\n').length
}

function offsetOf(document: Document.Parsed, path: YamlPath): number | undefined {
  let node: unknown = document.contents
  let offset = (node as Node | null)?.range?.[0]
  for (const key of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
      if (!pair) return offset
      offset = (pair.key as Node).range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node) && typeof key === 'number' && node.items[key]) {
      node = node.items[key]
      offset = (node as Node).range?.[0] ?? offset
    } else {
      return offset
    }
  }
  return offset
}
