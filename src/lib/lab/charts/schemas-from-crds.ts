/**
 * Makes lab/crds/schemas/<group>.json from the real CRDs of a project: names, types, words, patterns and bounds of fields, and which
 * are required; no text, no rules. A new version of a chart may need it again:
 *   node src/lib/lab/charts/schemas-from-crds.ts cert-manager.io "cert-manager/cert-manager v1.20.2 deploy/crds" CRD.yaml...
 * A file may also be the JSON schema of one kind, named `<kind>_<version>.json` as the CRDs catalog does.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { labDataDir } from './record.ts'
import type { SchemaTable } from './schemas.ts'

export interface OpenApiSchema {
  type?: string | string[]
  format?: string
  default?: unknown
  enum?: unknown[]
  pattern?: string
  minimum?: number
  maximum?: number
  properties?: Record<string, OpenApiSchema>
  required?: string[]
  items?: OpenApiSchema
  additionalProperties?: OpenApiSchema | boolean
  anyOf?: OpenApiSchema[]
  oneOf?: OpenApiSchema[]
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-int-or-string'?: boolean
}

interface KindFacts {
  kind: string
  plural: string
  versions: { name: string }[]
}

/** Collects kinds of one group; definitions that are the same are kept once. */
export function createTable(source: string) {
  const table: SchemaTable = { source, roots: {}, definitions: {} }
  const names = new Map<string, string>()

  const define = (fields: Record<string, string>): string => {
    const text = JSON.stringify(fields)
    let name = names.get(text)
    if (name === undefined) {
      name = String(names.size)
      names.set(text, name)
      table.definitions[name] = fields
    }
    return `#${name}`
  }
  const compact = (schema: OpenApiSchema): string => {
    const type = Array.isArray(schema.type) ? schema.type.find((each) => each !== 'null') : schema.type
    if (schema['x-kubernetes-preserve-unknown-fields']) return 'any'
    if (type === 'quantity') return type
    if (schema['x-kubernetes-int-or-string'] || schema.format === 'int-or-string') return 'intOrString'
    if (type === 'array') return `[]${compact(schema.items ?? {})}`
    if (schema.properties) return define(fieldsOf(schema))
    if (typeof schema.additionalProperties === 'object') return `{}${compact(schema.additionalProperties)}`
    if (type === 'string' && schema.enum) return `enum:${schema.enum.join('|')}`
    // A longer one is an IPv6 address or a whole grammar, which is more table than it is worth.
    if (type === 'string' && schema.pattern && schema.pattern.length <= 200) return `pattern:${schema.pattern}`
    if (type === 'integer' && (schema.minimum ?? schema.maximum) !== undefined)
      return `integer:${schema.minimum ?? ''}..${schema.maximum ?? ''}`
    return type === undefined || type === 'object' ? 'any' : type
  }
  /** A field with a default is never missing when the API server looks. */
  const fieldsOf = ({ properties = {}, required = [] }: OpenApiSchema) =>
    Object.fromEntries(
      Object.entries(properties).map(([field, schema]) => {
        const needed = required.includes(field) && schema.default === undefined
        return [needed ? `${field}!` : field, compact(schema)]
      }),
    )
  return {
    table,
    add(plural: string, version: string, schema: OpenApiSchema) {
      const { apiVersion: _, kind: __, metadata: ___, ...properties } = schema.properties ?? {}
      const required = (schema.required ?? []).filter((field) => field in properties)
      table.roots[`${plural}/${version}`] = define(fieldsOf({ properties, required })).slice(1)
    },
  }
}

/**
 * The table of one API group, from the files that its project publishes.
 * @param source repository, tag and path of the files @param kinds the group's kinds, by which files of the CRDs catalog are told
 */
export async function tableOf(
  group: string,
  source: string,
  files: string[],
  kinds: KindFacts[] = [],
): Promise<SchemaTable> {
  const { table, add } = createTable(source)
  for (const file of files) {
    const text = await readFile(file, 'utf8')
    if (file.endsWith('.json')) {
      const [kind, version = ''] = basename(file, '.json').split('_')
      const known = kinds.find((each) => each.kind.toLowerCase() === kind)
      if (known?.versions.some(({ name }) => name === version)) add(known.plural, version, JSON.parse(text))
      continue
    }
    // Charts wrap their CRDs in template expressions.
    const plain = text.replace(/^\s*\{\{.*\}\}\s*$/gm, '').replace(/\{\{[^}]*\}\}/g, 'x')
    for (const part of plain.split(/^---\s*$/m)) {
      const spec = parseAllDocuments(part)[0]?.toJS()?.spec
      if (spec?.group !== group) continue
      for (const { name, served, schema } of spec.versions)
        if (served) add(spec.names.plural, name, schema?.openAPIV3Schema ?? {})
    }
  }
  return table
}

if (import.meta.main) {
  const [group = '', source = '', ...files] = process.argv.slice(2)
  const facts = await readFile(join(labDataDir(), 'crds', `${group}.json`), 'utf8').catch(() => '{"kinds":[]}')
  const { kinds } = JSON.parse(facts) as { kinds: KindFacts[] }
  const table = await tableOf(group, source, files, kinds)
  await writeFile(join(labDataDir(), 'crds/schemas', `${group}.json`), `${JSON.stringify(table)}\n`)
  const count = (part: object) => Object.keys(part).length
  process.stdout.write(`${group}: ${count(table.roots)} kinds, ${count(table.definitions)} definitions\n`)
}
