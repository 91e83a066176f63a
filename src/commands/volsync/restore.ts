import { completeApp } from '../../lib/cli/app-option.ts'
import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { forOption, untilOf, wholeSeconds } from '../../lib/cli/hold-options.ts'
import { confirmOption } from '../../lib/cli/node-option.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { timeOption } from '../../lib/cli/time-option.ts'
import { GateError, UsageError } from '../../lib/errors.ts'
import { backupRunbook } from '../../lib/ops/backup-status.ts'
import { measuredSeconds } from '../../lib/ops/drill-choice.ts'
import { holdFacts } from '../../lib/ops/flux-hold.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { expectedSeconds } from '../../lib/ops/volsync-destination.ts'
import { destinationOf, planAbort, planRestore, restoreOperation } from '../../lib/ops/volsync-restore.ts'
import { lockOf } from '../../lib/ops/volsync-sync.ts'
import type { SourceView } from '../../lib/ops/volsync-view.ts'
import { recordKey } from '../../lib/tools/drill-record.args.ts'
import type { RestoreChoice } from '../../lib/tools/filters.args.ts'
import type { Plan } from '../../lib/types.ts'
import { readDrillRecords } from '../backup/observe.ts'
import { holdBasis, observeHoldable } from '../flux/holding.ts'
import { appArgument, observeCopy, observeSource, observeUsers, placeFacts, type Users } from './observe.ts'

export const volsyncRestore = defineCommand({
  path: 'volsync restore',
  summary: 'Bring a volume back to a snapshot of it, and its application with it',
  description:
    'Suspends what applies the application (a hold), scales it to 0 and writes on it how many replicas it had, waits until the volume is free, has VolSync write it, and brings everything back as it was. What the volume holds now is lost: save it first (`volsync snapshot`), and count with --previous from there. A run that is stopped goes on with `run resume`; --abort ends it from any machine and brings the application back with the replicas that it had, on what the volume holds then. With --to nothing is stopped and nothing is lost.',
  effect: 'write',
  args: appArgument,
  completeArgs: completeApp,
  options: [
    { flags: '--at <time>', description: 'the newest snapshot that is not younger than this (RFC 3339)' },
    { flags: '--previous <n>', description: 'so many snapshots before that one', default: '0' },
    { flags: '--to <namespace>', description: 'into a new claim of that namespace; the application goes on' },
    { flags: '--overwrite', description: 'what the volume holds now may go', default: false },
    { flags: '--abort', description: 'end a restore that did not come to its end', default: false },
    { flags: '--restore-timeout <duration>', description: 'how long VolSync may write', default: '4h' },
    {
      flags: '--pods-timeout <duration>',
      description: 'how long pods may take to leave and to be ready',
      default: '15m',
    },
    forOption('24h'),
    { flags: '--reason <text>', description: 'why; it stands on what is held', default: 'none given' },
    { flags: '--force', description: 'also where somebody else holds something of the application', default: false },
    confirmOption('the application'),
  ],
  examples: [
    'k8sops volsync restore odoo --previous 1 --cluster apps --dry-run',
    'k8sops volsync restore odoo --at 2026-11-30T06:00:00Z --overwrite --cluster apps',
    'k8sops volsync restore odoo --to drill --cluster apps',
    'k8sops volsync restore odoo --abort --cluster apps',
  ],
  runbook: backupRunbook,
  async plan(context) {
    if (textOption(context.options.to) !== undefined) return copy(context)
    const [source, seen] = await Promise.all([observeSource(context), observeHoldable(context)])
    const users = await observeUsers(context, source, seen.views)
    return context.options.abort === true ? abort(context, source, users) : restore(context, source, users)
  },
  confirm: ({ operation, cluster, params }) => {
    const source = String(params.source)
    if (operation === restoreOperation)
      return `What volume ${source.split('/')[0]}/${String(params.claim)} of ${cluster} holds now is lost for good.`
    return params.writing === true
      ? `A restore may have written a part of the volume of ${source} (${cluster}): its application starts on that. Go on?`
      : undefined
  },
  confirmName: ({ operation, params }) =>
    operation === restoreOperation ? String(params.source).split('/')[1] : undefined,
})

async function copy(context: CommandContext): Promise<Plan> {
  if (context.options.abort === true) throw new UsageError('--abort is about a restore in place: leave out --to')
  const [{ copyOperation, planCopy }, source] = await Promise.all([
    import('../../lib/ops/volsync-copy.ts'),
    observeSource(context),
  ])
  const to = String(context.options.to)
  const { size } = await observeCopy(context, source, to)
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const token = operationToken(copyOperation, new Date(context.now()))
  const basis = await holdBasis(context, { source: placeFacts(source), to, size })
  const [choice, limitSec] = [choiceOf(context), limitsOf(context).restoreSec]
  return planCopy(
    { cluster, target, source, to, choice, token, limitSec, expectSec: await expectedOf(context, source, size) },
    basis,
  )
}

/** As the last drill has measured it; until there is one, by the requirements' table. */
async function expectedOf(context: CommandContext, source: SourceView, size: string): Promise<number | undefined> {
  const [cluster, kube] = await Promise.all([context.cluster(), context.kube()])
  const records = await readDrillRecords(kube, cluster.name, context.signal)
  return measuredSeconds(records.get(recordKey(`${source.namespace}/${source.name}`)), size, expectedSeconds)
}

const limitsOf = ({ options }: CommandContext) => ({
  restoreSec: parseDurationSec(String(options.restoreTimeout)),
  podsSec: parseDurationSec(String(options.podsTimeout)),
})

async function restore(context: CommandContext, source: SourceView, users: Users): Promise<Plan> {
  const { options } = context
  const app = `${source.namespace}/${source.name}`
  const choice = choiceOf(context)
  const preview = options.dryRun === true || options.planOut !== undefined
  if (options.overwrite !== true && !preview)
    throw new UsageError(
      `what volume ${source.namespace}/${source.claim} holds now would be lost: --overwrite is missing`,
      {
        next: `see the plan first with --dry-run; save the volume first: k8sops volsync snapshot ${app}`,
      },
    )
  refuseUnfinished(source, users)
  if (users.kept.length > 0)
    throw new GateError(`an operator would start ${app} again in the middle`, {
      output: users.kept.join('\n'),
      next: `k8sops volsync restore ${app} --to NAMESPACE, and bring it over by hand`,
      runbook: backupRunbook,
    })
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const now = context.now()
  const note = {
    id: operationToken(restoreOperation, new Date(now)),
    owner: operatorName(),
    reason: `restore of ${app}: ${String(options.reason)}`,
    since: wholeSeconds(now),
    until: untilOf(options.for, now),
    scope: lockOf(source.name),
  }
  const { workloads, objects } = users
  const basis = await holdBasis(context, {
    objects: holdFacts(objects),
    workloads: workloads.map(({ kind, name, replicas }) => `${kind} ${name}: ${replicas}`),
    size: users.size,
  })
  return planRestore(
    {
      cluster,
      target,
      source,
      choice,
      note,
      objects,
      workloads,
      limits: limitsOf(context),
      expectSec: await expectedOf(context, source, users.size),
      force: options.force === true,
    },
    basis,
  )
}

/** @throws UsageError for a time that is none or yet to come, and for a count that is none */
function choiceOf({ options, now }: CommandContext): RestoreChoice {
  const previous = Number(options.previous)
  if (!Number.isInteger(previous) || previous < 0)
    throw new UsageError(`--previous ${String(options.previous)} is no number of snapshots`)
  const at = timeOption(options.at, '--at', now())
  return at === undefined ? { previous } : { at, previous }
}

/** @throws GateError: one restore would take the other's notes for its own */
function refuseUnfinished(source: SourceView, { parked, held, destinations }: Users): void {
  const { name } = destinationOf(source)
  const left = [
    ...parked.map(({ by, workload }) => `${workload.kind} ${workload.namespace}/${workload.name} is at 0 for ${by}`),
    ...held.map((view) => `${view.kind} ${view.namespace}/${view.name} is suspended for ${view.hold?.id}`),
    ...(destinations.some(({ metadata }) => metadata.name === name)
      ? [`ReplicationDestination ${source.namespace}/${name} is there`]
      : []),
  ]
  if (left.length === 0) return
  throw new GateError(`a restore of ${source.namespace}/${source.name}, or of its database, did not come to its end`, {
    output: left.join('\n'),
    next: `k8sops volsync restore ${source.namespace}/${source.name} --abort; on the machine where it ran also: k8sops run resume`,
    runbook: backupRunbook,
  })
}

async function abort(context: CommandContext, source: SourceView, users: Users): Promise<Plan> {
  const [cluster, target] = await Promise.all([context.cluster(), context.target()])
  const { held, destinations } = users
  // What the restore of a database has stopped comes back with that.
  const parked = users.parked.filter(({ by }) => by.startsWith(`${restoreOperation}/`))
  const writing = destinations.some(({ metadata }) => metadata.name === destinationOf(source).name)
  const basis = await holdBasis(context, { writing, objects: holdFacts(held) })
  return planAbort({ cluster, target, source, writing, parked, held, limits: limitsOf(context) }, basis)
}
