import { cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes, UnreachableError } from '../../lib/errors.ts'
import { connectivityRunbook } from '../../lib/ops/connectivity.ts'
import { ageText } from '../../lib/ops/flux-status.ts'
import { connectivityParts, connectivityRecord, recordedParts } from '../../lib/tools/connectivity-record.args.ts'
import type { KubePort } from '../../lib/types.ts'
import { awayFields, clusterNames, lookAtClusters } from '../flux/clusters.ts'

export const connectivityResults = defineCommand({
  path: 'connectivity results',
  summary: 'Show what the last test of the network has found, check by check',
  description:
    'As `connectivity test` has written it down on the cluster (ConfigMap flux-system/k8sops-connectivity). `unproven` is what could not be seen either way; it is no success. Exit code 3 when a check has failed or nothing was ever tested, 4 when a cluster does not answer.',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops connectivity results --cluster all', 'k8sops connectivity results --cluster apps -o json'],
  runbook: connectivityRunbook,
  async read(context) {
    const now = context.now()
    const { seen, away } = await lookAtClusters(context, await clusterNames(context), async ({ cluster, kube }) => ({
      cluster: cluster.name,
      rows: await rowsOf(await kube(), cluster.name, context.signal),
    }))
    const untested = seen.filter(({ rows }) => rows.length === 0).map(({ cluster }) => cluster)
    for (const cluster of untested)
      context.note(`${cluster} was never tested: k8sops connectivity test --cluster ${cluster}`)
    const rows = seen.flatMap(({ cluster, rows: own }) => own.map((row) => ({ cluster, ...row })))
    const isWell = untested.length === 0 && rows.every(({ state }) => state !== 'failed')
    return {
      kind: 'ConnectivityResults',
      items: rows,
      columns: [
        { title: 'cluster', value: cell('cluster') },
        { title: 'check', value: cell('check') },
        { title: 'state', value: cell('state') },
        { title: 'tested', value: ({ at }) => ageText(String(at), now) },
        { title: 'suite', value: cell('suite') },
        { title: 'detail', value: cell('detail') },
      ],
      fields: { untested, unreachable: awayFields(away) },
      exitCode: isWell ? (away.length > 0 ? exitCodes.unreachable : exitCodes.ok) : exitCodes.gate,
    }
  },
})

async function rowsOf(kube: KubePort, cluster: string, signal: AbortSignal) {
  const read = await kube.list({ apiVersion: 'v1', kind: 'ConfigMap', ...connectivityRecord }, signal)
  if (!read.ok && read.why !== 'not-found')
    throw new UnreachableError(`the results of ${cluster} can't be read`, { output: read.detail })
  const parts = recordedParts(read.ok ? read.value[0]?.data : undefined)
  return connectivityParts.flatMap((part) => {
    const { rows = [], at = '', suite = '', token = '' } = parts[part] ?? {}
    return rows.map(({ check, state, detail }) => ({ check, state, at, suite, detail, token }))
  })
}
