/**
 * Makes test/fixtures/api-defaults.json: what the API server fills in by the `default:` of a CRD's schema, by kind and path. Each file comes
 * with where it was read, and only the kinds that are named are kept:
 *   node test/helpers/defaults-from-crds.ts Kind,Kind "cert-manager/cert-manager v1.20.2 deploy/crds" CRD.yaml... [-- Kind "source" CRD.yaml...]
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { dig, isFields, listAt, textAt } from '../../src/lib/repo/fields.ts'
import type { Json } from '../../src/lib/types.ts'

export interface ApiDefaults {
  [kind: string]: { source: string; defaults: Record<string, Json> }
}

/** Parts of a pod below custom resources: hundreds of them, and nobody sets one here. */
const ofPods = /\.(volumes|env|initContainers|imagePullSecrets|affinity)(\.|$)/

/** Scalars that a schema fills in, by dotted path; `*` goes through a list. */
function defaultsIn(schema: unknown, path: string[] = []): [string, Json][] {
  if (!isFields(schema)) return []
  const own = schema.default
  return [
    ...(own === undefined || typeof own === 'object' ? [] : [[path.join('.'), own] as [string, Json]]),
    ...Object.entries(dig(schema, 'properties') ?? {}).flatMap(([key, below]) => defaultsIn(below, [...path, key])),
    ...defaultsIn(schema.items, [...path, '*']),
  ]
}

/** @param kinds none are all that there are */
export function defaultsOfCrds(source: string, texts: readonly string[], kinds: readonly string[] = []): ApiDefaults {
  const documents = texts
    .flatMap((text) => parseAllDocuments(text.replaceAll(/^\s*\{\{.*\}\}$/gm, '')))
    .map((document) => document.toJS() as unknown)
    .filter((one) => textAt(one, 'kind') === 'CustomResourceDefinition')
  return Object.fromEntries(
    documents.flatMap((crd) => {
      const kind = textAt(crd, 'spec.names.kind') ?? ''
      if (kinds.length > 0 && !kinds.includes(kind)) return []
      const stored = listAt(crd, 'spec.versions').find((one) => dig(one, 'storage') === true)
      const found = defaultsIn(dig(stored, 'schema.openAPIV3Schema.properties.spec'), ['spec']).filter(
        ([path]) => !ofPods.test(path),
      )
      return [[`${kind}.${textAt(crd, 'spec.group')}`, { source, defaults: Object.fromEntries(found) }]]
    }),
  )
}

if (import.meta.main) {
  const parts = process.argv.slice(2).join('\n').split('\n--\n')
  const all = parts.map((part): ApiDefaults => {
    const [kinds = '', source = '', ...files] = part.split('\n')
    return defaultsOfCrds(
      source,
      files.map((file) => readFileSync(file, 'utf8')),
      kinds.split(','),
    )
  })
  const sorted = Object.entries(Object.assign({}, ...all) as ApiDefaults).sort(([a], [b]) => a.localeCompare(b))
  const file = join(import.meta.dirname, '../fixtures/api-defaults.json')
  writeFileSync(file, `${JSON.stringify(Object.fromEntries(sorted), null, 1)}\n`)
}
