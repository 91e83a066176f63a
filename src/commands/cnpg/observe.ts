/** What `cnpg restore` looks at. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { backupKinds, objectsOf, placeOf } from '../../lib/ops/backup-facts.ts'
import { chosenPlace, clientsOf, type DatabaseClients } from '../../lib/ops/cnpg-clients.ts'
import { type Recovery, recoveryOf, recoveryOfKey, rehearsalName } from '../../lib/ops/cnpg-recovery.ts'
import { isForDatabase } from '../../lib/ops/cnpg-restore.ts'
import { type HoldableView, isHoldable } from '../../lib/ops/flux-choice.ts'
import type { FluxView } from '../../lib/ops/flux-view.ts'
import type { Place } from '../../lib/tools/kubectl-volsync.args.ts'
import type { KubeObject, ObjectRef } from '../../lib/types.ts'

export interface SeenDatabase extends DatabaseClients {
  place: Place
  /** Undefined where a restore has deleted it. */
  database: KubeObject | undefined
  /** Beside it, while a restore is under way. */
  rehearsal: KubeObject | undefined
  recovery: Recovery | undefined
  schedules: KubeObject[]
  stores: KubeObject[]
  /** What restores of it have suspended. */
  held: HoldableView[]
}

const kinds = {
  clusters: backupKinds.databases,
  schedules: backupKinds.schedules,
  stores: { apiVersion: 'barmancloud.cnpg.io/v1', kind: 'ObjectStore' },
  databases: { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Database' },
  deployments: { apiVersion: 'apps/v1', kind: 'Deployment' },
  sets: { apiVersion: 'apps/v1', kind: 'StatefulSet' },
} as const satisfies Record<string, ObjectRef>

/** @param views of Flux */
export async function observeDatabase(context: CommandContext, views: FluxView[]): Promise<SeenDatabase> {
  const [cluster, kube] = await Promise.all([context.cluster(), context.kube()])
  const read = async (ref: ObjectRef) => objectsOf(await kube.list(ref, context.signal), cluster.name)
  const [clusters, schedules, stores, databases, deployments, sets] = await Promise.all([
    read(kinds.clusters),
    read(kinds.schedules),
    read(kinds.stores),
    read(kinds.databases),
    read(kinds.deployments),
    read(kinds.sets),
  ])
  const place = chosenPlace(clusters, context.args.database ?? '')
  const named = (name: string) => clusters.find((one) => placeOf(one) === `${place.namespace}/${name}`)
  const [database, rehearsal] = [named(place.name), named(rehearsalName(place.name))]
  const made = rehearsal?.metadata.annotations?.[recoveryOfKey] === undefined ? undefined : rehearsal
  const holdable = views.filter(isHoldable)
  const workloads = [...deployments, ...sets]
  return {
    place,
    database,
    rehearsal: made,
    recovery: made && recoveryOf(made),
    schedules: schedules,
    stores: stores,
    ...clientsOf({ place, database: database ?? made, databases: databases, workloads, views: holdable }),
    held: holdable.filter(({ hold }) => hold !== null && isForDatabase(hold, place)),
  }
}
