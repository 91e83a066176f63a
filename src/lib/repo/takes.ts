/**
 * Which Secrets and ConfigMaps an object takes from, told by its schema: a field whose definition has a name and a key selects one key
 * of a Secret, whatever it is called; one with a name alone does when the field's own name says so. Below what has no schema (values
 * of a chart) the shape of what stands there decides.
 */
import type { SchemaTable } from '../lab/charts/schemas.ts'
import { type Fields, isFields, type Path, textAt } from './fields.ts'
import { once } from './once.ts'
import { type SchemaTables, schemaFor } from './schema-tables.ts'

export interface Take {
  kind: 'Secret' | 'ConfigMap'
  /** undefined: it should name one, and does not. */
  name: string | undefined
  /** As it says itself; else the object's own. */
  namespace: string | undefined
  /** One key; without it all of them. */
  key: string | undefined
  path: Path
}

interface Referring {
  group: string
  apiVersion: string
  kind: string
  object: () => object
}

/** Fields of a reference, and none besides. */
const ofReference = new Set([
  'name',
  'key',
  'optional',
  'namespace',
  'items',
  'defaultMode',
  'secretName',
  'group',
  'kind',
])
/** Stores, templates and metadata have the word in their name only. */
const namesOne = /secret(?!store|template|metadata)|configmap/i
/** What a controller writes, and nobody reads from there; what is made on demand. */
const written: Record<string, RegExp> = {
  'Certificate.cert-manager.io': /^spec\.secretName$/,
  'ExternalSecret.external-secrets.io': /^spec\.target/,
}
const madeOnDemand = /^privateKeySecretRef$/
/** Texts that are names, although their field does not say so. */
const namedByText: Record<string, RegExp> = {
  'ReplicationSource.volsync.backube': /^spec\.(restic\.repository|rclone\.rcloneConfig)$/,
  'ReplicationDestination.volsync.backube': /^spec\.(restic\.repository|rclone\.rcloneConfig)$/,
}

/** What it takes; what it may do without (`optional: true`) is left out. */
export function takesOf(one: Referring, schemas: SchemaTables): Take[] {
  const found: Take[] = []
  const schema = schemaFor(schemas, one)
  const id = `${one.kind}.${one.group}`
  const add = (take: Take) => {
    if (!written[id]?.test(take.path.join('.'))) found.push({ ...take, path: [...take.path] })
  }
  // The path is put back as it was: most of what is looked at is nothing of interest.
  const below = (value: unknown, type: string | undefined, key: string | number, path: Path) => {
    path.push(key)
    walk(value, type, path)
    path.pop()
  }
  const walk = (value: unknown, type: string | undefined, path: Path): void => {
    if (Array.isArray(value)) {
      const inner = type?.startsWith('[]') ? type.slice(2) : undefined
      const field = String(path.findLast((key) => typeof key === 'string'))
      for (const [index, item] of value.entries()) {
        if (typeof item === 'string' && /^(secrets|configMaps)$/.test(field) && schema && path.length === 2)
          add({ kind: kindOf(field), name: item, namespace: undefined, key: undefined, path: [...path, index] })
        else below(item, inner, index, path)
      }
      return
    }
    if (typeof value === 'string') {
      const field = String(path.at(-1))
      const isName = /^(secretName|configMapName)$/.test(field) && type !== undefined && type !== 'any'
      if (isName || namedByText[id]?.test(path.join('.')))
        add({ kind: kindOf(field), name: value, namespace: undefined, key: undefined, path })
      return
    }
    if (!isFields(value)) return
    const fields = fieldsOf(schema?.table, type)
    const take = referenceIn(value, fields, path)
    if (take) {
      if (value.optional !== true) add(take)
      return
    }
    const ofEach = type?.startsWith('{}') ? type.slice(2) : undefined
    for (const key of Object.keys(value)) below(value[key], ofEach ?? fields?.[key] ?? fields?.[`${key}!`], key, path)
  }
  const { metadata: _, status: __, ...rest } = one.object() as { metadata?: unknown; status?: unknown }
  walk(rest, schema ? `#${schema.root}` : undefined, [])
  return found
}

const fieldsOf = (table: SchemaTable | undefined, type: string | undefined) =>
  type?.startsWith('#') ? table?.definitions[type.slice(1)] : undefined

const kindOf = (field: string): Take['kind'] => (/configmap/i.test(field) ? 'ConfigMap' : 'Secret')

const namesOf = once((fields: object) => Object.keys(fields).map((name) => name.replace(/!$/, '')))

function referenceIn(value: Fields, fields: Record<string, string> | undefined, path: Path): Take | undefined {
  const field = String(path.findLast((key) => typeof key === 'string') ?? '')
  const taken = (kind: Take['kind'], name: string | undefined): Take => ({
    kind,
    name,
    namespace: textAt(value, 'namespace'),
    path,
    key: textAt(value, 'key') ?? textAt(value, 'valuesKey'),
  })
  const stated = value.kind
  if ((stated === 'Secret' || stated === 'ConfigMap') && path.length > 0 && typeof value.name === 'string')
    return taken(stated, value.name)
  const names = namesOf(fields ?? value)
  const isReference =
    names.every((name) => ofReference.has(name)) && (names.includes('name') || names.includes('secretName'))
  // Without a schema a lone key is what is left of a reference that lost its name.
  const isLost = !fields && /[sS]ecret(Key)?Ref$|^configMap(Key)?Ref$/.test(field) && names.join() === 'key'
  if ((!isReference && !isLost) || (stated !== undefined && !/^certificateRefs$/.test(field))) return undefined
  const isKeyed = names.includes('name') && names.includes('key')
  if (madeOnDemand.test(field) || (!isKeyed && !isLost && !namesOne.test(field) && field !== 'certificateRefs'))
    return undefined
  return taken(kindOf(field), textAt(value, 'name') ?? textAt(value, 'secretName'))
}
