import { type CommandContext, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { wholeSeconds } from '../../lib/cli/hold-options.ts'
import { confirmOption } from '../../lib/cli/node-option.ts'
import { sourceOptions } from '../../lib/cli/source-options.ts'
import { timeOption } from '../../lib/cli/time-option.ts'
import { UsageError } from '../../lib/errors.ts'
import { placeOf } from '../../lib/ops/backup-facts.ts'
import { archiveName, archiveOf } from '../../lib/ops/cnpg-recovery.ts'
import { planRecovery, type RecoveryInput, recoveryOperation } from '../../lib/ops/dr.ts'
import type { DeclaredDatabase } from '../../lib/ops/dr-contents.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { recoveryRunbook, usedRefusal } from '../../lib/ops/used-machines.ts'
import { restoreKeys } from '../../lib/tools/kubectl-volsync.args.ts'
import { observeBootstrap } from '../bootstrap.ts'
import { proposeArchive } from '../cnpg/archive-proposal.ts'
import { recoveryFacts } from './needs.ts'
import { observeRecovery, type SeenRecovery } from './observe.ts'

export const drRun = defineCommand({
  path: 'dr run',
  summary: 'Make a cluster out of Git, its backups and 1Password',
  description:
    'A bootstrap, in which databases are recovered from their archives before Flux could make empty ones, and volumes are filled from their newest backups when Flux makes them. Machines have to wait for their first config. What an earlier cluster left on their disks (OSDs of Ceph, the partition with /var/lib/rook) is wiped only with --destroy-disk-data and when the cluster is named. A database that is recovered writes an archive of its own, which Git has to name afterwards: the edit is shown.',
  effect: 'write',
  options: [
    { flags: '--destroy-disk-data', description: 'what the disks hold of an earlier cluster may go', default: false },
    {
      flags: '--at <time>',
      description: 'databases go back to this time (RFC 3339); without it to the end of the archive',
    },
    { flags: '--begin-empty <database...>', description: 'NAMESPACE/NAME: not recovered, it has no archive' },
    {
      flags: '--node-timeout <duration>',
      description: 'how long machines may take, each time they are waited for',
      default: '10m',
    },
    { flags: '--restore-timeout <duration>', description: 'how long all restores may take', default: '8h' },
    confirmOption('the cluster'),
    ...sourceOptions,
  ],
  examples: [
    'k8sops dr run --cluster apps --dry-run',
    'k8sops dr run --cluster apps --destroy-disk-data',
    'k8sops dr run --cluster apps --at 2026-11-30T06:00:00Z',
  ],
  runbook: recoveryRunbook,
  saysProblems: true,
  async plan(context) {
    const { options } = context
    const preview = options.dryRun === true || options.planOut !== undefined
    const seen = await observeBootstrap(context, preview)
    const { input, used } = seen
    if (used.length > 0 && !preview && options.destroyDiskData !== true) throw usedRefusal(input.cluster.name, used)
    const recovery = await observeRecovery(context)
    const began = new Date(context.now())
    const recoveries = recoveriesOf(context, recovery, began)
    if (!preview)
      for (const { database, recovery: one } of recoveries) await proposeArchive(context, database, one.archive)
    const basis = { ...seen.basis, observed: { ...seen.basis.observed, ...recoveryFacts(recovery) } }
    const params = { skipFlux: false, nodeTimeoutSec: parseDurationSec(String(options.nodeTimeout)) }
    const restoreSec = parseDurationSec(String(options.restoreTimeout))
    const { contents } = recovery
    return planRecovery({ ...input, params, contents, recoveries, used, restoreSec }, basis)
  },
  confirm: ({ operation, cluster, params }) => {
    const wiped = params.wiped as string[]
    if (operation !== recoveryOperation || wiped.length === 0) return undefined
    return `LOST for good: what is on these disks of ${cluster}: ${wiped.join(', ')}.`
  },
  confirmName: ({ cluster, params }) => ((params.wiped as string[]).length > 0 ? cluster : undefined),
})

/** One that is there already is left alone; a recovery that an earlier run began goes on as what it is. */
function recoveriesOf(
  context: CommandContext,
  { contents, backups }: SeenRecovery,
  began: Date,
): RecoveryInput['recoveries'] {
  const empty = (context.options.beginEmpty ?? []) as string[]
  const known = contents.databases.map(idOf)
  const strange = empty.filter((name) => !known.includes(name))
  if (strange.length > 0)
    throw new UsageError(`--begin-empty ${strange.join(', ')}: Git has no such database`, {
      next: `there are: ${known.join(', ') || 'none'}`,
    })
  const at = timeOption(context.options.at, '--at', context.now())
  const live = backups.ok ? backups.value.databases : []
  return contents.databases.flatMap((database) => {
    if (database.archive === null || empty.includes(idOf(database))) return []
    const there = live.find((one) => placeOf(one) === idOf(database))
    const by = there?.metadata.annotations?.[restoreKeys.by]
    if (there && !by?.startsWith(`${recoveryOperation}/`)) {
      context.note(`${idOf(database)} is there already, and stays as it is: k8sops cnpg restore brings it back`)
      return []
    }
    const fresh = { token: operationToken(recoveryOperation, began), archive: archiveName(database.name, began) }
    const own = there && by !== undefined ? { token: by, archive: archiveOf(there).serverName } : fresh
    const recovery = { ...own, from: database.archive, ...(at === undefined ? {} : { at }) }
    return [{ database, recovery, at: there?.metadata.annotations?.[restoreKeys.at] ?? wholeSeconds(began.getTime()) }]
  })
}

const idOf = ({ namespace, name }: Pick<DeclaredDatabase, 'namespace' | 'name'>): string => `${namespace}/${name}`
