/**
 * `volsync restore`: an application stands still, its volume is written from the repository, and it comes back with the replicas that it had.
 * What it had stands on the workloads themselves, so that whoever comes after a crash can bring it back (`--abort`, from any machine).
 */
import { GateError } from '../errors.ts'
import { destinationArgs, type RestoreChoice } from '../tools/filters.args.ts'
import type { HoldNote } from '../tools/kubectl-hold.args.ts'
import {
  applyInArgs,
  deleteDestinationArgs,
  getSourceArgs,
  noteRestoreArgs,
  type Place,
  type Workload,
} from '../tools/kubectl-volsync.args.ts'
import type { Basis, Plan, Step } from '../types.ts'
import { backupRunbook } from './backup-status.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldableView } from './flux-choice.ts'
import { type HoldPlace, heldByOthers, holdSteps, releaseSteps } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'
import { frame, heldBy, parkStep, readyAgain, unparkStep, written } from './parked-workloads.ts'
import { lockOf, syncedCheck } from './volsync-sync.ts'
import type { Parked, SourceView } from './volsync-view.ts'

export const restoreOperation = 'volsync.restore'

/** Whether a restore of that application has taken the hold. */
export const isForRestore = ({ id, scope }: Pick<HoldNote, 'id' | 'scope'>, { name }: Place): boolean =>
  id.startsWith(`${restoreOperation}/`) && scope === lockOf(name)

export const destinationOf = ({ namespace, name }: Place): Place => ({ namespace, name: `${name}-manual` })

export interface Limits {
  /** How long the mover may take (seconds). */
  restoreSec: number
  /** How long pods may take to leave, and to be ready again. */
  podsSec: number
}

export interface RestoreInput extends HoldPlace {
  source: SourceView
  choice: RestoreChoice
  /** Its id is also that of the restore. */
  note: HoldNote
  /** Of Flux: what would bring the application back. */
  objects: HoldableView[]
  /** Who mounts the claim. */
  workloads: Workload[]
  /** How long it should take; undefined where the claim's size is not known. */
  expectSec: number | undefined
  limits: Limits
  /** Also where somebody else holds something of it. */
  force: boolean
}

/**
 * What is suspended already stays so, before and after. Every step up to the restore itself is done once the ReplicationSource says that the
 * volume was written: a run that goes on after that must not stop the application once more, let alone write its volume again.
 * @throws GateError for what somebody else holds
 */
export function planRestore(input: RestoreInput, basis: Basis): Plan {
  const { cluster, target, source, choice, note, workloads, limits, force } = input
  const foreign = input.objects.filter(({ hold }) => hold !== null && hold.owner !== note.owner)
  if (foreign.length > 0 && !force) throw heldByOthers(foreign)
  const objects = input.objects.filter(({ suspended, suspendInGit }) => !suspended && suspendInGit !== true)
  const place = { namespace: source.namespace, name: source.name }
  const id = `${place.namespace}.${place.name}`
  const noted = check('volsync-restore-noted', { ...place, token: note.id })
  const before = (steps: Step[]): Step[] => steps.map((step) => ({ ...step, orUnless: [noted] }))
  const destination = destinationOf(place)
  const proven = check('volsync-restore-proven', { ...place, at: note.since })
  const params = {
    source: `${place.namespace}/${place.name}`,
    claim: source.claim,
    token: note.id,
    at: choice.at ?? null,
    previous: choice.previous,
    reason: note.reason,
    by: note.owner,
    workloads: workloads.map(({ kind, name, replicas }) => ({ kind, name, replicas })),
  }
  const head = { operation: restoreOperation, cluster: cluster.name, params, scope: lockOf(source.name) }
  return planOf(head, basis, [
    ...before([
      ...holdSteps(input, objects),
      ...workloads.map((workload) => parkStep(input, workload, note.id)),
      // Once there is a mover, it is the mover that uses the volume.
      {
        ...unusedStep(source, limits),
        unless: [check('volsync-destination-present', { ...destination, token: note.id })],
      },
      restoreStep(input, destination),
    ]),
    written(input, `${id}/note`, 'Write down that its volume was written', {
      command: noteRestoreArgs(target.context, place, { by: note.id }),
      done: noted,
    }),
    deleteStep(input, destination),
    ...workloads.map((workload) => unparkStep(input, { by: note.id, workload })),
    ...releaseSteps(input, objects.map(heldBy(note)), 'release'),
    ...readyAgain(workloads, objects, limits.podsSec),
    written(input, `${id}/proven`, 'Write down that the application was Ready on what was restored', {
      command: noteRestoreArgs(target.context, place, { at: note.since }),
      done: proven,
    }),
  ])
}

export interface AbortInput extends HoldPlace {
  source: SourceView
  /** Its ReplicationDestination is there. */
  writing: boolean
  parked: Parked[]
  /** What restores have suspended. */
  held: HoldableView[]
  limits: Limits
}

/**
 * `volsync restore --abort`: the mover ends, the application comes back on whatever the volume holds.
 * @throws GateError when no restore has left anything
 */
export function planAbort(input: AbortInput, basis: Basis): Plan {
  const { cluster, source, writing, parked, held, limits } = input
  const place = { namespace: source.namespace, name: source.name }
  if (!writing && parked.length === 0 && held.length === 0)
    throw new GateError(`no restore of ${place.namespace}/${place.name} is under way`, {
      next: 'k8sops volsync list',
      runbook: backupRunbook,
    })
  const workloads = parked.map(({ workload }) => workload)
  const params = {
    source: `${place.namespace}/${place.name}`,
    of: [...new Set([...parked.map(({ by }) => by), ...held.flatMap(({ hold }) => hold?.id ?? [])])],
    writing,
    workloads: workloads.map(({ kind, name, replicas }) => ({ kind, name, replicas })),
  }
  const head = { operation: 'volsync.abort', cluster: cluster.name, params, scope: lockOf(source.name) }
  return planOf(head, basis, [
    deleteStep(input, destinationOf(place)),
    // The mover is no workload of the application: it has to be gone before pods of the application come.
    ...(parked.length > 0 ? [unusedStep(source, limits)] : []),
    ...parked.map((one) => unparkStep(input, one)),
    ...releaseSteps(input, held, 'release'),
    ...readyAgain(workloads, held, limits.podsSec),
  ])
}

const unusedStep = ({ namespace, name, claim }: SourceView, { podsSec }: Limits): Step => ({
  ...frame(`${namespace}.${name}/detach`, `Wait until nothing uses volume ${namespace}/${claim}`, podsSec),
  action: { kind: 'wait' },
  verify: [check('claim-unused', { namespace, claim })],
})

function restoreStep(input: RestoreInput, destination: Place): Step {
  const { cluster, target, source, choice, note, expectSec, limits } = input
  const place = { namespace: source.namespace, name: source.name }
  const done = syncedCheck('ReplicationDestination', destination, note.id, String(expectSec ?? ''))
  return {
    ...frame(
      `${place.namespace}.${place.name}/restore`,
      `Overwrite volume ${place.namespace}/${source.claim} with ${choiceText(choice)}`,
      limits.restoreSec,
    ),
    unless: [done],
    action: {
      kind: 'exec',
      pipeline: [
        getSourceArgs(target.context, place),
        destinationArgs(destination.name, note.id, choice),
        applyInArgs(target.context, destination.namespace),
      ],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: [done],
  }
}

export function choiceText({ at, previous }: RestoreChoice): string {
  const from = at === undefined ? 'the newest snapshot' : `the newest snapshot that is not younger than ${at}`
  return previous > 0 ? `the one ${previous} before ${from}` : from
}

const deleteStep = (place: HoldPlace, destination: Place): Step =>
  written(
    place,
    `${destination.namespace}.${destination.name}/delete`,
    `Delete ReplicationDestination ${destination.namespace}/${destination.name}`,
    {
      command: deleteDestinationArgs(place.target.context, destination),
      done: check('volsync-destination-absent', { ...destination }),
    },
  )
