/** Schemas of stand-in CRDs, from tables of field names and types (lab/crds/schemas/<group>.json). */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json } from '../../types.ts'
import { labDataDir } from './record.ts'

/**
 * A type is `string`, `number`, `integer`, `boolean`, `intOrString`, `quantity`, `enum:<a>|<b>` (a string), `pattern:<RE2>` (a string that
 * has it), `integer:<least>..<most>` (either may be left out), `any`, `[]<type>`, `{}<type>` (a map) or `#<definition>`; a definition
 * is an object's fields, of which those that end in `!` are required. Lengths and rules (CEL) of the real schema are not in the table.
 */
export interface SchemaTable {
  /** Repository and tag of the CRDs. */
  source: string
  /** `<plural>/<version>` -> definition. */
  roots: Record<string, string>
  definitions: Record<string, Record<string, string>>
}

type JsonObject = { [key: string]: Json }

const anything: JsonObject = { 'x-kubernetes-preserve-unknown-fields': true }
const tables = new Map<string, Promise<SchemaTable | undefined>>()

/** The openAPIV3Schema of a kind, or undefined when no table has it. */
export async function derivedSchema(group: string, plural: string, version: string): Promise<JsonObject | undefined> {
  let reading = tables.get(group)
  if (!reading) {
    reading = readTable(group)
    tables.set(group, reading)
  }
  const table = await reading
  const root = table?.roots[`${plural}/${version}`]
  if (!table || root === undefined) return undefined
  const schema = objectSchema(table, root)
  const properties = { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' } }
  return { ...schema, properties: { ...properties, ...(schema.properties as JsonObject) } }
}

async function readTable(group: string): Promise<SchemaTable | undefined> {
  const file = join(labDataDir(), 'crds/schemas', `${group}.json`)
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as SchemaTable)
}

function schemaOf(table: SchemaTable, type: string): JsonObject {
  if (type.startsWith('[]')) return { type: 'array', items: schemaOf(table, type.slice(2)) }
  if (type.startsWith('{}')) return { type: 'object', additionalProperties: schemaOf(table, type.slice(2)) }
  if (type.startsWith('#')) return objectSchema(table, type.slice(1))
  if (type === 'any' || type === 'quantity') return anything
  if (type.startsWith('enum:')) return { type: 'string', enum: type.slice(5).split('|') }
  // Patterns and bounds are for validation: a stand-in's controllers are simulated, and their words are no concern of it.
  if (type.startsWith('pattern:')) return { type: 'string' }
  if (type.startsWith('integer:')) return { type: 'integer' }
  return type === 'intOrString' ? { 'x-kubernetes-int-or-string': true } : { type }
}

function objectSchema(table: SchemaTable, name: string): JsonObject {
  const fields = Object.entries(table.definitions[name] ?? {})
  const properties = Object.fromEntries(fields.map(([field, type]) => [field.replace(/!$/, ''), schemaOf(table, type)]))
  const required = fields.flatMap(([field]) => (field.endsWith('!') ? [field.slice(0, -1)] : []))
  return { type: 'object', properties, ...(required.length > 0 ? { required } : {}) }
}
