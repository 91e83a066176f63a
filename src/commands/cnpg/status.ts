import { cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes } from '../../lib/errors.ts'
import { readBackups } from '../../lib/ops/backup-facts.ts'
import { backupRows, isWell } from '../../lib/ops/backup-status.ts'
import { cnpgRunbook, databaseRow } from '../../lib/ops/cnpg.ts'
import { ageText } from '../../lib/ops/flux-status.ts'
import { nextRun } from '../../lib/tools/cron.ts'
import { awayFields, clusterNames, lookAtClusters } from '../flux/clusters.ts'

export const cnpgStatus = defineCommand({
  path: 'cnpg status',
  summary: 'Show whether PostgreSQL is well: instances, primary, archiving, backups',
  description:
    'A row for each PostgreSQL that CloudNativePG runs. Exit code 3 when one has not all of its instances, has no primary or switches over, does not archive its WAL, or has no fresh base backup (`k8sops backup status`); 4 when a cluster does not answer.',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops cnpg status --cluster all', 'k8sops cnpg status --cluster apps -o json'],
  runbook: cnpgRunbook,
  async read(context) {
    const now = context.now()
    const { seen, away } = await lookAtClusters(context, await clusterNames(context), async ({ cluster, kube }) => {
      const facts = await readBackups(await kube(), cluster.name, context.signal, ['databases', 'schedules', 'backups'])
      const backups = backupRows(facts, { now, nextRun, graceMs: 3_600_000 })
      return facts.databases.map((database) => {
        const { namespace, name } = database.metadata
        const backup = backups.find((row) => row.namespace === namespace && row.name === name)
        const row = databaseRow(cluster.name, database, backup)
        return { row, well: row.state === 'ok' && backup !== undefined && isWell(backup) }
      })
    })
    const rows = seen.flat()
    const away4 = away.length > 0 ? exitCodes.unreachable : exitCodes.ok
    return {
      kind: 'DatabaseList',
      items: rows.map(({ row }) => row),
      columns: [
        { title: 'cluster', value: cell('cluster') },
        { title: 'namespace', value: cell('namespace') },
        { title: 'name', value: cell('name') },
        { title: 'state', value: cell('state') },
        { title: 'instances', value: cell('instances') },
        { title: 'primary', value: (row) => String(row.primary ?? '—') },
        { title: 'archiving', value: (row) => (row.archiving === null ? '—' : String(row.archiving)) },
        { title: 'backup', value: (row) => `${String(row.backup)} ${ageText(row.lastBackup, now)}`.trim() },
        { title: 'problems', value: (row) => (row.problems as string[]).join('; ') },
      ],
      fields: { unreachable: awayFields(away) },
      exitCode: rows.every(({ well }) => well) ? away4 : exitCodes.gate,
    }
  },
})
