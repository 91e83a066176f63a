import { completeDatabase } from '../../lib/cli/app-option.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { readBackups } from '../../lib/ops/backup-facts.ts'
import { chosenDatabase, cnpgRunbook, planBackup } from '../../lib/ops/cnpg.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { holdBasis } from '../flux/holding.ts'

export const cnpgBackup = defineCommand({
  path: 'cnpg backup',
  summary: 'Make a base backup of a database now',
  description:
    "As its ScheduledBackup makes them, by the same plugin and into the same store; waits until it is complete. One that fails ends the run with CloudNativePG's own reason.",
  effect: 'write',
  args: { database: 'name of the CloudNativePG Cluster, or NAMESPACE/NAME' },
  completeArgs: completeDatabase,
  options: [{ flags: '--wait <duration>', description: 'how long it may take', default: '2h' }],
  examples: ['k8sops cnpg backup postgres --cluster apps', 'k8sops cnpg backup databases/postgres --dry-run'],
  runbook: cnpgRunbook,
  async plan(context) {
    const { args, options, signal } = context
    const [cluster, target, kube] = await Promise.all([context.cluster(), context.target(), context.kube()])
    const facts = await readBackups(kube, cluster.name, signal, ['databases', 'schedules'])
    const { database, schedule } = chosenDatabase(facts.databases, facts.schedules, args.database ?? '')
    const { namespace = '', name } = database.metadata
    const [, stamp = ''] = operationToken('cnpg.backup', new Date(context.now())).toLowerCase().split('/')
    const basis = await holdBasis(context, { database: `${namespace}/${name}`, schedule: schedule.metadata.name })
    return planBackup(
      {
        cluster,
        target,
        database: { namespace, name },
        schedule: schedule.metadata.name,
        name: `${name}-k8sops-${stamp}`,
        limitSec: parseDurationSec(String(options.wait)),
      },
      basis,
    )
  },
})
