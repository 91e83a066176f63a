/** VolSync's operator: when a ReplicationSource last synchronised, and that it does when it is asked to. No data move. */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { type Condition, nextConditions, now, statusHolds } from '../kube/conditions.ts'
import type { Lab } from '../types.ts'
import { type Operator, startOperator } from './operator.ts'

const apiVersion = 'volsync.backube/v1alpha1'
/** At pace 1. */
const syncSeconds = 8

interface SourceStatus {
  lastSyncTime?: string
  lastSyncStartTime?: string
  lastManualSync?: string
}

/** A schedule is not kept: it would fall into a rehearsal by chance. The first synchronisation and manual ones are played. */
export function startVolsync(lab: Lab, view: ClusterView): Operator {
  return startOperator(lab, view, {
    name: 'volsync',
    pod: { 'app.kubernetes.io/name': 'volsync' },
    kinds: [{ apiVersion, kind: 'ReplicationSource', reconcile }],
    unplayed: [{ apiVersion, kind: 'ReplicationDestination' }],
  })

  async function reconcile(source: KubeObject): Promise<number | undefined> {
    const { trigger } = source.spec as { trigger?: { manual?: string; schedule?: string } }
    const status = (source.status ?? {}) as SourceStatus
    const asked = trigger?.manual !== undefined && trigger.manual !== status.lastManualSync
    if (!asked && status.lastSyncTime) return idle(source, {})
    if (!status.lastSyncStartTime) {
      await write(
        source,
        { lastSyncStartTime: now() },
        condition('True', 'SyncInProgress', 'Synchronization in-progress'),
      )
      return syncMs()
    }
    const begun = Date.parse(status.lastSyncStartTime)
    const leftMs = begun + syncMs() - Date.now()
    if (leftMs > 0) return leftMs
    return idle(source, {
      lastSyncTime: now(),
      lastSyncStartTime: null,
      lastSyncDuration: `${((Date.now() - begun) / 1000).toFixed(3)}s`,
      ...(trigger?.manual === undefined ? {} : { lastManualSync: trigger.manual }),
      latestMoverStatus: { result: 'Successful', logs: 'no data were moved: this is a lab' },
    })
  }

  async function idle(source: KubeObject, details: { [key: string]: unknown }): Promise<undefined> {
    await write(source, details, condition('False', 'WaitingForSchedule', 'Waiting for next scheduled synchronization'))
    return undefined
  }

  async function write(source: KubeObject, details: { [key: string]: unknown }, verdict: Condition): Promise<void> {
    const wanted = { ...details, conditions: nextConditions(source, [verdict]) }
    if (!statusHolds(source, wanted)) await view.writer().patchStatus(source, wanted)
  }

  function syncMs(): number {
    return Math.max(1_000, syncSeconds * 1000 * lab.spec.pace)
  }
}

const condition = (status: Condition['status'], reason: string, message: string): Condition => ({
  type: 'Synchronizing',
  status,
  reason,
  message,
})
