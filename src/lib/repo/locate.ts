/** Finds the line that a problem is about, in the file that kustomize says an object came from. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Problem } from '../types.ts'

/** A problem whose line is still to be looked up: by the first line that contains `text`, or by the key at `path`. */
export interface Finding {
  file: string
  message: string
  text?: string
  path?: string[]
}

/** Looks the lines up. A file that cannot be read, or a text that is elsewhere (a patch), gives line 1. */
export async function locate(root: string, findings: Finding[]): Promise<Problem[]> {
  const texts = new Map<string, string>()
  for (const file of new Set(findings.map((finding) => finding.file))) {
    texts.set(file, await readFile(join(root, file), 'utf8').catch(() => ''))
  }
  const yaml = findings.some(({ path }) => path) ? await import('yaml') : undefined
  return findings.map(({ file, message, text, path }) => {
    const content = texts.get(file) ?? ''
    const line = path && yaml ? lineOfKey(yaml, content, path) : text ? lineOfText(content, text) : 1
    return { file, line, message }
  })
}

function lineOfText(content: string, text: string): number {
  const index = content.split('\n').findIndex((line) => line.includes(text))
  return index === -1 ? 1 : index + 1
}

/** The line of the deepest part of `path` that the (first) document has. */
function lineOfKey({ LineCounter, parseDocument }: typeof import('yaml'), content: string, path: string[]): number {
  const counter = new LineCounter()
  const document = parseDocument(content, { lineCounter: counter, prettyErrors: false })
  for (let depth = path.length; depth > 0; depth--) {
    const parent = document.getIn(path.slice(0, depth - 1), true) as { items?: unknown[] } | undefined
    const pairs = (parent?.items ?? []) as { key?: { value?: unknown; range?: [number, number, number] } }[]
    const range = pairs.find(({ key }) => key?.value === path[depth - 1])?.key?.range
    if (range) return counter.linePos(range[0]).line
  }
  return 1
}
