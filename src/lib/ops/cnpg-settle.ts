/** `cnpg restore --settle`: Git names the archive of a database that was recovered, and Flux gets it back (ADR 0041). */
import { annotateDatabaseArgs } from '../tools/kubectl-cnpg.args.ts'
import { reconcileKey } from '../tools/kubectl-hold.args.ts'
import type { Place } from '../tools/kubectl-volsync.args.ts'
import type { Basis, Plan } from '../types.ts'
import { check } from './bootstrap-input.ts'
import { databaseLock, databaseStep } from './cnpg-restore.ts'
import type { HoldPlace } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'

export interface SettleInput extends HoldPlace {
  database: Place
  /** `serverName` of its archive, as it is live and in Git. */
  archive: string
  limitSec: number
}

export function planSettle({ cluster, target, database, archive, limitSec }: SettleInput, basis: Basis): Plan {
  const params = { database: `${database.namespace}/${database.name}`, archive }
  const head = { operation: 'cnpg.settle', cluster: cluster.name, params, scope: databaseLock(database) }
  return planOf(head, basis, [
    databaseStep({ cluster, database }, 'settle', `Let Flux apply ${`${database.namespace}/${database.name}`} again`, {
      pipeline: [annotateDatabaseArgs(target.context, database, { [reconcileKey]: null })],
      done: check('cnpg-applied-by-flux', { ...database, archive }),
      timeoutSec: limitSec,
    }),
  ])
}
