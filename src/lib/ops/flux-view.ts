/** Flux objects as tables and plans need them. Pure: one object in, one view out. */
import type { Condition, Json, KubeObject, ManagedFields, ObjectRef } from '../types.ts'
import { type Hold, holdOf } from './hold.ts'

export type FluxKind =
  | 'GitRepository'
  | 'OCIRepository'
  | 'HelmRepository'
  | 'HelmChart'
  | 'Bucket'
  | 'Kustomization'
  | 'HelmRelease'

const apiVersions: Record<FluxKind, string> = {
  GitRepository: 'source.toolkit.fluxcd.io/v1',
  OCIRepository: 'source.toolkit.fluxcd.io/v1',
  HelmRepository: 'source.toolkit.fluxcd.io/v1',
  HelmChart: 'source.toolkit.fluxcd.io/v1',
  Bucket: 'source.toolkit.fluxcd.io/v1',
  Kustomization: 'kustomize.toolkit.fluxcd.io/v1',
  HelmRelease: 'helm.toolkit.fluxcd.io/v2',
}
export const fluxKinds = Object.keys(apiVersions) as FluxKind[]

export const fluxRef = (kind: FluxKind): ObjectRef => ({ apiVersion: apiVersions[kind], kind })

/**
 * `failed`: it was tried and did not work. `waiting`: for a dependency, which is then the one to look at. `progressing`: nothing
 * is known yet of what is asked for now. Suspended objects keep the state that they were left in.
 */
export type FluxState = 'ready' | 'failed' | 'waiting' | 'progressing'

export interface ObjectId {
  kind: string
  namespace: string
  name: string
}

export interface FluxView extends ObjectId {
  kind: FluxKind
  state: FluxState
  suspended: boolean
  /** Of the Ready condition. */
  reason: string | null
  message: string | null
  /** Since when Ready is what it is (RFC 3339). */
  since: string | null
  /** What runs: an applied revision, a deployed chart version, a stored artifact. */
  revision: string | null
  /** What was tried last, where that is something else. */
  attempted: string | null
  /** Since when a source has its artifact (RFC 3339). */
  updatedAt: string | null
  /** What helm-controller did about failures, and what it has left. */
  remediation: string | null
  hold: Hold | null
  /** Who set `spec.suspend`, and when, as the API server recorded it. */
  suspendedBy: { manager: string; time: string | null } | null
  /** The value of `spec.suspend` that Git sets; null when Git leaves it open. Its Kustomization would set it back. */
  suspendInGit: boolean | null
  /** `namespace/name` of the Kustomization that applies it. */
  owner: string | null
  source: ObjectId | null
  /** `namespace/name`, of the same kind. */
  dependsOn: string[]
  /** In the repository, of a Kustomization. */
  path: string | null
  /** What a Kustomization has applied, of Flux' own kinds. */
  applied: ObjectId[]
}

interface Reference {
  kind?: string
  name: string
  namespace?: string
}

export function fluxView(object: KubeObject): FluxView {
  const { metadata, spec = {}, status = {} } = object
  const kind = object.kind as FluxKind
  const namespace = metadata.namespace ?? ''
  const ready = conditionOf(status, 'Ready')
  const suspended = spec.suspend === true
  const writer = metadata.managedFields?.find(setsSuspend)
  const byGit = metadata.managedFields?.some((entry) => entry.operation === 'Apply' && setsSuspend(entry))
  const labels = metadata.labels ?? {}
  const owner = labels['kustomize.toolkit.fluxcd.io/name']
  const artifact = status.artifact as { revision?: string; lastUpdateTime?: string } | undefined
  const revision = revisionOf(kind, status) ?? artifact?.revision ?? null
  const attempted = textOf(status.lastAttemptedRevision)
  return {
    kind,
    namespace,
    name: metadata.name,
    state: stateOf(object, ready),
    suspended,
    reason: ready?.reason ?? null,
    message: ready?.message ?? null,
    since: ready?.lastTransitionTime ?? null,
    revision,
    attempted: attempted === revision ? null : attempted,
    updatedAt: artifact?.lastUpdateTime ?? null,
    remediation: kind === 'HelmRelease' ? remediationOf(spec, status) : null,
    hold: holdOf(object) ?? null,
    suspendedBy: suspended && writer ? { manager: writer.manager ?? 'somebody', time: writer.time ?? null } : null,
    suspendInGit: byGit ? suspended : null,
    owner: owner ? `${labels['kustomize.toolkit.fluxcd.io/namespace'] ?? namespace}/${owner}` : null,
    source: sourceOf(kind, spec, namespace),
    dependsOn: ((spec.dependsOn ?? []) as Reference[]).map((other) => `${other.namespace ?? namespace}/${other.name}`),
    path: kind === 'Kustomization' ? textOf(spec.path) : null,
    applied: inventoryOf(status),
  }
}

/** Only what `fluxView` reads: a Kustomization's values and inventory are most of it. */
export function reducedFluxObject(object: KubeObject): KubeObject {
  const { managedFields = [], ...metadata } = object.metadata
  const writers = managedFields.filter(setsSuspend).map(({ manager, operation, time }) => ({
    manager,
    operation,
    time,
    fieldsV1: { 'f:spec': { 'f:suspend': {} } },
  }))
  const spec = { ...object.spec }
  for (const bulky of ['values', 'patches', 'postRenderers', 'healthChecks', 'healthCheckExprs', 'postBuild'])
    delete spec[bulky]
  const entries = (object.status?.inventory as { entries?: { id: string }[] } | undefined)?.entries ?? []
  const own = entries.filter(({ id }) => fluxEntry.test(id)).map(({ id }) => ({ id }))
  const status = { ...object.status, inventory: { entries: own } }
  const history = object.status?.history as unknown[] | undefined
  if (history) Object.assign(status, { history: history.slice(0, 2) })
  return { ...object, metadata: { ...metadata, managedFields: writers as ManagedFields[] }, spec, status }
}

export const nameOf = ({ namespace, name }: Pick<ObjectId, 'namespace' | 'name'>): string => `${namespace}/${name}`
export const idOf = ({ kind, namespace, name }: ObjectId): string => `${kind}/${namespace}/${name}`

/** `main@sha1:3f9c…` -> the commit; undefined for an artifact that is none. */
export const commitOf = (revision: string | null): string | undefined =>
  /sha1:([0-9a-f]{40})$/.exec(revision ?? '')?.[1]

/** `main@3f9c1a2`, `1.18.3`: what a person tells revisions apart by. */
export function shortRevision(revision: string | null): string {
  const [, label = '', digest = ''] = /^(?:(.*)@)?sha(?:1|256):([0-9a-f]+)$/.exec(revision ?? '') ?? []
  if (digest === '') return revision ?? ''
  if (!/sha1:/.test(revision ?? '') && label !== '') return label
  return `${label ? `${label}@` : ''}${digest.slice(0, 7)}`
}

const setsSuspend = (entry: ManagedFields): boolean => {
  const fields = entry.fieldsV1?.['f:spec'] as { [key: string]: unknown } | undefined
  return entry.subresource !== 'status' && fields?.['f:suspend'] !== undefined
}

const conditionOf = (status: { [key: string]: unknown }, type: string): Condition | undefined =>
  ((status.conditions ?? []) as Condition[]).find((condition) => condition.type === type)

const textOf = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

function stateOf({ metadata, spec, status }: KubeObject, ready: Condition | undefined): FluxState {
  // A HelmRepository of type oci has no status at all: it is only looked up (source-controller 1.8).
  if (!ready) return spec?.type === 'oci' ? 'ready' : 'progressing'
  if (ready.status === 'False') return ready.reason === 'DependencyNotReady' ? 'waiting' : 'failed'
  const { generation } = metadata
  // What was said of an older spec is no answer; a suspended one is not going to be looked at, and that is no change of it.
  if (spec?.suspend !== true && generation !== undefined && status?.observedGeneration !== generation)
    return 'progressing'
  return ready.status === 'True' ? 'ready' : 'progressing'
}

interface Snapshot {
  chartVersion?: string
  status?: string
  version?: number
}

function revisionOf(kind: FluxKind, status: { [key: string]: unknown }): string | null {
  if (kind === 'Kustomization') return textOf(status.lastAppliedRevision)
  if (kind !== 'HelmRelease') return null
  const history = (status.history ?? []) as Snapshot[]
  return history.find((one) => one.status === 'deployed')?.chartVersion ?? null
}

/** From helm-controller's own counters and conditions, not from its messages (helm-controller 1.6). */
function remediationOf(spec: { [key: string]: unknown }, status: { [key: string]: unknown }): string | null {
  const parts: string[] = []
  const remediated = conditionOf(status, 'Remediated')
  const [last, before] = (status.history ?? []) as Snapshot[]
  if (remediated?.reason === 'RollbackSucceeded')
    parts.push(`rolled back${last?.chartVersion ? ` to ${last.chartVersion}` : ''}`)
  else if (remediated?.reason === 'RollbackFailed') parts.push('rollback failed')
  else if (remediated?.reason?.startsWith('Uninstall')) parts.push('uninstalled')
  else if (last?.status === 'failed' && before?.status === 'deployed') parts.push(`release ${last.version} failed`)
  for (const action of ['install', 'upgrade'] as const) {
    const failures = Number(status[`${action}Failures`] ?? 0)
    if (failures === 0) continue
    const settings = spec[action] as { remediation?: { retries?: number }; strategy?: { name?: string } } | undefined
    const retries = settings?.remediation?.retries ?? 0
    const endless = settings?.strategy?.name === 'RetryOnFailure' || retries < 0
    parts.push(`${action} failed ${failures} x${endless ? ', is retried' : ` of ${retries + 1}`}`)
  }
  const stalled = conditionOf(status, 'Stalled')
  if (stalled?.status === 'True') parts.push(`given up (${stalled.reason ?? 'Stalled'})`)
  return parts.length === 0 ? null : parts.join(', ')
}

function sourceOf(kind: FluxKind, spec: { [key: string]: unknown }, namespace: string): ObjectId | null {
  const chart = (spec.chart as { spec?: { sourceRef?: Reference } } | undefined)?.spec
  const reference = (spec.sourceRef ?? spec.chartRef ?? chart?.sourceRef) as Reference | undefined
  if (!reference || (kind !== 'Kustomization' && kind !== 'HelmRelease' && kind !== 'HelmChart')) return null
  return { kind: reference.kind ?? 'GitRepository', namespace: reference.namespace ?? namespace, name: reference.name }
}

const fluxEntry = /_(?:kustomize|helm|source)\.toolkit\.fluxcd\.io_/

/** Entries are `<namespace>_<name>_<group>_<kind>`; no part of them has an underscore. */
function inventoryOf(status: { [key: string]: unknown }): ObjectId[] {
  const entries = (status.inventory as { entries?: { id: string }[] } | undefined)?.entries ?? []
  return entries
    .filter(({ id }) => fluxEntry.test(id))
    .map(({ id }) => {
      const [namespace = '', name = '', , kind = ''] = id.split('_')
      return { kind, namespace, name }
    })
}

export type FluxRow = { [key: string]: Json }
