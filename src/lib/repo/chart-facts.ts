/**
 * Charts as far as they are known: `lab/charts/<chart>-<version>.json` has the value keys that a chart reads, taken once
 * from the real chart. A value that the chart does not read is ignored by helm without a word.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChartRecord } from '../lab/charts/record.ts'
import { layout } from './layout.ts'
import { once } from './once.ts'
import type { Release } from './releases.ts'

/** The part of a chart's record that says what may be set: dotted paths; a trailing `.*` is a map that takes any key. */
export type ChartValueKeys = Pick<ChartRecord, 'values'>

/** k8sops's own records, for repositories that have none of that chart. */
const ownRecords = join(import.meta.dirname, '../../..')

/** The record of a chart; a version is found with and without its leading `v`, as registries hold many charts under both tags. */
export async function readChartFacts(root: string, name: string, version: string): Promise<ChartRecord | undefined> {
  const bare = version.replace(/^v/, '')
  for (const directory of [root, ownRecords]) {
    for (const tag of new Set([version, bare, `v${bare}`])) {
      const text = await readFile(join(directory, layout.chartRecord(name, tag)), 'utf8').catch(() => undefined)
      if (text !== undefined) return parsed(text)
    }
  }
  return undefined
}

const records = new Map<string, ChartRecord>()

/** The clusters have the same charts: what is worked out of a record is worked out once. */
function parsed(text: string): ChartRecord {
  const record = records.get(text) ?? (JSON.parse(text) as ChartRecord)
  records.set(text, record)
  return record
}

/** Paths of what `values` sets although the chart has no such key. `global` is every chart's, for its subcharts. */
export function unknownValueKeys({ values: keys }: ChartValueKeys, values: Release['values']): string[][] {
  const { open, known } = pathsOf(keys)
  const inside = (value: unknown, path: string[]): string[][] => {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || open.has(path.join('.'))) return []
    return Object.entries(value).flatMap(([key, below]) => {
      const next = [...path, key]
      if (known.has(next.join('.'))) return inside(below, next)
      return next.length === 1 && key === 'global' ? [] : [next]
    })
  }
  return inside(values, [])
}

const pathsOf = once((keys: ChartValueKeys['values']) => ({
  open: new Set(keys.filter((key) => key.endsWith('.*')).map((key) => keysOf(key.slice(0, -2)).join('.'))),
  known: new Set(keys.flatMap((key) => prefixes(keysOf(key.replace(/\.\*$/, ''))))),
}))

/** The switch of a chart's own monitor, at the top or beside what it runs; of subcharts and parts that are off nothing is said. */
export const monitorSwitch =
  /^([\w.]+\.)?((service|pod|servicem|podm)?monitor|monitoring)\.(enabled|create|podMonitorEnabled)$/i

/** `a.b.c` -> `a`, `b`, `c`; a dot of a key itself has a backslash before it (`grafana\.ini`). */
export const keysOf = (path: string): string[] => path.split(/(?<!\\)\./).map((key) => key.replaceAll('\\.', '.'))

/** `a.b.c` -> `a`, `a.b`, `a.b.c`. */
const prefixes = (parts: string[]): string[] => parts.map((_, index) => parts.slice(0, index + 1).join('.'))
