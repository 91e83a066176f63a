import { cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes } from '../../lib/errors.ts'
import { readBackups } from '../../lib/ops/backup-facts.ts'
import { backupRunbook } from '../../lib/ops/backup-status.ts'
import { ageText } from '../../lib/ops/flux-status.ts'
import { parkedRow, replicationRow } from '../../lib/ops/volsync-view.ts'
import { awayFields, clusterNames, lookAtClusters } from '../flux/clusters.ts'
import { readParked } from './observe.ts'

/** What each kind is for; anything else is shown as it is. */
const words: Record<string, string> = { ReplicationSource: 'save', ReplicationDestination: 'restore' }

export const volsyncList = defineCommand({
  path: 'volsync list',
  summary: 'Show what VolSync copies and restores, and what restores have left',
  description:
    'ReplicationSources and ReplicationDestinations: what they copy, when they last did and what the mover said. One whose mover fails is tried again by VolSync, and is shown as failed. A workload that a restore has stopped is parked until that ends or is aborted. Exit code 4 when a cluster does not answer.',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops volsync list', 'k8sops volsync list --cluster all -o wide'],
  runbook: backupRunbook,
  async read(context) {
    const now = context.now()
    const { seen, away } = await lookAtClusters(context, await clusterNames(context), async ({ cluster, kube }) => {
      const port = await kube()
      const [facts, parked] = await Promise.all([
        readBackups(port, cluster.name, context.signal, ['sources', 'destinations']),
        readParked(port, cluster.name, context.signal),
      ])
      return [
        ...[...facts.sources, ...facts.destinations].map((object) => replicationRow(cluster.name, object)),
        ...parked.map((one) => parkedRow(cluster.name, one)),
      ]
    })
    return {
      kind: 'ReplicationList',
      items: seen.flat(),
      columns: [
        { title: 'cluster', value: cell('cluster') },
        { title: 'what', value: ({ kind }) => words[String(kind)] ?? String(kind) },
        { title: 'namespace', value: cell('namespace') },
        { title: 'name', value: cell('name') },
        { title: 'claim', value: cell('claim') },
        { title: 'state', value: cell('state') },
        { title: 'last', value: (row) => ageText(row.lastSync, now) || '—' },
        { title: 'took', value: (row) => String(row.took ?? '—') },
        { title: 'schedule', value: (row) => String(row.schedule ?? '—') },
        { title: 'mover', value: (row) => String(row.mover ?? ''), wide: true },
        { title: 'repository', value: (row) => String(row.repository ?? ''), wide: true },
      ],
      fields: { unreachable: awayFields(away) },
      exitCode: away.length > 0 ? exitCodes.unreachable : exitCodes.ok,
    }
  },
})
