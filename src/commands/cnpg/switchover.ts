import { completeDatabase } from '../../lib/cli/app-option.ts'
import { defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { readBackups } from '../../lib/ops/backup-facts.ts'
import { chosenCluster, cnpgRunbook } from '../../lib/ops/cnpg.ts'
import { chosenSwitch, planSwitchover } from '../../lib/ops/cnpg-switchover.ts'
import { holdBasis } from '../flux/holding.ts'

export const cnpgSwitchover = defineCommand({
  path: 'cnpg switchover',
  summary: 'Have another instance become the primary of a database',
  description:
    'For instance before work on the machine of the primary. The database has to be whole, and is again before this ends. Writers are interrupted for seconds.',
  effect: 'write',
  args: { database: 'name of the CloudNativePG Cluster, or NAMESPACE/NAME' },
  completeArgs: completeDatabase,
  options: [
    { flags: '--to <instance>', description: 'who takes over (default: the first healthy standby)' },
    { flags: '--wait <duration>', description: 'how long it may take', default: '15m' },
  ],
  examples: ['k8sops cnpg switchover postgres --to postgres-2 --cluster apps'],
  runbook: cnpgRunbook,
  async plan(context) {
    const { args, options, signal } = context
    const [cluster, target, kube] = await Promise.all([context.cluster(), context.target(), context.kube()])
    const { databases } = await readBackups(kube, cluster.name, signal, ['databases'])
    const database = chosenCluster(databases, args.database ?? '')
    const change = chosenSwitch(database, textOption(options.to))
    const { namespace = '', name } = database.metadata
    const basis = await holdBasis(context, { database: `${namespace}/${name}`, primary: change.from })
    const at = new Date(context.now()).toISOString()
    const limitSec = parseDurationSec(String(options.wait))
    return planSwitchover({ cluster, target, database: { namespace, name }, change, at, limitSec }, basis)
  },
  confirm: ({ cluster, params }) =>
    `Writers of ${String(params.database)} (${cluster}) are interrupted while ${String(params.to)} takes over from ${String(params.from)}. Go on?`,
})
