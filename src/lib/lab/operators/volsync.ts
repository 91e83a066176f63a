/**
 * VolSync's operator: when a ReplicationSource or -Destination last synchronised, that it does when it is asked to, and which snapshot a restore
 * takes. No data move: a claim says in an annotation what would be in its volume.
 */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { type Condition, nextConditions, now, statusHolds } from '../kube/conditions.ts'
import type { ActiveFault, Lab } from '../types.ts'
import { type Operator, readObject, readSecret, startOperator } from './operator.ts'
import { createRepositories, selectSnapshot } from './volsync-repositories.ts'

const apiVersion = 'volsync.backube/v1alpha1'
/** At pace 1. */
const syncSeconds = 8

/** On a claim: id of the snapshot that its volume holds, `partial` while one is written, `torn` when a pod had it meanwhile. */
export const contentKey = 'lab.k8sops.dev/content'

interface SyncStatus {
  lastSyncTime?: string
  lastSyncStartTime?: string
  lastManualSync?: string
  restic?: { lastUnlocked?: string }
}

interface Restic {
  repository?: string
  destinationPVC?: string
  previous?: number
  restoreAsOf?: string
  unlock?: string
}

/** A schedule is not kept: it would fall into a rehearsal by chance. The first synchronisation and manual ones are played. */
export function startVolsync(lab: Lab, view: ClusterView): Operator {
  const repositories = createRepositories()
  const operator = startOperator(lab, view, {
    name: 'volsync',
    pod: { 'app.kubernetes.io/name': 'volsync' },
    kinds: [
      { apiVersion, kind: 'ReplicationSource', reconcile },
      { apiVersion, kind: 'ReplicationDestination', reconcile },
    ],
  })
  /** Sources whose lock was removed since the fault came. */
  const unlocked = new Set<string>()
  const endWithFaults = lab.faults.onChange(() => {
    if (!lab.faults.active('repository-locked')) unlocked.clear()
    operator.again()
  })

  async function reconcile(replication: KubeObject): Promise<number | undefined> {
    const { trigger, paused } = replication.spec as { trigger?: { manual?: string }; paused?: boolean }
    const status = (replication.status ?? {}) as SyncStatus
    if (paused === true || replication.metadata.deletionTimestamp) return undefined
    const asked = trigger?.manual !== undefined && trigger.manual !== status.lastManualSync
    if (!status.lastSyncStartTime) {
      if (!asked && status.lastSyncTime) return idle(replication, trigger?.manual !== undefined)
      if (await waitsForVolume(replication)) return syncMs()
      await begin(replication)
      return syncMs()
    }
    const begun = Date.parse(status.lastSyncStartTime)
    const leftMs = begun + syncMs() - Date.now()
    if (leftMs > 0) return leftMs
    const failure = failureOf(replication, status)
    if (failure) {
      await write(replication, { latestMoverStatus: { result: 'Failed', logs: failure } }, syncing())
      return syncMs()
    }
    const isSource = replication.kind === 'ReplicationSource'
    const logs = isSource ? await saved(replication) : await restored(replication)
    const { unlock } = (replication.spec?.restic ?? {}) as Restic
    await write(
      replication,
      {
        lastSyncTime: now(),
        lastSyncStartTime: null,
        lastSyncDuration: `${((Date.now() - begun) / 1000).toFixed(3)}s`,
        lastManualSync: trigger?.manual ?? null,
        ...(isSource ? {} : { latestImage: imageOf(replication) }),
        ...(isSource && unlock !== undefined ? { restic: { lastUnlocked: unlock } } : {}),
        latestMoverStatus: { result: 'Successful', logs },
      },
      condition('False', 'CleaningUp', 'Cleaning up'),
    )
    return undefined
  }

  /** A volume that is filled from its backup first is not there before: nothing can be saved of it until then. */
  async function waitsForVolume({ kind, metadata, spec }: KubeObject): Promise<boolean> {
    if (kind !== 'ReplicationSource') return false
    const claim = await readObject(view, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      namespace: metadata.namespace ?? '',
      name: String(spec?.sourcePVC),
    })
    return claim !== undefined && claim.status?.phase !== 'Bound'
  }

  async function begin(replication: KubeObject): Promise<void> {
    await mark(replication, 'partial')
    await write(replication, { lastSyncStartTime: now() }, syncing())
  }

  /** What the mover says last when it fails; a fault without a name concerns every one. */
  function failureOf({ kind, metadata, spec }: KubeObject, { restic }: SyncStatus): string | undefined {
    const concerns = (fault: ActiveFault | undefined) =>
      fault !== undefined && [undefined, `${metadata.namespace}/${metadata.name}`].includes(fault.params?.name)
    const broken = lab.faults.active('mover-fails')
    if (concerns(broken)) return broken?.params?.message ?? 'Fatal: wrong password or no key found'
    const { unlock } = (spec?.restic ?? {}) as Restic
    if (unlock !== undefined && unlock !== restic?.lastUnlocked) unlocked.add(metadata.uid ?? '')
    const locked = concerns(lab.faults.active('repository-locked')) && !unlocked.has(metadata.uid ?? '')
    if (kind === 'ReplicationSource' && locked)
      return 'unable to create lock in backend: repository is already locked by PID 71 on volsync'
    return undefined
  }

  /** Where the repository is; a fixture's Secret need not be there. */
  async function repositoryOf({ metadata, spec }: KubeObject): Promise<string> {
    const { namespace = '' } = metadata
    const { repository = '' } = (spec?.restic ?? {}) as Restic
    const secret = await readSecret(view, namespace, repository)
    const where = secret?.data?.RESTIC_REPOSITORY
    return where === undefined ? `${namespace}/${repository}` : Buffer.from(where, 'base64').toString('utf8')
  }

  async function saved(source: KubeObject): Promise<string> {
    const { id } = repositories.save(await repositoryOf(source), source.status?.lastSyncTime)
    return `no data were moved: this is a lab\nprocessed 12 files, 1.500 MiB in 0:01\nsnapshot ${id} saved\nRestic completed in 1s`
  }

  async function restored(destination: KubeObject): Promise<string> {
    const repository = await repositoryOf(destination)
    if (lab.faults.active('earlier-backups')) repositories.inherit(repository)
    const snapshot = selectSnapshot(repositories.of(repository), (destination.spec?.restic ?? {}) as Restic)
    if (!snapshot) {
      await mark(destination, 'unchanged')
      return 'No eligible snapshots found\n=== No data will be restored ===\nRestic completed in 1s'
    }
    await mark(destination, snapshot.id)
    const at = new Date(snapshot.takenAt).toISOString()
    return `no data were moved: this is a lab\nrestoring snapshot ${snapshot.id} of [/data] at ${at} by volsync to .\nRestic completed in 1s`
  }

  /** Of a claim that is written in place. A volume that an application writes as well is neither's. */
  async function mark({ metadata, spec, kind }: KubeObject, content: string): Promise<void> {
    const { destinationPVC } = (spec?.restic ?? {}) as Restic
    if (kind !== 'ReplicationDestination' || destinationPVC === undefined) return
    const { namespace = '' } = metadata
    const claim = await readObject(view, {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      namespace,
      name: destinationPVC,
    })
    if (!claim) throw new Error(`claim ${namespace}/${destinationPVC} is not there`)
    const before = claim.metadata.annotations?.[contentKey]
    const used = view.runningPods().some((pod) => pod.metadata.namespace === namespace && mounts(pod, destinationPVC))
    const torn = used || (before === 'torn' && content !== 'partial')
    await view.writer().patch(claim, { metadata: { annotations: { [contentKey]: torn ? 'torn' : content } } })
  }

  async function idle(replication: KubeObject, manual: boolean): Promise<undefined> {
    const verdict = manual
      ? condition('False', 'WaitingForManual', 'Waiting for manual trigger')
      : condition('False', 'WaitingForSchedule', 'Waiting for next scheduled synchronization')
    await write(replication, {}, verdict)
    return undefined
  }

  async function write(
    replication: KubeObject,
    details: { [key: string]: unknown },
    verdict: Condition,
  ): Promise<void> {
    const wanted = { ...details, conditions: nextConditions(replication, [verdict]) }
    if (!statusHolds(replication, wanted)) await view.writer().patchStatus(replication, wanted)
  }

  function syncMs(): number {
    return Math.max(1_000, syncSeconds * 1000 * lab.spec.pace)
  }

  return {
    ...operator,
    stop() {
      endWithFaults()
      operator.stop()
    },
  }
}

/** The snapshot that a restore leaves, from which claims are filled (`volumes.ts` looks only whether it is named). */
const imageOf = ({ metadata }: KubeObject) => ({
  apiGroup: 'snapshot.storage.k8s.io',
  kind: 'VolumeSnapshot',
  name: `volsync-${metadata.name}-dest`,
})

function mounts({ spec }: KubeObject, claim: string): boolean {
  const volumes = (spec?.volumes ?? []) as { persistentVolumeClaim?: { claimName?: string } }[]
  return volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === claim)
}

const condition = (status: Condition['status'], reason: string, message: string): Condition => ({
  type: 'Synchronizing',
  status,
  reason,
  message,
})

const syncing = (): Condition => condition('True', 'SyncInProgress', 'Synchronization in-progress')
