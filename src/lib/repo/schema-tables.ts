/**
 * Schemas of Kubernetes and of custom resources as tables of field names and types (`lab/crds/schemas`), made from what the API
 * server and the projects publish. Enough to be strict about fields, types, words and patterns, offline and without a process.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SchemaTable } from '../lab/charts/schemas.ts'
import { isFields, type Path } from './fields.ts'
import { layout } from './layout.ts'
import { once } from './once.ts'

/** `kubernetes` for the API server's own groups, else the group. */
export type SchemaTables = ReadonlyMap<string, SchemaTable>

/** The tables that k8sops has, and those of the repository. */
export async function readSchemaTables(root: string): Promise<SchemaTables> {
  const own = join(import.meta.dirname, '../../..')
  const tables = new Map<string, SchemaTable>()
  for (const base of new Set([own, root])) {
    const directory = join(base, layout.schemaTables)
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
  path: Path
  message: string
  /** Of a field that is not there: a patch may leave it to what it patches. */
  lacks?: true
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
  const found = checkType(table, '{}any', metadata, ['metadata'])
  if (isFields(metadata)) judgeFields(table, metadataFields, metadata, ['metadata'], found)
  judgeFields(table, table.definitions[root] ?? {}, rest, [], found)
  return found
}

/** The same of one value, by its type in the table. */
export function checkType(table: SchemaTable, type: string, value: unknown, path: Path = []): SchemaProblem[] {
  const found: SchemaProblem[] = []
  judge(table, type, value, [...path], found)
  return found
}

/** @param path the keys down to the value, which is put back as it was @param found where problems go */
function judge(table: SchemaTable, type: string, value: unknown, path: Path, found: SchemaProblem[]): void {
  if (value === null || value === undefined || type === 'any') return
  const tell = (message: string) => found.push({ path: [...path], message: `${what(path)}${message}` })
  if (type.startsWith('[]')) {
    if (!Array.isArray(value)) return void tell(' is no list')
    for (const [index, item] of value.entries()) judgeBelow(table, type.slice(2), item, index, path, found)
  } else if (type.startsWith('{}') || type.startsWith('#')) {
    if (!isFields(value)) return void tell(' is no map')
    if (type.startsWith('#')) judgeFields(table, table.definitions[type.slice(1)] ?? {}, value, path, found)
    else for (const key of Object.keys(value)) judgeBelow(table, type.slice(2), value[key], key, path, found)
  } else if (!fits(type, value)) tell(`: ${JSON.stringify(value)} is no ${described(type)}`)
}

function judgeBelow(
  table: SchemaTable,
  type: string,
  value: unknown,
  key: string | number,
  path: Path,
  found: SchemaProblem[],
): void {
  path.push(key)
  judge(table, type, value, path, found)
  path.pop()
}

function judgeFields(
  table: SchemaTable,
  known: Record<string, string>,
  value: Record<string, unknown>,
  path: Path,
  found: SchemaProblem[],
): void {
  for (const key of Object.keys(value)) {
    const type = known[key] ?? known[`${key}!`]
    if (type !== undefined) judgeBelow(table, type, value[key], key, path, found)
    else found.push({ path: [...path, key], message: `${key} is no field of it${suggestion(key, known)}` })
  }
  for (const name of neededOf(known))
    if ((value[name] ?? null) === null) found.push({ path: [...path], message: `${name} is missing`, lacks: true })
}

const neededOf = once((known: Record<string, string>) =>
  Object.keys(known).flatMap((key) => (key.endsWith('!') ? [key.slice(0, -1)] : [])),
)

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
const what = (path: Path) => String(path.findLast((key) => typeof key === 'string') ?? 'the object')

/** A key that differs in letter case only is the usual slip. */
function suggestion(key: string, known: Record<string, string>): string {
  const same = Object.keys(known).find((name) => name.replace(/!$/, '').toLowerCase() === key.toLowerCase())
  return same ? `; did you mean ${same.replace(/!$/, '')}?` : ''
}
