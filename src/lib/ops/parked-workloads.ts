/** Workloads that stand still while their data are written, and come back with the replicas that they had: steps of restores. */
import type { HoldNote } from '../tools/kubectl-hold.args.ts'
import { parkArgs, unparkArgs, type Workload } from '../tools/kubectl-volsync.args.ts'
import type { Check, Command, Step } from '../types.ts'
import { backupRunbook } from './backup-status.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldableView } from './flux-choice.ts'
import { type HoldPlace, readySteps } from './flux-hold.ts'
import type { Parked } from './volsync-view.ts'

export const frame = (id: string, title: string, timeoutSec: number) => ({
  id,
  title,
  interrupt: 'now' as const,
  timeoutSec,
  runbook: backupRunbook,
})

/** One write, done when `done` holds. */
export function written(
  { cluster }: HoldPlace,
  id: string,
  title: string,
  { command, done }: { command: Command; done: Check },
): Step {
  const action = { kind: 'exec' as const, pipeline: [command], retry: whileApiIsAway(cluster.endpoint) }
  return { ...frame(id, title, 60), unless: [done], action, verify: [done] }
}

const idOf = ({ kind, namespace, name }: Workload): string => `${kind.toLowerCase()}.${namespace}.${name}`
const titleOf = ({ kind, namespace, name }: Workload): string => `${kind} ${namespace}/${name}`
const slotsOf = ({ kind, namespace, name }: Workload) => ({ kind, namespace, name })

export const parkStep = (place: HoldPlace, workload: Workload, by: string): Step => ({
  ...written(
    place,
    `${idOf(workload)}/stop`,
    `Scale ${titleOf(workload)} to 0, and write on it that it had ${workload.replicas}`,
    {
      command: parkArgs(place.target.context, workload, by),
      done: check('workload-parked', { ...slotsOf(workload), by }),
    },
  ),
  // What is written on it is what the plan saw.
  require: [check('workload-at', { ...slotsOf(workload), replicas: String(workload.replicas) })],
})

export const unparkStep = (place: HoldPlace, { by, workload }: Parked): Step =>
  written(place, `${idOf(workload)}/start`, `Scale ${titleOf(workload)} back to ${workload.replicas}`, {
    command: unparkArgs(place.target.context, workload),
    done: check('workload-unparked', { ...slotsOf(workload), by }),
  })

/** @param podsSec how long pods may take */
export function readyAgain(workloads: Workload[], objects: HoldableView[], podsSec: number): Step[] {
  const pods = workloads
    .filter(({ replicas }) => replicas > 0)
    .map(
      (workload): Step => ({
        ...frame(`${idOf(workload)}/ready`, `Wait until ${titleOf(workload)} is ready`, podsSec),
        action: { kind: 'wait' },
        verify: [check('workload-ready', slotsOf(workload))],
        group: 'ready',
      }),
    )
  return [...pods, ...readySteps(objects, podsSec)]
}

/** As it will be seen once it is held. */
export const heldBy =
  ({ id, owner, reason, since, until, scope }: HoldNote) =>
  (view: HoldableView): HoldableView => ({
    ...view,
    suspended: true,
    hold: { id, owner, reason, since, until, scope, detached: view.suspendInGit === false },
  })

/** Until its pods are gone. */
export const idleStep = (workload: Workload, podsSec: number): Step => ({
  ...frame(`${idOf(workload)}/idle`, `Wait until ${titleOf(workload)} has no pods`, podsSec),
  action: { kind: 'wait' },
  verify: [check('workload-idle', slotsOf(workload))],
  group: 'idle',
})
