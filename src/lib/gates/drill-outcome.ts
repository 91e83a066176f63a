/**
 * How a restore drill stands: the restore, then what was started on the restored volume. Everything that it can come to is an answer, also that
 * it does not come to an end in time: whoever waits for it goes on, writes it down and removes what was made. Pure.
 */
import type { Condition, KubeObject } from '../types.ts'
import { oneLine } from './conditions.ts'

export interface DrillLimits {
  /** How long the mover may take (seconds). */
  restoreSec: number
  /** How long the application, or its check, may take after that. */
  readySec: number
}

export interface DrillOutcome {
  /** Undefined while it is under way. */
  result?: 'ok' | 'failed'
  /** What is waited for, or how it ended. */
  detail: string
  /** Seconds that the mover took; undefined before it is through. */
  restoreSec?: number
  /** Seconds from the start of the application until it was Ready, or its check was through. */
  readySec?: number
  /** As restic names it, eight digits. */
  snapshot?: string
}

interface SyncStatus {
  lastManualSync?: string
  latestMoverStatus?: { result?: string; logs?: string }
}

/**
 * @param destination the ReplicationDestination of the drill
 * @param now milliseconds since 1970
 * @returns `restored` false as long as there is nothing to start, also when there never will be
 */
export function restoreOutcome(
  destination: KubeObject | undefined,
  token: string,
  { restoreSec }: Pick<DrillLimits, 'restoreSec'>,
  now: number,
): DrillOutcome & { restored: boolean } {
  if (!destination) return { restored: false, detail: 'the restore has not begun' }
  const { lastManualSync, latestMoverStatus = {} } = (destination.status ?? {}) as SyncStatus
  const logs = latestMoverStatus.logs ?? ''
  const began = Date.parse(destination.metadata.creationTimestamp ?? '')
  const failed = (detail: string) => ({ restored: false, result: 'failed' as const, detail })
  if (lastManualSync === token) {
    // VolSync takes this for a restore that went well (0.15, mover-restic/entry.sh).
    if (/No eligible snapshots found|No data will be restored/.test(logs))
      return failed('there is no snapshot to restore')
    const ended = Date.parse(String(destination.status?.lastSyncTime ?? ''))
    const [, snapshot] = /restoring (?:<Snapshot|snapshot) ([0-9a-f]{8})/.exec(logs) ?? []
    return { restored: true, detail: 'restored', restoreSec: seconds(began, ended), ...(snapshot ? { snapshot } : {}) }
  }
  if (latestMoverStatus.result === 'Failed') return failed(`the mover failed: ${lastLine(logs)}`)
  if (now > began + restoreSec * 1000) return failed(`the mover was not through within ${restoreSec} s`)
  return { restored: false, detail: `the mover, which writes for ${seconds(began, now)} s` }
}

/** @param app the Pod that shall become Ready, or the Job that shall complete */
export function drillOutcome(
  destination: KubeObject | undefined,
  app: KubeObject | undefined,
  token: string,
  limits: DrillLimits,
  now: number,
): DrillOutcome {
  const { restored, ...restore } = restoreOutcome(destination, token, limits, now)
  if (!restored) return restore
  if (!app) return { ...restore, detail: 'nothing is started on it yet' }
  const conditions = (app.status?.conditions ?? []) as Condition[]
  const holds = (type: string) => conditions.find((one) => one.type === type && one.status === 'True')
  const began = Date.parse(app.metadata.creationTimestamp ?? '')
  const what = app.kind === 'Job' ? 'its check' : 'the application'
  const good = holds(app.kind === 'Job' ? 'Complete' : 'Ready')
  if (good) {
    const detail = app.kind === 'Job' ? 'its check is through on what was restored' : 'Ready on what was restored'
    return { ...restore, result: 'ok', detail, readySec: seconds(began, Date.parse(good.lastTransitionTime ?? '')) }
  }
  const bad = holds('Failed')
  if (bad || app.status?.phase === 'Failed')
    return { ...restore, result: 'failed', detail: `${what} failed${bad?.message ? `: ${oneLine(bad.message)}` : ''}` }
  if (now > began + limits.readySec * 1000)
    return {
      ...restore,
      result: 'failed',
      detail: `${what} was not ${app.kind === 'Job' ? 'through' : 'Ready'} within ${limits.readySec} s${waitingOf(app)}`,
    }
  return { ...restore, detail: `${what}, for ${seconds(began, now)} s${waitingOf(app)}` }
}

/** Why a container does not run: `ImagePullBackOff`. */
function waitingOf({ status }: KubeObject): string {
  const containers = (status?.containerStatuses ?? []) as { state?: { waiting?: { reason?: string } } }[]
  const reason = containers.flatMap(({ state }) => state?.waiting?.reason ?? [])[0]
  return reason ? ` (${reason})` : ''
}

/** Clocks of two machines may differ by more than it took. */
const seconds = (from: number, to: number): number => Math.max(0, Math.round((to - from) / 1000) || 0)

const lastLine = (logs: string): string => oneLine(logs.trimEnd().split('\n').at(-1)) || 'it said nothing'
