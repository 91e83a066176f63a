import { cell, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { exitCodes } from '../../lib/errors.ts'
import { readBackups } from '../../lib/ops/backup-facts.ts'
import { backupRowFields, backupRows, backupRunbook, isWell } from '../../lib/ops/backup-status.ts'
import { ageText } from '../../lib/ops/flux-status.ts'
import { nextRun } from '../../lib/tools/cron.ts'
import { awayFields, clusterNames, lookAtClusters } from '../flux/clusters.ts'
import { readDrillRecords } from './observe.ts'

export const backupStatus = defineCommand({
  path: 'backup status',
  summary: 'Show what is backed up, how old that is against its schedule, and what nobody backs up',
  description:
    "Every volume that VolSync copies or should, and every PostgreSQL database: the last success, when the schedule asks for the next one, how long it took, when an application was last seen Ready on what was restored, and how long that took in the last drill (`backup verify`). A drill that did not prove a backup makes it failed until another one does. A claim is exempt when it, or its namespace, has the annotations k8sops.dev/backup: none and k8sops.dev/backup-reason, or when it lies on one node's disk. Exit code 3 when one is overdue, failed, resting or unprotected, 4 when a cluster does not answer.",
  effect: 'read',
  scope: 'cluster',
  options: [
    { flags: '--problems', description: 'only what is not well', default: false },
    { flags: '--grace <duration>', description: 'how long after it was due one may be on its way', default: '1h' },
  ],
  examples: [
    'k8sops backup status --cluster all',
    'k8sops backup status --cluster apps --problems',
    'k8sops backup status --cluster all -o json',
  ],
  runbook: backupRunbook,
  async read(context) {
    const now = context.now()
    const graceMs = parseDurationSec(String(context.options.grace)) * 1000
    const { seen, away } = await lookAtClusters(context, await clusterNames(context), async ({ cluster, kube }) => {
      const port = await kube()
      const [facts, drills] = await Promise.all([
        readBackups(port, cluster.name, context.signal),
        readDrillRecords(port, cluster.name, context.signal),
      ])
      return backupRows(facts, { now, nextRun, graceMs, drills }).map((row) => ({ row, cluster: cluster.name }))
    })
    const all = seen.flat()
    const shown = context.options.problems === true ? all.filter(({ row }) => !isWell(row)) : all
    const well = all.every(({ row }) => isWell(row))
    return {
      kind: 'BackupStatus',
      items: shown.map(({ cluster, row }) => backupRowFields(cluster, row)),
      columns: [
        { title: 'cluster', value: cell('cluster') },
        { title: 'what', value: ({ kind, namespace, name }) => `${kind} ${namespace}/${name}` },
        { title: 'state', value: cell('state') },
        { title: 'last', value: (row) => ageText(row.lastSuccess, now) || '—' },
        { title: 'schedule', value: (row) => String(row.schedule ?? '—') },
        {
          title: 'took',
          value: (row) => (row.durationSec === null ? '—' : `${Math.round(Number(row.durationSec))} s`),
        },
        { title: 'size', value: (row) => String(row.size ?? '—') },
        { title: 'restored', value: (row) => ageText(row.lastRestore, now) || '—' },
        { title: 'in', value: (row) => (row.restoreSec === null ? '—' : `${Math.round(Number(row.restoreSec))} s`) },
        { title: 'detail', value: cell('detail') },
        { title: 'due', value: (row) => String(row.due ?? '—'), wide: true },
        { title: 'next', value: (row) => String(row.next ?? ''), wide: true },
      ],
      fields: { unreachable: awayFields(away) },
      exitCode: well ? (away.length > 0 ? exitCodes.unreachable : exitCodes.ok) : exitCodes.gate,
    }
  },
})
