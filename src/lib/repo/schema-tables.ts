/**
 * Schemas of Kubernetes and of custom resources as tables of field names and types (`lab/crds/schemas`), made from what the API
 * server and the projects publish. Enough to be strict about fields, types, words and patterns, offline and without a process.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SchemaTable } from '../lab/charts/schemas.ts'
import { isFields } from './fields.ts'

/** `kubernetes` for the API server's own groups, else the group. */
export type SchemaTables = ReadonlyMap<string, SchemaTable>

/** The tables that k8sops has, and those of the repository. */
export async function readSchemaTables(root: string): Promise<SchemaTables> {
  const own = join(import.meta.dirname, '../../..')
  const tables = new Map<string, SchemaTable>()
  for (const base of new Set([own, root])) {
    const directory = join(base, 'lab/crds/schemas')
    const names = await readdir(directory).catch(() => [])
    const read = async (name: string) =>
      tables.set(name.replace(/\.json$/, ''), JSON.parse(await readFile(join(directory, name), 'utf8')) as SchemaTable)
    await Promise.all(names.filter((name) => name.endsWith('.json')).map(read))
  }
  return tables
}

/** As the API servers of these projects name their resources. */
export function pluralOf(kind: string): string {
  const word = kind.toLowerCase()
  if (word === 'endpoints') return word
  if (word === 'apicurioregistry3') return 'apicurioregistries3'
  if (/[^aeiou]y$/.test(word)) return `${word.slice(0, -1)}ies`
  return /(s|x|ch|sh)$/.test(word) ? `${word}es` : `${word}s`
}

export interface SchemaProblem {
  path: (string | number)[]
  message: string
}

interface Identified {
  group: string
  apiVersion: string
  kind: string
}

/** The table and the name of its definition, or undefined when there is no schema for the kind. */
export function schemaFor(tables: SchemaTables, { group, apiVersion, kind }: Identified) {
  const version = apiVersion.slice(apiVersion.indexOf('/') + 1)
  const own = tables.get(group)
  const custom = own?.roots[`${pluralOf(kind)}/${version}`]
  if (own && custom !== undefined) return { table: own, root: custom }
  const kubernetes = tables.get('kubernetes')
  const builtIn = kubernetes?.roots[`${group}/${pluralOf(kind)}/${version}`]
  return kubernetes && builtIn !== undefined ? { table: kubernetes, root: builtIn } : undefined
}

const metadataFields: Record<string, string> = {
  name: 'string',
  generateName: 'string',
  namespace: 'string',
  labels: '{}string',
  annotations: '{}string',
  finalizers: '[]string',
  ownerReferences: 'any',
  creationTimestamp: 'any',
}

const quantity = /^[+-]?(\d+(\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)?$/

/** Everything that the schema does not allow. A null is a field that is not there, as for the API server. */
export function checkSchema(table: SchemaTable, root: string, object: unknown): SchemaProblem[] {
  if (!isFields(object)) return [{ path: [], message: 'is no map' }]
  const { apiVersion: _, kind: __, metadata, status: ___, ...rest } = object
  return [
    ...checkType(table, '{}any', metadata, ['metadata']),
    ...(isFields(metadata) ? checkFields(table, metadataFields, metadata, ['metadata']) : []),
    ...checkFields(table, table.definitions[root] ?? {}, rest, []),
  ]
}

/** The same of one value, by its type in the table. */
export function checkType(
  table: SchemaTable,
  type: string,
  value: unknown,
  path: SchemaProblem['path'] = [],
): SchemaProblem[] {
  if (value === null || value === undefined || type === 'any') return []
  if (type.startsWith('[]')) {
    if (!Array.isArray(value)) return [{ path, message: `${what(path)} is no list` }]
    return value.flatMap((item, index) => checkType(table, type.slice(2), item, [...path, index]))
  }
  if (type.startsWith('{}') || type.startsWith('#')) {
    if (!isFields(value)) return [{ path, message: `${what(path)} is no map` }]
    if (type.startsWith('#')) return checkFields(table, table.definitions[type.slice(1)] ?? {}, value, path)
    return Object.entries(value).flatMap(([key, item]) => checkType(table, type.slice(2), item, [...path, key]))
  }
  return fits(type, value)
    ? []
    : [{ path, message: `${what(path)}: ${JSON.stringify(value)} is no ${described(type)}` }]
}

function checkFields(
  table: SchemaTable,
  known: Record<string, string>,
  value: Record<string, unknown>,
  path: SchemaProblem['path'],
): SchemaProblem[] {
  const given = Object.entries(value).flatMap(([key, below]) => {
    const type = known[key] ?? known[`${key}!`]
    if (type !== undefined) return checkType(table, type, below, [...path, key])
    return [{ path: [...path, key], message: `${key} is no field of it${suggestion(key, known)}` }]
  })
  const missing = Object.keys(known).flatMap((key) => {
    const name = key.slice(0, -1)
    return key.endsWith('!') && (value[name] ?? null) === null ? [{ path, message: `${name} is missing` }] : []
  })
  return [...given, ...missing]
}

/** The type of a field of a kind, by the names of the fields down to it (through lists and maps); undefined when there is none. */
export function typeOf(table: SchemaTable, root: string, fields: readonly string[]): string | undefined {
  return fields.reduce<string | undefined>((type, field) => {
    const definition = table.definitions[(type ?? '').replace(/^(\[\]|\{\})*#/, '')]
    return definition?.[field] ?? definition?.[`${field}!`]
  }, `#${root}`)
}

/** Of `integer:<least>..<most>`. */
function boundsOf(type: string): { least: number | undefined; most: number | undefined } {
  const [least = '', most = ''] = type.slice('integer:'.length).split('..')
  return { least: least === '' ? undefined : Number(least), most: most === '' ? undefined : Number(most) }
}

function fits(type: string, value: unknown): boolean {
  if (type.startsWith('enum:')) return type.slice(5).split('|').includes(String(value)) && typeof value === 'string'
  if (type.startsWith('pattern:'))
    return typeof value === 'string' && (expressionOf(type.slice(8))?.test(value) ?? true)
  if (type.startsWith('integer:')) {
    const { least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY } = boundsOf(type)
    return Number.isInteger(value) && Number(value) >= least && Number(value) <= most
  }
  switch (type) {
    case 'intOrString':
      return typeof value === 'string' || Number.isInteger(value)
    case 'quantity':
      return typeof value === 'number' || (typeof value === 'string' && quantity.test(value))
    case 'integer':
      return Number.isInteger(value)
    default:
      return typeof value === type
  }
}

const expressions = new Map<string, RegExp | undefined>()

/** RE2 as JavaScript; undefined for what it has and JavaScript lacks, which is not checked. */
function expressionOf(pattern: string): RegExp | undefined {
  if (!expressions.has(pattern)) {
    try {
      expressions.set(pattern, new RegExp(pattern))
    } catch {
      expressions.set(pattern, undefined)
    }
  }
  return expressions.get(pattern)
}

const described = (type: string) =>
  type
    .replace(/^enum:(.*)$/, (_, words: string) => words.replaceAll('|', ', '))
    .replace(/^pattern:/, 'text like ')
    .replace(/^integer:/, 'integer in ')
const what = (path: SchemaProblem['path']) => String(path.findLast((key) => typeof key === 'string') ?? 'the object')

/** A key that differs in letter case only is the usual slip. */
function suggestion(key: string, known: Record<string, string>): string {
  const same = Object.keys(known).find((name) => name.replace(/!$/, '').toLowerCase() === key.toLowerCase())
  return same ? `; did you mean ${same.replace(/!$/, '')}?` : ''
}
