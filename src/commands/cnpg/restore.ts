import { completeDatabase } from '../../lib/cli/app-option.ts'
import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { forOption, untilOf, wholeSeconds } from '../../lib/cli/hold-options.ts'
import { confirmOption } from '../../lib/cli/node-option.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { timeOption } from '../../lib/cli/time-option.ts'
import { GateError, UsageError } from '../../lib/errors.ts'
import { placeOf } from '../../lib/ops/backup-facts.ts'
import { chosenDatabase, cnpgRunbook } from '../../lib/ops/cnpg.ts'
import { archiveName, archiveOf, type Recovery, rehearsalName, unrecoverable } from '../../lib/ops/cnpg-recovery.ts'
import {
  cnpgRestoreOperation,
  databaseLock,
  planDatabaseAbort,
  planDatabaseRestore,
} from '../../lib/ops/cnpg-restore.ts'
import { planSettle } from '../../lib/ops/cnpg-settle.ts'
import { measuredSeconds } from '../../lib/ops/drill-choice.ts'
import { holdFacts } from '../../lib/ops/flux-hold.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { expectedSeconds } from '../../lib/ops/volsync-destination.ts'
import { recordKey } from '../../lib/tools/drill-record.args.ts'
import { restoreKeys } from '../../lib/tools/kubectl-volsync.args.ts'
import type { KubeObject, Plan } from '../../lib/types.ts'
import { readDrillRecords } from '../backup/observe.ts'
import { holdBasis, observeHoldable } from '../flux/holding.ts'
import { archiveInGit, proposeArchive } from './archive-proposal.ts'
import { observeDatabase, type SeenDatabase } from './observe.ts'

export const cnpgRestore = defineCommand({
  path: 'cnpg restore',
  summary: 'Bring a database back to what its archive has, and its clients with it',
  description:
    'Recovers it beside itself first, from its barman-cloud archive: nothing is stopped until that is whole. Then what applies it and its clients is suspended (a hold), clients are scaled to 0 with a note of what they had, what it holds is saved once more, and a Cluster that is recovered from the same archive takes its place under the same name, with an archive of its own. What all its clients wrote after that time is lost to them. Flux leaves the new Cluster alone until Git names its archive: commit the edit that is proposed, then --settle. A run that is stopped goes on with `run resume`; --abort ends it from any machine: on the database before while that is there, on the recovered one afterwards.',
  effect: 'write',
  args: { database: 'name of the CloudNativePG Cluster, or NAMESPACE/NAME' },
  completeArgs: completeDatabase,
  options: [
    { flags: '--at <time>', description: 'back to this time (RFC 3339); without it to the end of the archive' },
    { flags: '--from <server>', description: 'archive that is read (default: the one that it writes)' },
    { flags: '--overwrite', description: 'what it holds now may go', default: false },
    { flags: '--abort', description: 'end a restore that did not come to its end', default: false },
    { flags: '--settle', description: 'Git names the new archive: let Flux apply the Cluster again', default: false },
    { flags: '--skip-save', description: 'do not save what it holds now; for one that is broken', default: false },
    { flags: '--recovery-timeout <duration>', description: 'how long a recovery or a backup may take', default: '4h' },
    {
      flags: '--pods-timeout <duration>',
      description: 'how long pods may take to leave and to be ready',
      default: '15m',
    },
    forOption('24h'),
    { flags: '--reason <text>', description: 'why; it stands on what is held', default: 'none given' },
    { flags: '--force', description: 'also where somebody else holds something of it', default: false },
    confirmOption('the database'),
  ],
  examples: [
    'k8sops cnpg restore postgres --at 2026-11-30T06:00:00Z --cluster apps --dry-run',
    'k8sops cnpg restore postgres --at 2026-11-30T06:00:00Z --overwrite --cluster apps',
    'k8sops cnpg restore postgres --abort --cluster apps',
    'k8sops cnpg restore postgres --settle --cluster apps',
  ],
  runbook: cnpgRunbook,
  async plan(context) {
    const { options } = context
    if (options.abort === true && options.settle === true)
      throw new UsageError('--abort and --settle exclude each other')
    const { views } = await observeHoldable(context)
    const seen = await observeDatabase(context, views)
    if (options.abort === true) return abort(context, seen)
    return options.settle === true ? settle(context, seen) : restore(context, seen)
  },
  confirm: ({ operation, cluster, params }) => {
    const database = String(params.database)
    if (operation === cnpgRestoreOperation) {
      const clients = (params.clients as { namespace: string; name: string }[]).map(
        ({ namespace, name }) => `${namespace}/${name}`,
      )
      const since = params.at === null ? 'after the end of its archive' : `after ${String(params.at)}`
      return `What ${clients.join(', ') || 'its clients'} wrote into ${database} of ${cluster} ${since} is lost to them.`
    }
    return operation === 'cnpg.abort' && params.state !== 'before'
      ? `${database} (${cluster}) is gone: its clients come back on what is recovered. Go on?`
      : undefined
  },
  confirmName: ({ operation, params }) =>
    operation === cnpgRestoreOperation ? String(params.database).split('/')[1] : undefined,
})

const limitsOf = ({ options }: CommandContext) => ({
  recoverySec: parseDurationSec(String(options.recoveryTimeout)),
  podsSec: parseDurationSec(String(options.podsTimeout)),
})

async function restore(context: CommandContext, seen: SeenDatabase): Promise<Plan> {
  const { options } = context
  const now = context.now()
  const { place, database, schedules, clients, objects } = seen
  refuseUnfinished(seen)
  if (!database) throw new UsageError(`the cluster has no PostgreSQL ${place.name}`)
  const preview = options.dryRun === true || options.planOut !== undefined
  const id = placeOf(database)
  if (options.overwrite !== true && !preview)
    throw new UsageError(`what ${id} holds now would go: --overwrite is missing`, {
      next: 'see the plan first with --dry-run',
    })
  const { schedule } = chosenDatabase([database], schedules, id)
  const recovery = recoveryIn(context, seen, database)
  await proposeArchive(context, place, recovery.archive)
  if (seen.kept.length > 0)
    context.note(`an operator keeps these as they are, they only lose their connections: ${seen.kept.join(', ')}`)
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const note = {
    id: recovery.token,
    owner: operatorName(),
    reason: `restore of ${id}: ${String(options.reason)}`,
    since: wholeSeconds(now),
    until: untilOf(options.for, now),
    scope: databaseLock(place),
  }
  const basis = await holdBasis(context, {
    objects: holdFacts(objects),
    clients: clients.map(({ kind, namespace, name, replicas }) => `${kind} ${namespace}/${name}: ${replicas}`),
  })
  return planDatabaseRestore(
    {
      cluster,
      target,
      database: place,
      recovery,
      note,
      objects,
      clients,
      schedule: schedule.metadata.name,
      save: options.skipSave !== true,
      expectSec: await expectedOf(context, database),
      limits: limitsOf(context),
      force: options.force === true,
    },
    basis,
  )
}

/** @throws GateError when the plugin knows that its archive does not go so far */
function recoveryIn(context: CommandContext, { stores }: SeenDatabase, database: KubeObject): Recovery {
  const at = timeOption(context.options.at, '--at', context.now())
  const { store: name, serverName } = archiveOf(database)
  const from = textOption(context.options.from) ?? serverName
  const store = stores.find((one) => placeOf(one) === `${database.metadata.namespace}/${name}`)
  const amiss = unrecoverable(store, from, at)
  if (amiss !== undefined)
    throw new GateError(`${placeOf(database)} can't be recovered from archive ${from}: ${amiss}`, {
      next: `k8sops cnpg backup ${placeOf(database)}; another archive: --from`,
      runbook: cnpgRunbook,
    })
  const began = new Date(context.now())
  const token = operationToken(cnpgRestoreOperation, began)
  const archive = archiveName(database.metadata.name, began)
  return { token, from, archive, ...(at === undefined ? {} : { at }) }
}

/** As the last recovery has measured it; until there was one, by the requirements' table. */
async function expectedOf(context: CommandContext, database: KubeObject): Promise<number | undefined> {
  const [cluster, kube] = await Promise.all([context.cluster(), context.kube()])
  const records = await readDrillRecords(kube, cluster.name, context.signal)
  const size = (database.spec?.storage as { size?: string } | undefined)?.size
  return measuredSeconds(records.get(recordKey(placeOf(database))), size, expectedSeconds)
}

/** @throws GateError: one restore would take the other's notes for its own */
function refuseUnfinished({ place, rehearsal, parked, held }: SeenDatabase): void {
  const left = [
    ...(rehearsal ? [`Cluster ${place.namespace}/${rehearsalName(place.name)} is there`] : []),
    ...parked.map(({ by, workload }) => `${workload.kind} ${workload.namespace}/${workload.name} is at 0 for ${by}`),
    ...held.map((view) => `${view.kind} ${view.namespace}/${view.name} is suspended for ${view.hold?.id}`),
  ]
  if (left.length === 0) return
  throw new GateError(
    `a restore of ${place.namespace}/${place.name} or of one of its clients did not come to its end`,
    {
      output: left.join('\n'),
      next: `k8sops cnpg restore ${place.namespace}/${place.name} --abort; on the machine where it ran also: k8sops run resume`,
      runbook: cnpgRunbook,
    },
  )
}

async function abort(context: CommandContext, seen: SeenDatabase): Promise<Plan> {
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const { place, database, recovery, schedules, held } = seen
  // What a restore of a volume has stopped comes back with that.
  const parked = seen.parked.filter(({ by }) => by.startsWith(`${cnpgRestoreOperation}/`))
  const made = recovery !== undefined && database?.metadata.annotations?.[restoreKeys.by] === recovery.token
  const state = database ? (made ? 'after' : 'before') : 'gone'
  const schedule = schedules.find(
    ({ metadata, spec }) =>
      metadata.namespace === place.namespace && (spec?.cluster as { name?: string } | undefined)?.name === place.name,
  )
  const basis = await holdBasis(context, { state, objects: holdFacts(held) })
  const expectSec = seen.rehearsal && (await expectedOf(context, seen.rehearsal))
  return planDatabaseAbort(
    {
      cluster,
      target,
      database: place,
      state,
      recovery,
      parked,
      held,
      limits: limitsOf(context),
      expectSec,
      schedule: schedule?.metadata.name ?? place.name,
    },
    basis,
  )
}

/** @throws GateError while Git would have the database write into another archive */
async function settle(context: CommandContext, seen: SeenDatabase): Promise<Plan> {
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const { place, database } = seen
  refuseUnfinished(seen)
  if (!database) throw new UsageError(`the cluster has no PostgreSQL ${place.name}`)
  const { serverName: archive } = archiveOf(database)
  const inGit = await archiveInGit(context, place)
  if (inGit !== archive) {
    await proposeArchive(context, place, archive)
    throw new GateError(`${placeOf(database)} archives as ${archive}, and Git says ${inGit ?? 'nothing of it'}`, {
      next: 'commit the edit above, then: k8sops cnpg restore --settle',
      runbook: cnpgRunbook,
    })
  }
  const basis = await holdBasis(context, { archive })
  return planSettle({ cluster, target, database: place, archive, limitSec: 60 }, basis)
}
