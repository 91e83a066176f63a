/** VolSync's operator: when a ReplicationSource or -Destination last synchronised, and that it does when it is asked to. No data move. */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { type Condition, nextConditions, now, statusHolds } from '../kube/conditions.ts'
import type { Lab } from '../types.ts'
import { type Operator, startOperator } from './operator.ts'

const apiVersion = 'volsync.backube/v1alpha1'
/** At pace 1. */
const syncSeconds = 8

interface SyncStatus {
  lastSyncTime?: string
  lastSyncStartTime?: string
  lastManualSync?: string
}

/** A schedule is not kept: it would fall into a rehearsal by chance. The first synchronisation and manual ones are played. */
export function startVolsync(lab: Lab, view: ClusterView): Operator {
  return startOperator(lab, view, {
    name: 'volsync',
    pod: { 'app.kubernetes.io/name': 'volsync' },
    kinds: [
      { apiVersion, kind: 'ReplicationSource', reconcile },
      { apiVersion, kind: 'ReplicationDestination', reconcile },
    ],
  })

  async function reconcile(replication: KubeObject): Promise<number | undefined> {
    const { trigger } = replication.spec as { trigger?: { manual?: string; schedule?: string } }
    const status = (replication.status ?? {}) as SyncStatus
    const asked = trigger?.manual !== undefined && trigger.manual !== status.lastManualSync
    if (!asked && status.lastSyncTime) return idle(replication, {})
    if (!status.lastSyncStartTime) {
      await write(
        replication,
        { lastSyncStartTime: now() },
        condition('True', 'SyncInProgress', 'Synchronization in-progress'),
      )
      return syncMs()
    }
    const begun = Date.parse(status.lastSyncStartTime)
    const leftMs = begun + syncMs() - Date.now()
    if (leftMs > 0) return leftMs
    return idle(replication, {
      lastSyncTime: now(),
      lastSyncStartTime: null,
      lastSyncDuration: `${((Date.now() - begun) / 1000).toFixed(3)}s`,
      ...(trigger?.manual === undefined ? {} : { lastManualSync: trigger.manual }),
      ...(replication.kind === 'ReplicationDestination' ? { latestImage: imageOf(replication) } : {}),
      latestMoverStatus: { result: 'Successful', logs: 'no data were moved: this is a lab' },
    })
  }

  async function idle(replication: KubeObject, details: { [key: string]: unknown }): Promise<undefined> {
    await write(
      replication,
      details,
      condition('False', 'WaitingForSchedule', 'Waiting for next scheduled synchronization'),
    )
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
}

/** The snapshot that a restore leaves, from which claims are filled (`volumes.ts` looks only whether it is named). */
const imageOf = ({ metadata }: KubeObject) => ({
  apiGroup: 'snapshot.storage.k8s.io',
  kind: 'VolumeSnapshot',
  name: `volsync-${metadata.name}-dest`,
})

const condition = (status: Condition['status'], reason: string, message: string): Condition => ({
  type: 'Synchronizing',
  status,
  reason,
  message,
})
