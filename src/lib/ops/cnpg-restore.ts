/**
 * `cnpg restore`: a database goes back to what its archive has. It is recovered beside itself first, which stops nothing and proves that it can be
 * done; only then do its clients stand still, and a Cluster that is recovered from the same archive takes its place under the same name.
 */
import { GateError } from '../errors.ts'
import { applyRecordArgs } from '../tools/drill-record.args.ts'
import { backupNowArgs, recoveryRecordArgs, rehearsalArgs, successorArgs } from '../tools/filters.args.ts'
import {
  annotateDatabaseArgs,
  deleteDatabaseArgs,
  getDatabaseArgs,
  getScheduleArgs,
  listDatabasesArgs,
} from '../tools/kubectl-cnpg.args.ts'
import type { HoldNote } from '../tools/kubectl-hold.args.ts'
import { applyInArgs, type Place, restoreKeys, type Workload } from '../tools/kubectl-volsync.args.ts'
import type { Basis, Check, Command, Plan, Step } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import { cnpgRunbook } from './cnpg.ts'
import { type Recovery, rehearsalName } from './cnpg-recovery.ts'
import type { HoldableView } from './flux-choice.ts'
import { type HoldPlace, heldByOthers, holdSteps, releaseSteps } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'
import { heldBy, idleStep, parkStep, readyAgain, unparkStep } from './parked-workloads.ts'
import type { Parked } from './volsync-view.ts'

export const cnpgRestoreOperation = 'cnpg.restore'

export const databaseLock = ({ name }: Place): string => `database/${name}`

/** Whether a restore of that database has taken the hold. */
export const isForDatabase = ({ id, scope }: Pick<HoldNote, 'id' | 'scope'>, place: Place): boolean =>
  id.startsWith(`${cnpgRestoreOperation}/`) && scope === databaseLock(place)

export interface DatabaseLimits {
  /** How long a recovery or a base backup may take, each (seconds). */
  recoverySec: number
  /** How long pods may take to leave, and to be ready again. */
  podsSec: number
}

export interface DatabaseRestoreInput extends HoldPlace {
  database: Place
  recovery: Recovery
  /** Its id is also that of the restore. */
  note: HoldNote
  /** Of Flux: what applies the database and its clients. */
  objects: HoldableView[]
  /** Who uses it. */
  clients: Workload[]
  /** Name of its ScheduledBackup, which says how base backups are made. */
  schedule: string
  /** What it holds is saved once more when nobody writes any more. */
  save: boolean
  /** How long a recovery should take; undefined when nobody knows. */
  expectSec: number | undefined
  limits: DatabaseLimits
  /** Also where somebody else holds something of it. */
  force: boolean
}

/**
 * Every step up to the new Cluster is done once that is there: a run that goes on must not stop the clients once more, let alone delete what was
 * recovered.
 * @throws GateError for what somebody else holds
 */
export function planDatabaseRestore(input: DatabaseRestoreInput, basis: Basis): Plan {
  const { cluster, database, recovery, note, clients, limits, force } = input
  const foreign = input.objects.filter(({ hold }) => hold !== null && hold.owner !== note.owner)
  if (foreign.length > 0 && !force) throw heldByOthers(foreign)
  const objects = input.objects.filter(({ suspended, suspendInGit }) => !suspended && suspendInGit !== true)
  const replaced = check('cnpg-restored-by', { ...database, token: note.id })
  // Nothing is made once more of what is over.
  const proven = check('cnpg-restore-proven', { ...database, at: note.since })
  const before = (steps: Step[]): Step[] => steps.map((step) => ({ ...step, orUnless: [replaced] }))
  const params = {
    database: `${database.namespace}/${database.name}`,
    token: note.id,
    at: recovery.at ?? null,
    from: recovery.from,
    archive: recovery.archive,
    reason: note.reason,
    by: note.owner,
    clients: clients.map(({ kind, namespace, name, replicas }) => ({ kind, namespace, name, replicas })),
  }
  const head = { operation: cnpgRestoreOperation, cluster: cluster.name, params, scope: databaseLock(database) }
  return planOf(head, basis, [
    ...before([
      rehearseStep(input),
      ...holdSteps(input, objects),
      ...clients.map((client) => parkStep(input, client, note.id)),
      ...clients.map((client) => idleStep(client, limits.podsSec)),
      ...(input.save
        ? [backupStep(input, 'save', 'Save what it holds now, which then is in the archive that it had')]
        : []),
      deleteStep(input, note.id),
    ]),
    ...[replaceStep(input, note.id), backupStep(input, 'backup', 'Make the first base backup of its new archive')].map(
      (one) => ({ ...one, orUnless: [proven] }),
    ),
    ...comeBack(input, {
      parked: clients.map((workload) => ({ by: note.id, workload })),
      held: objects.map(heldBy(note)),
    }),
    databaseStep(input, 'proven', 'Write down that its clients were Ready on what was recovered', {
      pipeline: [annotateDatabaseArgs(input.target.context, database, { [restoreKeys.at]: note.since })],
      done: proven,
    }),
    {
      ...databaseStep(input, 'record', 'Write down how long its recovery took', {
        pipeline: [
          listDatabasesArgs(input.target.context, database.namespace),
          recoveryRecordArgs(database.name, note.since),
          applyRecordArgs(input.target.context, placeText(database)),
        ],
        done: check('drill-recorded', { app: placeText(database), token: note.id }),
      }),
      // Nothing is left to measure.
      orUnless: [check('cnpg-database-absent', { ...besideOf(database) })],
    },
    forgetStep(input),
  ])
}

export interface DatabaseAbortInput extends HoldPlace {
  database: Place
  /** `before`: the database as it was; `after`: the one that takes its place, finished or not; `gone`: none. */
  state: 'before' | 'after' | 'gone'
  /** What the Cluster beside it says; undefined when there is none. */
  recovery: Recovery | undefined
  parked: Parked[]
  /** What restores of it have suspended. */
  held: HoldableView[]
  schedule: string
  expectSec: number | undefined
  limits: DatabaseLimits
}

/**
 * `cnpg restore --abort`: clients come back with the replicas that they had: on the database before as long as it is there, and on the one that was
 * recovered where it is gone already, which is the only one that there can be then.
 * @throws GateError when no restore has left anything, and when nothing is left to make the database from
 */
export function planDatabaseAbort(input: DatabaseAbortInput, basis: Basis): Plan {
  const { cluster, database, state, recovery, parked, held } = input
  const id = `${database.namespace}/${database.name}`
  if (!recovery && parked.length === 0 && held.length === 0)
    throw new GateError(`no restore of ${id} is under way`, { next: 'k8sops cnpg status', runbook: cnpgRunbook })
  if (state === 'gone' && !recovery)
    throw new GateError(`${id} is gone, and so is the Cluster beside it that says how it was`, {
      next: 'k8sops flux resume its Kustomization: Git has it; then cnpg restore',
      runbook: cnpgRunbook,
    })
  const params = {
    database: id,
    state,
    of: [...new Set([...parked.map(({ by }) => by), ...(recovery ? [recovery.token] : [])])],
    clients: parked.map(({ workload }) => ({ ...workload })),
  }
  const head = { operation: 'cnpg.abort', cluster: cluster.name, params, scope: databaseLock(database) }
  const forward =
    state === 'before' || !recovery
      ? []
      : [
          replaceStep(input, recovery.token),
          backupStep({ ...input, recovery }, 'backup', 'Make the first base backup of its new archive'),
        ]
  return planOf(head, basis, [...forward, ...comeBack(input, { parked, held }), forgetStep(input)])
}

interface Common extends HoldPlace {
  database: Place
  schedule: string
  expectSec: number | undefined
  limits: DatabaseLimits
}

const besideOf = ({ namespace, name }: Place): Place => ({ namespace, name: rehearsalName(name) })
const placeText = ({ namespace, name }: Place): string => `${namespace}/${name}`

export function databaseStep(
  { cluster, database }: Pick<Common, 'cluster' | 'database'>,
  verb: string,
  title: string,
  { pipeline, done, timeoutSec = 60 }: { pipeline: Command[]; done: Check; timeoutSec?: number },
): Step {
  return {
    id: `${database.namespace}.${database.name}/${verb}`,
    title,
    unless: [done],
    verify: [done],
    action: { kind: 'exec', pipeline, retry: whileApiIsAway(cluster.endpoint) },
    interrupt: 'now',
    timeoutSec,
    runbook: cnpgRunbook,
  }
}

export const recoveredCheck = (place: Place, token: string, expectSec: number | undefined): Check =>
  check('cnpg-recovered', { ...place, token, expectSec: String(expectSec ?? '') })

function rehearseStep({ cluster, target, database, recovery, expectSec, limits }: DatabaseRestoreInput): Step {
  const until = recovery.at === undefined ? 'the end of' : `${recovery.at} from`
  const title = `Recover ${placeText(database)} to ${until} archive ${recovery.from}, beside it: nothing is stopped yet`
  return databaseStep({ cluster, database }, 'rehearse', title, {
    pipeline: [
      getDatabaseArgs(target.context, database),
      rehearsalArgs(recovery),
      applyInArgs(target.context, database.namespace),
    ],
    done: recoveredCheck(besideOf(database), recovery.token, expectSec),
    timeoutSec: limits.recoverySec,
  })
}

/** Not before it has been seen that its archive can be recovered: from here there is no way back but through an archive. */
function deleteStep(
  { cluster, target, database, recovery, expectSec, limits }: DatabaseRestoreInput,
  token: string,
): Step {
  return {
    ...databaseStep({ cluster, database }, 'delete', `Delete ${placeText(database)}, its instances and their volumes`, {
      pipeline: [deleteDatabaseArgs(target.context, database)],
      done: check('cnpg-predecessor-gone', { ...database, token }),
      timeoutSec: limits.podsSec,
    }),
    require: [recoveredCheck(besideOf(database), recovery.token, expectSec)],
  }
}

/** Somebody else's Cluster of that name (Flux', when its hold was ended) is not made into ours. */
function replaceStep({ cluster, target, database, expectSec, limits }: Common, token: string): Step {
  const { context } = target
  return {
    ...databaseStep(
      { cluster, database },
      'replace',
      `Recover ${placeText(database)} in its place, with an archive of its own`,
      {
        pipeline: [
          getDatabaseArgs(context, besideOf(database)),
          successorArgs(database.name),
          applyInArgs(context, database.namespace),
        ],
        done: recoveredCheck(database, token, expectSec),
        timeoutSec: limits.recoverySec,
      },
    ),
    require: [check('cnpg-predecessor-gone', { ...database, token })],
  }
}

export function backupStep(
  { cluster, target, database, schedule, recovery, limits }: Common & { recovery: Recovery },
  verb: 'save' | 'backup',
  title: string,
): Step {
  const { namespace } = database
  const name = `${recovery.archive}-${verb}`
  return databaseStep({ cluster, database }, verb, title, {
    pipeline: [
      getScheduleArgs(target.context, namespace, schedule),
      backupNowArgs(name),
      applyInArgs(target.context, namespace),
    ],
    done: check('cnpg-backed-up', { namespace, name }),
    timeoutSec: limits.recoverySec,
  })
}

function comeBack(input: Common, { parked, held }: { parked: Parked[]; held: HoldableView[] }): Step[] {
  return [
    ...parked.map((one) => unparkStep(input, one)),
    ...releaseSteps(input, held, 'release'),
    ...readyAgain(
      parked.map(({ workload }) => workload),
      held,
      input.limits.podsSec,
    ),
  ]
}

const forgetStep = (input: Common): Step =>
  databaseStep(input, 'forget', `Delete ${placeText(besideOf(input.database))}`, {
    pipeline: [deleteDatabaseArgs(input.target.context, besideOf(input.database))],
    done: check('cnpg-database-absent', { ...besideOf(input.database) }),
    timeoutSec: input.limits.podsSec,
  })
