/** `cnpg switchover`: another instance of a PostgreSQL becomes its primary, on purpose. Pure. */
import { GateError, UsageError } from '../errors.ts'
import { promoteArgs } from '../tools/kubectl-cnpg.args.ts'
import type { Basis, KubeObject, Plan } from '../types.ts'
import { placeOf } from './backup-facts.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import { cnpgRunbook } from './cnpg.ts'
import type { HoldPlace } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'

interface InstancesStatus {
  currentPrimary?: string
  instanceNames?: string[]
  instancesStatus?: { healthy?: string[] }
}

export interface Switch {
  from: string
  to: string
}

/**
 * Who hands over to whom: to the named instance, else to the first healthy standby.
 * @throws UsageError for an instance that it does not have, GateError without a primary or a healthy standby
 */
export function chosenSwitch(database: KubeObject, wanted: string | undefined): Switch {
  const { currentPrimary: from, instanceNames = [], instancesStatus } = (database.status ?? {}) as InstancesStatus
  const healthy = instancesStatus?.healthy ?? []
  const amiss = { next: 'k8sops cnpg status', runbook: cnpgRunbook }
  if (!from) throw new GateError(`${placeOf(database)} has no primary that could hand over`, amiss)
  if (wanted !== undefined && !instanceNames.includes(wanted))
    throw new UsageError(`${placeOf(database)} has no instance ${wanted}`, {
      next: `its instances are: ${instanceNames.join(', ')}`,
    })
  const to = wanted ?? healthy.toSorted().find((name) => name !== from)
  if (to === undefined) throw new GateError(`${placeOf(database)} has no healthy standby`, amiss)
  if (to !== from && !healthy.includes(to)) throw new GateError(`instance ${to} is not healthy`, amiss)
  return { from, to }
}

export interface SwitchoverInput extends HoldPlace {
  database: { namespace: string; name: string }
  change: Switch
  /** When it was asked for (RFC 3339). */
  at: string
  limitSec: number
}

/** Only from a database that is whole: one that is switching over already, or lacks an instance, is waited for. */
export function planSwitchover(input: SwitchoverInput, basis: Basis): Plan {
  const { cluster, target, database, change, at, limitSec } = input
  const place = { ...database }
  const done = [check('cnpg-primary-is', { ...place, instance: change.to })]
  const params = { database: `${place.namespace}/${place.name}`, ...change }
  const head = { operation: 'cnpg.switchover', cluster: cluster.name, params, scope: `database/${place.name}` }
  return planOf(head, basis, [
    {
      id: `${place.namespace}.${place.name}/switch`,
      title: `Have ${change.to} take over from ${change.from} as the primary of ${place.namespace}/${place.name}`,
      unless: done,
      require: [check('cnpg-database-healthy', place)],
      action: {
        kind: 'exec',
        pipeline: [promoteArgs(target.context, place, change, at)],
        retry: whileApiIsAway(cluster.endpoint),
      },
      verify: done,
      interrupt: 'after',
      timeoutSec: limitSec,
      runbook: cnpgRunbook,
    },
  ])
}
