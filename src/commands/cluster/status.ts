import { type CommandContext, cell, type Data, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { exitCodes, OperatorError } from '../../lib/errors.ts'
import {
  type StatusRow,
  statusParts,
  statusRows,
  statusRunbook,
  unreachableRow,
  wholeCluster,
} from '../../lib/ops/cluster-status.ts'
import { observeStatus } from '../../lib/ops/status-observe.ts'
import { askedClusters } from './selection.ts'

export const clusterStatus = defineCommand({
  path: 'cluster status',
  summary: 'Show on one screen whether clusters are well, and what is not',
  description:
    'Rows are gates (k8sops gate list) and what is beside them: machines, etcd, nodes, Cilium, Ceph, databases, Flux, certificates, backups, alerts, holds, versions. Clusters are read side by side; one that does not answer is a row. Exit code 3 when something is not well, 4 when nothing could be reached.',
  effect: 'read',
  scope: 'cluster',
  options: [
    { flags: '--watch', description: 'stay and show what changes, until Ctrl-C', default: false },
    { flags: '--limit <duration>', description: 'how long to wait for answers', default: '10s' },
  ],
  examples: [
    'k8sops cluster status --cluster all',
    'k8sops cluster status --cluster infra --watch',
    'k8sops cluster status --cluster all -o json',
  ],
  runbook: statusRunbook,
  async read(context) {
    const names = await askedClusters(context)
    if (context.options.watch === true) {
      const { watchStatus } = await import('./watch.ts')
      const last = statusData(await watchStatus(context, names), exitCodes.interrupted)
      return context.options.output === 'json' ? { ...last, streamed: true } : last
    }
    const limitMs = parseDurationSec(String(context.options.limit)) * 1000
    const rows = await Promise.all(names.map((name) => rowsOf(context, name, limitMs)))
    return statusData(rows.flat(), context.signal.aborted ? exitCodes.interrupted : undefined)
  },
})

export async function rowsOf(context: CommandContext, name: string, limitMs: number): Promise<StatusRow[]> {
  const { signal } = context
  try {
    const { cluster, kube, talos, gates } = await context.another(name)
    const { sharedReads } = await import('../../lib/gates/shared-reads.ts')
    const shared = sharedReads({ kube: await kube(), talos: await talos() })
    const parts = statusParts(cluster)
    const checks = parts.flatMap((part) => part.checks)
    const sources = { checks, gates: await gates(shared), kube: shared.kube, signal }
    const { verdicts, facts } = await observeStatus(sources, limitMs)
    return statusRows(name, parts, verdicts, facts, Date.now())
  } catch (error) {
    // Where it should be is not known (no lab of it is up, no kubeconfig): the others can still be told.
    if (error instanceof OperatorError) return [unreachableRow(name, error.message, error.detail.next ?? null)]
    throw error
  }
}

export function statusData(rows: StatusRow[], exitCode = exitCodeOf(rows)): Data {
  return {
    kind: 'ClusterStatus',
    items: rows.map(({ unreachable: _, pending: __, ...row }) => row),
    columns: [
      { title: 'cluster', value: cell('cluster') },
      { title: 'what', value: cell('name') },
      { title: 'state', value: cell('state') },
      { title: 'summary', value: cell('summary') },
      { title: 'since', value: cell('since'), wide: true },
      { title: 'next', value: cell('next'), wide: true },
      { title: 'runbook', value: cell('runbook'), wide: true },
    ],
    exitCode,
  }
}

function exitCodeOf(rows: StatusRow[]): number {
  if (rows.every(({ state }) => state === 'ok')) return exitCodes.ok
  const clusters = new Set(rows.map(({ cluster }) => cluster))
  return rows.filter(({ name }) => name === wholeCluster).length === clusters.size
    ? exitCodes.unreachable
    : exitCodes.gate
}
