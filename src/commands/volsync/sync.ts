import { completeApp } from '../../lib/cli/app-option.ts'
import type { CommandContext, OptionSpec } from '../../lib/cli/define.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { backupRunbook } from '../../lib/ops/backup-status.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { planSync } from '../../lib/ops/volsync-sync.ts'
import type { Plan } from '../../lib/types.ts'
import { holdBasis } from '../flux/holding.ts'
import { appArgument, observeSource, placeFacts } from './observe.ts'

const waitOption: OptionSpec = { flags: '--wait <duration>', description: 'how long it may take', default: '2h' }

export const volsyncSnapshot = defineCommand({
  path: 'volsync snapshot',
  summary: 'Save a volume now',
  description:
    'Asks VolSync for a synchronisation and waits until it is through; then the schedule counts again. A mover that fails is started again by VolSync until the time is over, and what it says is shown.',
  effect: 'write',
  args: appArgument,
  completeArgs: completeApp,
  options: [waitOption],
  examples: ['k8sops volsync snapshot odoo --cluster apps', 'k8sops volsync snapshot business/odoo --dry-run'],
  runbook: backupRunbook,
  plan: (context) => planOne(context, false),
})

export const volsyncUnlock = defineCommand({
  path: 'volsync unlock',
  summary: 'Remove stale locks of a repository, and save the volume',
  description:
    'For a mover that says `repository is already locked`: a mover that was killed has left its lock. Only VolSync unlocks, at the beginning of a synchronisation, so the volume is saved as well. Locks of movers that are alive stay.',
  effect: 'write',
  args: appArgument,
  completeArgs: completeApp,
  options: [waitOption],
  examples: ['k8sops volsync unlock odoo --cluster apps'],
  runbook: backupRunbook,
  plan: (context) => planOne(context, true),
})

async function planOne(context: CommandContext, unlock: boolean): Promise<Plan> {
  const [cluster, target, source] = await Promise.all([context.cluster(), context.target(), observeSource(context)])
  const token = operationToken(unlock ? 'volsync.unlock' : 'volsync.snapshot', new Date(context.now()))
  const limitSec = parseDurationSec(String(context.options.wait))
  const basis = await holdBasis(context, { source: placeFacts(source) })
  return planSync({ cluster, target, source, token, unlock, limitSec }, basis)
}
