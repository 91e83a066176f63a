/** Flux objects as this repository uses them, read out of rendered manifests. */
import type { BuildSpec } from './build.ts'
import { dig, listAt, textAt } from './fields.ts'
import type { Manifest } from './manifests.ts'

export interface ObjectName {
  namespace: string
  name: string
}

/** `namespace/name`. */
export const nameOf = ({ namespace, name }: ObjectName): string => `${namespace}/${name}`

export interface SubstituteReference {
  kind: 'ConfigMap' | 'Secret'
  name: string
  optional: boolean
}

export interface FluxKustomization extends ObjectName {
  /** The file that declares it; undefined for the entry, which the FluxInstance makes. */
  file: string | undefined
  spec: BuildSpec
  sourceKind: string
  /** Reads another repository than this one: what it applies is not here. */
  isForeign: boolean
  dependsOn: string[]
  substitute: Record<string, string>
  substituteFrom: SubstituteReference[]
  commonMetadata: { labels?: Record<string, string>; annotations?: Record<string, string> }
  /** Name of the Kustomization whose path contains it; undefined for the entry. */
  parent: string | undefined
  /** `wait: true`: Ready only when everything it applies is. */
  waits: boolean
  suspended: boolean
  /** The whole spec as applied, for what is not listed. */
  raw: { [key: string]: unknown }
}

const fluxGroup = 'kustomize.toolkit.fluxcd.io/'

/** Told from kustomize's own kind of that name by its group. */
export const isFluxKustomization = ({ apiVersion, kind }: Manifest): boolean =>
  kind === 'Kustomization' && apiVersion.startsWith(fluxGroup)

interface RawSpec extends BuildSpec {
  sourceRef?: { kind?: string; name?: string; namespace?: string }
  postBuild?: { substitute?: Record<string, string> }
  commonMetadata?: FluxKustomization['commonMetadata']
  wait?: boolean
  suspend?: boolean
}

/** The cluster's own source is the one that the FluxInstance makes (flux-operator: named as its namespace). */
const isForeign = (reference: RawSpec['sourceRef'], namespace: string): boolean =>
  reference?.kind === 'GitRepository' &&
  `${reference.namespace ?? namespace}/${reference.name}` !== 'flux-system/flux-system'

/** Reads one Kustomization; `parent` is the one whose path it was found in. */
export function fluxKustomization(source: Manifest, parent: string): FluxKustomization {
  const object = source.object()
  const spec = (object.spec ?? {}) as unknown as RawSpec
  const namespace = object.metadata.namespace ?? 'flux-system'
  const from = listAt(spec, 'postBuild.substituteFrom')
  // What should be text may be anything in a file that nobody has checked yet; a path of that kind is one that is not there.
  const components = listAt(spec, 'components').map(String)
  return {
    namespace,
    name: object.metadata.name,
    file: source.file,
    spec: { ...spec, path: textAt(spec, 'path') ?? '', ...(spec.components === undefined ? {} : { components }) },
    sourceKind: spec.sourceRef?.kind ?? 'GitRepository',
    isForeign: isForeign(spec.sourceRef, namespace),
    dependsOn: listAt(spec, 'dependsOn').map(
      (other) => `${textAt(other, 'namespace') ?? namespace}/${textAt(other, 'name')}`,
    ),
    substitute: spec.postBuild?.substitute ?? {},
    substituteFrom: from.map((reference) => ({
      kind: textAt(reference, 'kind') === 'Secret' ? 'Secret' : 'ConfigMap',
      name: textAt(reference, 'name') ?? '',
      optional: dig(reference, 'optional') === true,
    })),
    commonMetadata: spec.commonMetadata ?? {},
    parent,
    waits: spec.wait ?? false,
    suspended: spec.suspend ?? false,
    raw: object.spec ?? {},
  }
}

/** The Kustomization that the FluxInstance's sync makes for a cluster: everything is reached from its path. */
export function entryKustomization(path: string): FluxKustomization {
  return {
    namespace: 'flux-system',
    name: 'flux-system',
    file: undefined,
    spec: { path },
    sourceKind: 'GitRepository',
    isForeign: false,
    dependsOn: [],
    substitute: {},
    substituteFrom: [],
    commonMetadata: {},
    parent: undefined,
    waits: false,
    suspended: false,
    raw: {},
  }
}
