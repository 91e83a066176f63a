/** `volsync snapshot` and `volsync unlock`: a synchronisation of one volume, now. */
import type { Place } from '../tools/kubectl-volsync.args.ts'
import { scheduleAgainArgs, syncNowArgs } from '../tools/kubectl-volsync.args.ts'
import type { Basis, Check, Plan, Step } from '../types.ts'
import { backupRunbook } from './backup-status.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldPlace } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'
import type { SourceView } from './volsync-view.ts'

export interface SyncInput extends HoldPlace {
  source: SourceView
  /** VolSync repeats it in the status once it is through. */
  token: string
  /** Restic removes stale locks of the repository first. */
  unlock: boolean
  /** How long it may take. */
  limitSec: number
}

export function planSync({ cluster, target, source, token, unlock, limitSec }: SyncInput, basis: Basis): Plan {
  const { namespace, name, claim, schedule } = source
  const id = `${namespace}.${name}`
  const retry = whileApiIsAway(cluster.endpoint)
  const place = { namespace, name }
  const synced: Check[] = [
    syncedCheck('ReplicationSource', place, token, ''),
    ...(unlock ? [check('volsync-unlocked', { ...place, token })] : []),
  ]
  const what = unlock ? 'Remove stale locks of the repository, and save' : 'Save'
  const steps: Step[] = [
    {
      id: `${id}/sync`,
      title: `${what} volume ${namespace}/${claim} now`,
      unless: synced,
      // Given back already: it was answered before that.
      action: { kind: 'exec', pipeline: [syncNowArgs(target.context, place, token, unlock)], retry },
      verify: synced,
      interrupt: 'now',
      timeoutSec: limitSec,
      runbook: backupRunbook,
    },
  ]
  if (schedule !== null) {
    const again = [check('volsync-trigger-free', { ...place, token })]
    steps.push({
      id: `${id}/schedule`,
      title: `Let its schedule (${schedule}) count again`,
      unless: again,
      action: { kind: 'exec', pipeline: [scheduleAgainArgs(target.context, place, unlock)], retry },
      verify: again,
      interrupt: 'after',
      timeoutSec: 60,
      runbook: backupRunbook,
    })
  }
  const head = { operation: unlock ? 'volsync.unlock' : 'volsync.snapshot', cluster: cluster.name }
  return planOf({ ...head, params: { source: `${namespace}/${name}`, token }, scope: lockOf(name) }, basis, steps)
}

/** Of a hold on the same application (`flux suspend`): neither may begin in the middle of the other. */
export const lockOf = (app: string): string => `app/${app}`

/** @param expectSec how long it should take, for whoever waits; empty when nobody knows */
export const syncedCheck = (kind: string, place: Place, token: string, expectSec: string): Check =>
  check('volsync-synced', { kind, namespace: place.namespace, name: place.name, token, expectSec })
