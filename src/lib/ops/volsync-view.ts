/** VolSync's objects, and who uses the volumes that they copy, as plans and tables need them. Pure. */
import { UsageError } from '../errors.ts'
import { type Place, parkedKeys, type Workload } from '../tools/kubectl-volsync.args.ts'
import type { Json, KubeObject } from '../types.ts'
import { placeOf } from './backup-facts.ts'
import { lastLine } from './backup-status.ts'

export interface SourceView extends Place {
  claim: string
  schedule: string | null
  /** Secret of restic's repository. */
  repository: string
  /** `namespace/name` of the Kustomization that applies it. */
  owner: string | null
  /** RFC 3339, and what the mover said then. */
  lastSync?: string
  lastLogs?: string
}

export function sourceView({ metadata, spec = {}, status }: KubeObject): SourceView {
  const { schedule } = (spec.trigger ?? {}) as { schedule?: string }
  const { repository = '' } = (spec.restic ?? {}) as { repository?: string }
  const { lastSyncTime, latestMoverStatus } = (status ?? {}) as SyncStatus
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    claim: String(spec.sourcePVC ?? ''),
    schedule: schedule ?? null,
    repository,
    owner: fluxOwner(metadata.labels ?? {}, 'kustomize'),
    ...(lastSyncTime ? { lastSync: lastSyncTime } : {}),
    ...(latestMoverStatus?.logs ? { lastLogs: latestMoverStatus.logs } : {}),
  }
}

/** By the labels that Flux' controllers set on what they apply. */
export function fluxOwner(labels: Record<string, string>, controller: 'kustomize' | 'helm'): string | null {
  const name = labels[`${controller}.toolkit.fluxcd.io/name`]
  return name ? `${labels[`${controller}.toolkit.fluxcd.io/namespace`] ?? ''}/${name}` : null
}

/**
 * The ReplicationSource of an application: by its name, or as `namespace/name` where several namespaces have one.
 * @throws UsageError for names that fit none, or several
 */
export function chosenSource(sources: KubeObject[], app: string): KubeObject {
  const found = sources.filter((one) => one.metadata.name === app || placeOf(one) === app)
  if (found.length === 1 && found[0]) return found[0]
  if (found.length > 1)
    throw new UsageError(`${app} is ambiguous: ${found.map(placeOf).join(', ')}`, { next: 'give it as NAMESPACE/APP' })
  throw new UsageError(`the cluster has no ReplicationSource ${app}`, {
    next: sources.length > 0 ? `there are: ${sources.map(placeOf).join(', ')}` : 'k8sops backup status',
  })
}

interface PodTemplate {
  spec?: { volumes?: { persistentVolumeClaim?: { claimName?: string } }[] }
}

/** Whether the pods of a Deployment or StatefulSet mount a claim of their namespace. */
export function usesClaim({ metadata, spec = {} }: KubeObject, claim: string): boolean {
  const volumes = ((spec.template ?? {}) as PodTemplate).spec?.volumes ?? []
  if (volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === claim)) return true
  const templates = (spec.volumeClaimTemplates ?? []) as { metadata: { name: string } }[]
  return templates.some((template) => {
    const stem = `${template.metadata.name}-${metadata.name}-`
    return claim.startsWith(stem) && /^\d+$/.test(claim.slice(stem.length))
  })
}

/** What keeps a workload as it is (an operator's custom resource), and would undo that it is stopped; undefined without one. */
export function keeperOf({ metadata }: KubeObject): string | undefined {
  const { ownerReferences = [] } = metadata as {
    ownerReferences?: { kind: string; name: string; controller?: boolean }[]
  }
  const keeper = ownerReferences.find(({ controller }) => controller === true)
  return keeper && `${keeper.kind} ${keeper.name}`
}

/** @param kind items of a list do not say it */
export function workloadView(kind: Workload['kind'], { metadata, spec }: KubeObject): Workload {
  return { kind, namespace: metadata.namespace ?? '', name: metadata.name, replicas: Number(spec?.replicas ?? 1) }
}

export interface Parked {
  by: string
  /** With the replicas that it had. */
  workload: Workload
}

/** What a restore has scaled to 0 and not brought back. */
export function parkedView(kind: Workload['kind'], object: KubeObject): Parked | undefined {
  const annotations = object.metadata.annotations ?? {}
  const by = annotations[parkedKeys.by]
  if (!by) return undefined
  const replicas = Number(annotations[parkedKeys.replicas])
  // A note that somebody damaged must not keep the application at 0 for ever.
  return { by, workload: { ...workloadView(kind, object), replicas: Number.isInteger(replicas) ? replicas : 1 } }
}

interface SyncStatus {
  lastSyncTime?: string
  lastSyncStartTime?: string
  lastSyncDuration?: string
  latestMoverStatus?: { result?: string; logs?: string }
}

/** A row of `volsync list`. */
export function replicationRow(cluster: string, object: KubeObject): { [key: string]: Json } {
  const { kind, metadata, spec = {}, status = {} } = object
  const { lastSyncTime, lastSyncStartTime, lastSyncDuration, latestMoverStatus } = status as SyncStatus
  const restic = (spec.restic ?? {}) as { repository?: string; destinationPVC?: string }
  const trigger = (spec.trigger ?? {}) as { schedule?: string; manual?: string }
  const failed = latestMoverStatus?.result === 'Failed'
  const state = spec.paused === true ? 'paused' : lastSyncStartTime ? 'running' : lastSyncTime ? 'idle' : 'new'
  return {
    cluster,
    kind,
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    claim: String(spec.sourcePVC ?? restic.destinationPVC ?? ''),
    state: failed ? 'failed' : state,
    lastSync: lastSyncTime ?? null,
    took: lastSyncDuration ?? null,
    running: lastSyncStartTime ?? null,
    schedule: trigger.schedule ?? null,
    manual: trigger.manual ?? null,
    repository: restic.repository ?? null,
    mover: latestMoverStatus?.logs ? tellingLine(latestMoverStatus.logs) : null,
  }
}

/** A row of `volsync list` for what a restore has stopped, and that stands still. */
export function parkedRow(cluster: string, { by, workload }: Parked): { [key: string]: Json } {
  const { kind, namespace, name, replicas } = workload
  return {
    cluster,
    kind,
    namespace,
    name,
    claim: '',
    state: 'parked',
    lastSync: null,
    took: null,
    running: null,
    schedule: null,
    manual: null,
    repository: null,
    mover: `by ${by}; it had ${replicas}`,
  }
}

/** Which snapshot it was about; what it said last, where it does not say. */
const tellingLine = (logs: string): string =>
  logs
    .split('\n')
    .findLast((line) => /^(snapshot \w+ saved|restoring |No eligible)/.test(line.trim()))
    ?.trim() ?? lastLine(logs)
