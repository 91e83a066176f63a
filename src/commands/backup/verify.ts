import { completeApp } from '../../lib/cli/app-option.ts'
import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { wholeSeconds } from '../../lib/cli/hold-options.ts'
import { UsageError } from '../../lib/errors.ts'
import { readBackups } from '../../lib/ops/backup-facts.ts'
import { backupRunbook } from '../../lib/ops/backup-status.ts'
import { drillOperation, planDrillAbort, planDrills } from '../../lib/ops/drill.ts'
import { chosenDrills, strayDrills } from '../../lib/ops/drill-choice.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { holdBasis } from '../flux/holding.ts'
import { readDrillRecords, readWorkloads } from './observe.ts'

export const backupVerify = defineCommand({
  path: 'backup verify',
  summary: 'Prove a backup: restore it into a namespace that is thrown away, and start the application on it',
  description:
    'Makes a namespace with a quota from which nothing can be reached, restores the newest snapshot into it, starts the own image of the application on the restored volume and waits until that is Ready, or, where the ReplicationSource declares one (annotation k8sops.dev/drill-check), until that command has ended well. Whether it was proven, how much it was and how long it took is written down on the cluster (ConfigMap flux-system/k8sops-drills), where `backup status` and the estimates of restores read it; then everything is removed. Exit code 3 when a backup is not proven. What a drill that died has left is removed by its resume, by --abort, or by the next one.',
  effect: 'write',
  args: { 'app?': 'name of its ReplicationSource, or NAMESPACE/NAME' },
  completeArgs: completeApp,
  options: [
    { flags: '--stalest <n>', description: 'so many of those whose proof is oldest, in place of a name' },
    { flags: '--abort', description: 'remove what drills have left', default: false },
    { flags: '--restore-timeout <duration>', description: 'how long VolSync may write, each', default: '4h' },
    { flags: '--ready-timeout <duration>', description: 'how long the application may take, each', default: '15m' },
  ],
  examples: [
    'k8sops backup verify odoo --cluster apps',
    'k8sops backup verify --stalest 1 --cluster apps',
    'k8sops backup verify business/odoo --dry-run',
    'k8sops backup verify --abort --cluster apps',
  ],
  runbook: backupRunbook,
  async plan(context) {
    const [cluster, target, kube] = await Promise.all([context.cluster(), context.target(), context.kube()])
    const { options, signal } = context
    const facts = await readBackups(kube, cluster.name, signal, ['sources', 'claims', 'namespaces'])
    const strays = strayDrills(facts.namespaces)
    if (options.abort === true) {
      const basis = await holdBasis(context, { strays })
      return planDrillAbort({ cluster, target, strays }, basis)
    }
    const [workloads, records] = await Promise.all([
      readWorkloads(kube, cluster.name, signal),
      readDrillRecords(kube, cluster.name, signal),
    ])
    const { drills, unprovable } = chosenDrills(
      { ...facts, workloads, records },
      textOption(context.args.app),
      stalestOf(context),
    )
    const basis = await holdBasis(context, {
      strays,
      apps: drills.map(({ source, size }) => `${source.namespace}/${source.name} (${size})`),
    })
    if (unprovable.length > 0) context.note(`no drill can prove these: ${unprovable.join('; ')}`)
    const now = context.now()
    return planDrills(
      {
        cluster,
        target,
        drills,
        strays,
        token: operationToken(drillOperation, new Date(now)),
        at: wholeSeconds(now),
        limits: {
          restoreSec: parseDurationSec(String(options.restoreTimeout)),
          readySec: parseDurationSec(String(options.readyTimeout)),
        },
      },
      basis,
    )
  },
})

function stalestOf({ options }: CommandContext): number | undefined {
  const given = textOption(options.stalest)
  if (given === undefined) return undefined
  if (!/^[1-9]\d*$/.test(given)) throw new UsageError(`--stalest ${given} is no number of backups`)
  return Number(given)
}
