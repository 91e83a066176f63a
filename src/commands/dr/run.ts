import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { confirmOption } from '../../lib/cli/node-option.ts'
import { sourceOptions } from '../../lib/cli/source-options.ts'
import { timeOption } from '../../lib/cli/time-option.ts'
import { planRecovery, recoveryOperation } from '../../lib/ops/dr.ts'
import { recoveriesOf } from '../../lib/ops/dr-recoveries.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { recoveryRunbook, usedRefusal } from '../../lib/ops/used-machines.ts'
import { observeBootstrap } from '../bootstrap.ts'
import { proposeArchive } from '../cnpg/archive-proposal.ts'
import { recoveryFacts } from './needs.ts'
import { observeRecovery } from './observe.ts'

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
    const { recoveries, kept } = recoveriesOf({
      declared: recovery.contents.databases,
      live: recovery.backups.ok ? recovery.backups.value.databases : [],
      empty: (options.beginEmpty ?? []) as string[],
      at: timeOption(options.at, '--at', context.now()),
      token: operationToken(recoveryOperation, began),
      began,
    })
    for (const id of kept)
      context.note(`${id} is there already, and stays as it is: k8sops cnpg restore ${id} brings it back`)
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
