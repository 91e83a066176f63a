/**
 * CustomResourceDefinitions that stand in for a chart's or an operator's own. Names, scope, versions and columns are
 * facts from lab/crds/<group>.json; the schema is derived where lab/crds/schemas/ has one, else it takes anything.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Json } from '../../types.ts'
import { labDataDir } from './record.ts'
import { derivedSchema } from './schemas.ts'

type JsonObject = { [key: string]: Json }

interface CrdGroup {
  group: string
  /** Where the facts were read. */
  source: string
  kinds: CrdKind[]
}

interface CrdKind {
  kind: string
  plural: string
  scope: 'Namespaced' | 'Cluster'
  shortNames?: string[]
  categories?: string[]
  versions: CrdVersion[]
}

interface CrdVersion {
  name: string
  storage?: boolean
  served?: boolean
  /** Has a status subresource. */
  status?: boolean
  scale?: JsonObject
  columns?: JsonObject[]
}

/** How close a stand-in is to the real CRD. */
export type CrdFidelity = 'derived' | 'permissive'

export interface StandInCrd {
  name: string
  manifest: JsonObject
  fidelity: CrdFidelity
}

const groups = new Map<string, Promise<CrdGroup | undefined>>()

/** The facts of a group, or undefined when lab/crds has none. Throws when the file isn't JSON. */
function readGroup(group: string): Promise<CrdGroup | undefined> {
  const known = groups.get(group)
  if (known) return known
  const read = readJson<CrdGroup>(join(labDataDir(), 'crds', `${group}.json`))
  groups.set(group, read)
  return read
}

/**
 * Stand-ins for the CRDs named, in the order given; a name without facts is left out.
 * @param names `<plural>.<group>`
 * @param checked kinds whose objects are to be checked against a schema. The API server pays for every schema (with all
 *   of those in lab/crds it took 900 MB instead of 450), so only the kinds that a repository uses get one.
 */
export async function standInCrds(names: string[], checked: ReadonlySet<string>): Promise<StandInCrd[]> {
  const found = await Promise.all(names.map((name) => standInCrd(name, checked)))
  return found.filter((crd) => crd !== undefined)
}

/** Every CRD of a group, for the groups that an operator registers itself. */
export async function standInGroup(group: string, checked: ReadonlySet<string>): Promise<StandInCrd[]> {
  const facts = await readGroup(group)
  return standInCrds(
    (facts?.kinds ?? []).map(({ plural }) => `${plural}.${group}`),
    checked,
  )
}

async function standInCrd(name: string, checked: ReadonlySet<string>): Promise<StandInCrd | undefined> {
  const dot = name.indexOf('.')
  const [plural, group] = [name.slice(0, dot), name.slice(dot + 1)]
  const kind = (await readGroup(group))?.kinds.find((candidate) => candidate.plural === plural)
  if (!kind) return undefined
  const versions = checked.has(kind.kind) ? kind.versions : []
  const schemas = await Promise.all(versions.map((version) => derivedSchema(group, plural, version.name)))
  const fidelity: CrdFidelity = schemas.some(Boolean) ? 'derived' : 'permissive'
  const manifest: JsonObject = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name,
      annotations: {
        'lab.k8sops.dev/stand-in': fidelity,
        // The API server refuses CRDs of these groups without it; the real ones name their review there.
        ...(/(^|\.)(k8s|kubernetes)\.io$/.test(group)
          ? { 'api-approved.kubernetes.io': 'unapproved, a placeholder of the lab' }
          : {}),
      },
    },
    spec: {
      group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular: kind.kind.toLowerCase(),
        ...(kind.shortNames ? { shortNames: kind.shortNames } : {}),
        ...(kind.categories ? { categories: kind.categories } : {}),
      },
      scope: kind.scope,
      versions: kind.versions.map((version, index) => crdVersion(version, schemas[index])),
    },
  }
  return { name, manifest, fidelity }
}

function crdVersion(version: CrdVersion, schema: JsonObject | undefined): JsonObject {
  const subresources = {
    ...(version.status ? { status: {} } : {}),
    ...(version.scale ? { scale: version.scale } : {}),
  }
  return {
    name: version.name,
    served: version.served ?? true,
    storage: version.storage ?? false,
    schema: { openAPIV3Schema: schema ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
    ...(Object.keys(subresources).length > 0 ? { subresources } : {}),
    ...(version.columns ? { additionalPrinterColumns: version.columns } : {}),
  }
}

async function readJson<T>(file: string): Promise<T | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : (JSON.parse(text) as T)
}
