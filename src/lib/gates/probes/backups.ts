/** Probes of volumes that are saved and brought back. */
import type { KubeObject, KubePort, Verdict } from '../../types.ts'
import { oneLine, titleOf, valueAt } from '../conditions.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'

type BackupProbe = 'claim-unused' | 'volsync-synced'

interface SyncStatus {
  lastManualSync?: string
  lastSyncDuration?: string
  lastSyncStartTime?: string
  latestMoverStatus?: { result?: string; logs?: string }
}

export function backupProbes({ now }: GatePorts, kube: KubePort): Record<BackupProbe, Probe> {
  return {
    async 'volsync-synced'(
      { kind = '', namespace = '', name = '', token = '', expectSec = '' },
      signal,
    ): Promise<Verdict> {
      const read = await kube.list({ apiVersion: 'volsync.backube/v1alpha1', kind, namespace, name }, signal)
      if (!read.ok) return unreadable(read)
      const [object] = read.value
      if (!object) return waiting(`${kind} ${namespace}/${name} is not there`)
      const status = (object.status ?? {}) as SyncStatus
      if (status.lastManualSync === token) return synced(object, status)
      const { result, logs } = status.latestMoverStatus ?? {}
      // VolSync tries again by itself, for ever: whoever waits decides.
      const failed = result === 'Failed' ? `the mover failed, and is started again: ${lastLine(logs)}` : undefined
      const began = Date.parse(status.lastSyncStartTime ?? '')
      if (Number.isNaN(began)) return waiting(failed ?? `${titleOf(object)}: not begun yet`)
      const progress = progressText((now() - began) / 1000, Number(expectSec))
      return waiting(`${titleOf(object)}: ${failed ? `${failed}; ` : ''}${progress}`)
    },

    async 'claim-unused'({ namespace = '', claim = '' }, signal): Promise<Verdict> {
      const [pods, claims, attachments] = await Promise.all([
        kube.list({ apiVersion: 'v1', kind: 'Pod', namespace }, signal),
        kube.list({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name: claim }, signal),
        kube.list({ apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttachment' }, signal),
      ])
      if (!pods.ok || !claims.ok || !attachments.ok)
        return unreadable(...[pods, claims, attachments].filter((one) => !one.ok))
      const [object] = claims.value
      if (!object) return waiting(`PersistentVolumeClaim ${namespace}/${claim} is not there`)
      const users = pods.value.filter((pod) => mounts(pod, claim) && !isOver(pod)).map(titleOf)
      const volume = String(object.spec?.volumeName ?? '')
      const nodes = attachments.value
        .filter((one) => volume !== '' && valueAt(one, 'spec.source.persistentVolumeName') === volume)
        .map((one) => `volume ${volume} is attached to ${String(one.spec?.nodeName)}`)
      const lines = [...users.map((user) => `${user} uses it`), ...nodes]
      if (lines.length > 0) return { status: 'fail', detail: lines.join('; '), waitingFor: lines }
      return { status: 'pass', detail: `nothing uses ${namespace}/${claim}` }
    },
  }
}

/** A restore for which there is no snapshot ends well as well (VolSync 0.15, mover-restic/entry.sh), and has restored nothing. */
function synced(object: KubeObject, { latestMoverStatus, lastSyncDuration = '' }: SyncStatus): Verdict {
  const logs = latestMoverStatus?.logs ?? ''
  if (/No eligible snapshots found|No data will be restored/.test(logs))
    return {
      status: 'fail',
      detail: `${titleOf(object)}: no snapshot fits, nothing was restored`,
      final: true,
      next: 'k8sops volsync restore APP --abort; then with another --at or --previous',
    }
  const [restored = ''] = /restoring (?:<Snapshot|snapshot) [0-9a-f]+ of .*? at [^.>]+/.exec(logs) ?? []
  const what = restored.replace('<Snapshot', 'snapshot')
  return { status: 'pass', detail: [`${titleOf(object)}: ${lastSyncDuration}`, what].filter(Boolean).join(', ') }
}

export const waiting = (detail: string): Exclude<Verdict, { status: 'pass' }> => ({
  status: 'fail',
  detail,
  waitingFor: [detail],
})

const lastLine = (logs: string | undefined): string => oneLine(logs?.trimEnd().split('\n').at(-1)) || 'it said nothing'

/** @param expected seconds; NaN or 0 where nobody knows */
export function progressText(seconds: number, expected: number): string {
  const since = `for ${Math.max(0, Math.round(seconds))} s`
  if (!(expected > 0)) return since
  const left = Math.round(expected - seconds)
  return left > 0 ? `${since}, at most ${left} s left` : `${since}, ${-left} s longer than expected`
}

function mounts(pod: KubeObject, claim: string): boolean {
  const volumes = (pod.spec?.volumes ?? []) as { persistentVolumeClaim?: { claimName?: string } }[]
  return volumes.some(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName === claim)
}

export const isOver = ({ status }: KubeObject): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed'
