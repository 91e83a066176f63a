import { type CommandContext, cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes, UnreachableError } from '../../lib/errors.ts'
import { observeFlux } from '../../lib/ops/flux-observe.ts'
import { ageText } from '../../lib/ops/flux-status.ts'
import { shortTime } from '../../lib/ops/hold.ts'
import { holdRow, openHolds, silenceHold } from '../../lib/ops/holds.ts'
import { recordName } from '../../lib/ops/rollout/record.ts'
import { openSilences } from '../../lib/tools/alertmanager.ts'
import { findService } from '../../lib/tools/monitoring.ts'
import type { KubeObject, Result } from '../../lib/types.ts'
import { awayFields, clusterNames, lookAtClusters, type OpenedCluster } from '../flux/clusters.ts'

export const holdsList = defineCommand({
  path: 'holds list',
  summary: 'Show everything that is held open: by whom, why, since when, until when',
  description:
    'Suspended Flux objects, cordoned nodes, bypassed policies, a held rollout and silenced alerts of all clusters. What was suspended without k8sops is shown as unowned. Exit code 3 when a hold has expired and still stands, 4 when a cluster does not answer.',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops holds list', 'k8sops holds list --cluster apps -o json'],
  runbook: 'docs/runbooks/holds.md',
  async read(context) {
    const { signal } = context
    const names = await clusterNames(context, 'all')
    const now = Date.now()
    const { seen, away } = await lookAtClusters(context, names, async (opened) => {
      const holds = openHolds(await sourcesOf(opened, signal), now)
      return holds.map((hold) => holdRow(opened.cluster.name, hold))
    })
    const items = [...seen.flat(), ...(await silenceRows(context, names))]
    const expired = items.some((hold) => hold.expired === true)
    return {
      kind: 'HoldList',
      items,
      columns: [
        { title: 'cluster', value: cell('cluster') },
        { title: 'hold', value: cell('name') },
        { title: 'owner', value: (row) => String(row.owner ?? 'unowned') },
        { title: 'since', value: (row) => ageText(row.since, now) },
        { title: 'until', value: (row) => (row.until === null ? '' : endText(row, now)) },
        { title: 'objects', value: (row) => String((row.objects as string[]).length) },
        { title: 'reason', value: cell('reason') },
        { title: 'id', value: cell('id'), wide: true },
      ],
      fields: { unreachable: awayFields(away) },
      exitCode: expired ? exitCodes.gate : away.length > 0 ? exitCodes.unreachable : exitCodes.ok,
    }
  },
})

const endText = (row: { [key: string]: unknown }, now: number): string =>
  row.expired === true ? 'expired' : shortTime(String(row.until), now)

async function sourcesOf(opened: OpenedCluster, signal: AbortSignal) {
  const kube = await opened.kube()
  const [flux, nodes, namespaces, rollout] = await Promise.all([
    observeFlux(kube, signal),
    kube.list({ apiVersion: 'v1', kind: 'Node' }, signal),
    kube.list({ apiVersion: 'v1', kind: 'Namespace' }, signal),
    kube.list({ apiVersion: 'v1', kind: 'ConfigMap', ...recordName }, signal),
  ])
  const read = <T>(result: Result<T>): T => {
    if (result.ok) return result.value
    throw new UnreachableError(`what is held on ${opened.cluster.name} can't be read`, { output: result.detail })
  }
  return {
    flux: read(flux),
    nodes: read<KubeObject[]>(nodes),
    namespaces: read<KubeObject[]>(namespaces),
    rollout: !rollout.ok && rollout.why === 'not-found' ? [] : read<KubeObject[]>(rollout),
  }
}

/** Alertmanager may run on any of them; where there is none, nothing is silenced. */
async function silenceRows(context: CommandContext, names: string[]) {
  const opened = await Promise.allSettled(
    names.map(async (cluster) => ({ cluster, kube: await (await context.another(cluster)).kube() })),
  )
  const peers = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const { monitoring } = await context.repository()
  const service = await findService('alerts', monitoring, peers, context.signal)
  const silences = service.ok ? await openSilences(service.value, context.signal) : service
  if (silences.ok)
    return silences.value.map((silence) => holdRow((service.ok && service.value.home) || '', silenceHold(silence)))
  if (silences.why !== 'not-found') context.note(`silences can't be read: ${silences.detail}`)
  return []
}
