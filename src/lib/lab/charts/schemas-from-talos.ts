/**
 * Makes lab/crds/schemas/talos.json from the JSON schema that Talos publishes of its machine configuration: names, types and words of
 * fields. For a new version of Talos, with the schema of github.com/siderolabs/talos (pkg/machinery/config/schemas):
 *   node src/lib/lab/charts/schemas-from-talos.ts "siderolabs/talos v1.12.0" config.schema.json
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { labDataDir } from './record.ts'
import { createTable, type OpenApiSchema } from './schemas-from-crds.ts'
import { resolve } from './schemas-from-openapi.ts'

type TalosSchema = OpenApiSchema & { patternProperties?: Record<string, OpenApiSchema> }

/** Talos says maps by `patternProperties`, and leaves the type out of an enumeration. */
function plain(schema: TalosSchema): OpenApiSchema {
  const { patternProperties, properties, items, ...rest } = schema
  const [values] = Object.values(patternProperties ?? {})
  return {
    ...(rest.enum && !rest.type ? { type: 'string' } : {}),
    ...rest,
    ...(properties
      ? { properties: Object.fromEntries(Object.entries(properties).map(([key, one]) => [key, plain(one)])) }
      : {}),
    ...(items ? { items: plain(items) } : {}),
    ...(values ? { additionalProperties: plain(values) } : {}),
  }
}

/** Deprecated fields that Talos 1.12 takes and its schema leaves out (v1alpha1_types.go: docgen:nodoc); those that we use. */
const deprecated: Record<string, Record<string, TalosSchema>> = {
  'v1alpha1.MachineConfig': {
    time: {
      type: 'object',
      properties: {
        disabled: { type: 'boolean' },
        servers: { type: 'array', items: { type: 'string' } },
        bootTimeout: { type: 'string' },
      },
    },
  },
  'v1alpha1.APIServerConfig': { disablePodSecurityPolicy: { type: 'boolean' } },
}

if (import.meta.main) {
  const [source = '', file = ''] = process.argv.slice(2)
  const { $defs } = JSON.parse(await readFile(file, 'utf8')) as { $defs: Record<string, TalosSchema> }
  for (const [name, fields] of Object.entries(deprecated)) Object.assign($defs[name]?.properties ?? {}, fields)
  const definitions = Object.fromEntries(Object.entries($defs).map(([name, schema]) => [name, plain(schema)]))
  const { table, add } = createTable(source)
  add('config', 'v1alpha1', resolve({ $ref: '#/$defs/v1alpha1.Config' }, definitions))
  await writeFile(join(labDataDir(), 'crds/schemas/talos.json'), `${JSON.stringify(table)}\n`)
}
