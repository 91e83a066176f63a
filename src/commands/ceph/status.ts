import { type CommandContext, cell, type Data, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { exitCodes } from '../../lib/errors.ts'
import { cephRunbook } from '../../lib/ops/ceph-maintenance.ts'
import { type CephRow, cephRows } from '../../lib/ops/ceph-status.ts'
import { observeCeph } from './observe.ts'

export const cephStatus = defineCommand({
  path: 'ceph status',
  summary: "Show Ceph's health with its reasons, OSDs, placement groups, slow operations, and when it fills",
  description:
    'Health, capacity and slow operations as Rook last saw them (it looks once a minute), OSDs as pods; placement groups and the days until it is nearly full from metrics, where they are. What nobody tells is unknown, with the reason. Exit code 3 when Ceph is not HEALTH_OK, 4 when the cluster does not answer.',
  effect: 'read',
  scope: 'cluster',
  options: [
    { flags: '--watch', description: 'stay and show what changes, until Ctrl-C', default: false },
    { flags: '--limit <duration>', description: 'how long to wait for answers', default: '10s' },
  ],
  examples: ['k8sops ceph status --cluster infra', 'k8sops ceph status --watch', 'k8sops ceph status -o json'],
  runbook: cephRunbook,
  async read(context) {
    const { cluster } = await context.another(await context.clusterName())
    if (context.options.watch === true) {
      const { watchCeph } = await import('./watch.ts')
      const last = statusData(await watchCeph(context, cluster), exitCodes.interrupted)
      return context.options.output === 'json' ? { ...last, streamed: true } : last
    }
    const limitMs = parseDurationSec(String(context.options.limit)) * 1000
    const facts = await observeCeph(context, cluster.name, limitMs)
    const rows = cephRows(cluster.name, facts, cluster.gates.ceph.clusters, Date.now())
    const away = facts.clusters && !facts.clusters.ok && facts.clusters.why !== 'not-found'
    return statusData(rows, away ? exitCodes.unreachable : undefined, context)
  },
})

function statusData(rows: CephRow[], exitCode = exitCodeOf(rows), context?: CommandContext): Data {
  if (rows.length === 0) context?.note('the cluster has no Ceph, and k8sops.yaml expects none')
  return {
    kind: 'CephStatus',
    items: rows.map((row) => ({ ...row })),
    columns: [
      { title: 'what', value: cell('name') },
      { title: 'state', value: cell('state') },
      { title: 'summary', value: cell('summary') },
      { title: 'next', value: cell('next'), wide: true },
    ],
    exitCode,
  }
}

/** That metrics are away is no illness of Ceph; that its health is not known is none of its health. */
const exitCodeOf = (rows: CephRow[]): number =>
  rows.some(({ name, state }) => state === 'fail' || (name === 'health' && state === 'unknown'))
    ? exitCodes.gate
    : exitCodes.ok
