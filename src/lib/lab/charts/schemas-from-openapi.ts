/**
 * Makes lab/crds/schemas/kubernetes.json from what the pinned kube-apiserver says of itself: names and types of fields, which are
 * required, and which words an enumeration has; no text. After a change of Kubernetes' minor version, in a lab that runs it:
 *   k8sops lab exec -- kubectl get --raw /openapi/v3/apis/apps/v1 > apps.json   (and so on, one file a group and version)
 *   node src/lib/lab/charts/schemas-from-openapi.ts "kube-apiserver v1.35.4" apps.json...
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pluralOf } from '../../repo/schema-tables.ts'
import { labDataDir } from './record.ts'
import { createTable, type OpenApiSchema } from './schemas-from-crds.ts'

interface Reference extends OpenApiSchema {
  $ref?: string
  allOf?: Reference[]
  'x-kubernetes-group-version-kind'?: { group: string; kind: string; version: string }[]
}

type Schemas = Record<string, Reference>

/**
 * `""`, `0`, `false` and `{}` stand beside every field that is no pointer in Go, required ones too: what it is before it is read, and nothing
 * that the API server would fill in.
 */
const isNoDefault = (value: unknown) =>
  value === undefined || ['""', '0', 'false', '{}'].includes(JSON.stringify(value))

/** Inlines `$ref`; one that leads back to itself takes anything. */
export function resolve(schema: Reference, schemas: Schemas, trail: string[] = []): OpenApiSchema {
  const target = schema.$ref ?? (schema.allOf?.length === 1 ? schema.allOf[0]?.$ref : undefined)
  if (target !== undefined) {
    const name = target.slice(target.lastIndexOf('/') + 1)
    const found = schemas[name]
    if (!found || trail.includes(name)) return { 'x-kubernetes-preserve-unknown-fields': true }
    if (name.endsWith('.Quantity')) return { type: 'quantity' }
    return resolve(found, schemas, [...trail, name])
  }
  const { properties, items, additionalProperties, default: fallback, ...rest } = schema
  const inner = (one: OpenApiSchema) => resolve(one, schemas, trail)
  return {
    ...rest,
    ...(isNoDefault(fallback) ? {} : { default: fallback }),
    ...(properties
      ? { properties: Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, inner(one)])) }
      : {}),
    ...(items ? { items: inner(items) } : {}),
    ...(typeof additionalProperties === 'object' ? { additionalProperties: inner(additionalProperties) } : {}),
  }
}

if (import.meta.main) {
  const [source = '', ...files] = process.argv.slice(2)
  const { table, add } = createTable(source)
  for (const file of files) {
    const { components } = JSON.parse(await readFile(file, 'utf8')) as { components: { schemas: Schemas } }
    for (const schema of Object.values(components.schemas)) {
      const [is] = schema['x-kubernetes-group-version-kind'] ?? []
      const isObject = schema.properties?.metadata !== undefined && !is?.kind.endsWith('List')
      if (is && isObject) add(`${is.group}/${pluralOf(is.kind)}`, is.version, resolve(schema, components.schemas))
    }
  }
  await writeFile(join(labDataDir(), 'crds/schemas/kubernetes.json'), `${JSON.stringify(table)}\n`)
  process.stdout.write(
    `${Object.keys(table.roots).length} kinds, ${Object.keys(table.definitions).length} definitions\n`,
  )
}
