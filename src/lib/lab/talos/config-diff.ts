/** What a new configuration changes: whether it needs a reboot, and the text of a dry run (v1alpha1_runtime.go, configdiff). */
import { isDeepStrictEqual } from 'node:util'
import { stringify } from 'yaml'
import { readDocuments } from './machine-config.ts'

type Fields = { [key: string]: unknown }

/** Parts of the first document that Talos changes without a reboot (Runtime.CanApplyImmediate). */
const immediate = [
  'debug',
  'cluster',
  ...[
    'ca',
    'acceptedCAs',
    'time',
    'certSANs',
    'install',
    'network',
    'sysfs',
    'sysctls',
    'logging',
    'controlPlane',
    'kubelet',
    'kernel',
    'registries',
    'pods',
    'seccompProfiles',
    'nodeAnnotations',
    'nodeLabels',
    'nodeTaints',
    'features.kubernetesTalosAPIAccess',
    'features.kubePrism',
    'features.hostDNS',
    'features.imageCache',
    'features.nodeAddressSortAlgorithm',
  ].map((field) => `machine.${field}`),
]

/**
 * Why the change can't be made without a reboot, in Talos's words; undefined when it can.
 * @param current both as YAML sources
 */
export function immediateProblem(current: string, next: string): string | undefined {
  const before = mainDocument(current)
  const after = mainDocument(next)
  const reduced = (fields: Fields) => immediate.reduce(without, structuredClone(fields))
  if (isDeepStrictEqual(reduced(before), reduced(after))) return undefined
  // Talos compares with the immediate parts taken from the current config.
  const merged = immediate.reduce((fields, path) => copyField(before, fields, path), structuredClone(after))
  const diff = unifiedDiff(render([before]), render([merged]))
  return `this config change can't be applied in immediate mode\ndiff:\n${diff}`
}

/** The dry run's text between two configurations: a unified diff without comments, or `No changes.` */
export function diffText(current: string, next: string): string {
  const diff = unifiedDiff(render(readDocuments(current)), render(readDocuments(next)))
  return `Config diff:\n\n${diff === '' ? 'No changes.' : diff}`
}

function mainDocument(source: string): Fields {
  return readDocuments(source).find((document) => document.kind === undefined) ?? {}
}

function render(documents: Fields[]): string {
  return documents.map((document) => stringify(document, { indent: 4, lineWidth: 0 })).join('---\n')
}

function without(fields: Fields, path: string): Fields {
  const keys = path.split('.')
  const last = keys.pop() ?? ''
  const holder = holderOf(fields, keys)
  if (holder) delete holder[last]
  return fields
}

function copyField(from: Fields, to: Fields, path: string): Fields {
  const keys = path.split('.')
  const last = keys.pop() ?? ''
  const value = holderOf(from, keys)?.[last]
  const holder = holderOf(to, keys)
  if (!holder) return to
  if (value === undefined) delete holder[last]
  else holder[last] = structuredClone(value)
  return to
}

function holderOf(fields: Fields, keys: string[]): Fields | undefined {
  let holder: unknown = fields
  for (const key of keys) {
    if (typeof holder !== 'object' || holder === null) return undefined
    holder = (holder as Fields)[key]
  }
  return typeof holder === 'object' && holder !== null ? (holder as Fields) : undefined
}

interface Line {
  kind: ' ' | '-' | '+'
  text: string
}

const context = 3

/** A unified diff as gotextdiff prints it, `--- a`, `+++ b`; empty for equal texts. */
export function unifiedDiff(before: string, after: string): string {
  if (before === after) return ''
  const lines = align(before.split('\n').slice(0, -1), after.split('\n').slice(0, -1))
  let output = '--- a\n+++ b\n'
  let index = 0
  let oldLine = 1
  let newLine = 1
  const advance = (line: Line) => {
    if (line.kind !== '+') oldLine++
    if (line.kind !== '-') newLine++
  }
  while (index < lines.length) {
    const next = lines.findIndex((line, at) => at >= index && line.kind !== ' ')
    if (next === -1) break
    const start = Math.max(index, next - context)
    for (; index < start; index++) advance(lines[index] as Line)
    const hunk: Line[] = []
    const from = [oldLine, newLine]
    for (let quiet = 0; index < lines.length && quiet <= 2 * context; index++) {
      const line = lines[index] as Line
      quiet = line.kind === ' ' ? quiet + 1 : 0
      hunk.push(line)
      advance(line)
    }
    const trailing = hunk.length - 1 - hunk.findLastIndex((line) => line.kind !== ' ')
    const kept = hunk.slice(0, hunk.length - Math.max(0, trailing - context))
    const oldCount = kept.filter((line) => line.kind !== '+').length
    const newCount = kept.filter((line) => line.kind !== '-').length
    output += `@@ -${from[0]}${oldCount > 1 ? `,${oldCount}` : ''} +${from[1]}${newCount > 1 ? `,${newCount}` : ''} @@\n`
    output += kept.map((line) => `${line.kind}${line.text}\n`).join('')
  }
  return output
}

/** Longest common subsequence; machine configs have a few hundred lines. */
function align(before: string[], after: string[]): Line[] {
  const width = after.length + 1
  const lengths = new Uint16Array((before.length + 1) * width)
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const same = before[i] === after[j]
      const down = lengths[(i + 1) * width + j] ?? 0
      const right = lengths[i * width + j + 1] ?? 0
      lengths[i * width + j] = same ? (lengths[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(down, right)
    }
  }
  const lines: Line[] = []
  let i = 0
  let j = 0
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ kind: ' ', text: before[i++] ?? '' })
      j++
    } else if (
      j >= after.length ||
      (i < before.length && (lengths[(i + 1) * width + j] ?? 0) >= (lengths[i * width + j + 1] ?? 0))
    ) {
      lines.push({ kind: '-', text: before[i++] ?? '' })
    } else {
      lines.push({ kind: '+', text: after[j++] ?? '' })
    }
  }
  return lines
}
