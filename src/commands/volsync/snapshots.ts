import { completeApp } from '../../lib/cli/app-option.ts'
import { type CommandContext, cell, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { OperatorError } from '../../lib/errors.ts'
import { backupRunbook } from '../../lib/ops/backup-status.ts'
import { ageText } from '../../lib/ops/flux-status.ts'
import { type KeptSnapshot, keptSnapshots, lastSnapshot, snapshotRows } from '../../lib/ops/volsync-snapshots.ts'
import type { SourceView } from '../../lib/ops/volsync-view.ts'
import { logsFilter, queryLogs } from '../../lib/tools/victoria-logs.ts'
import { answerOf, openMonitoring, urlOption } from '../monitoring.ts'
import { appArgument, observeSource } from './observe.ts'

/** A mover prints a line for each snapshot and reason, and restic's own beside them. */
const lineLimit = 5000

export const volsyncSnapshots = defineCommand({
  path: 'volsync snapshots',
  summary: 'Show to which snapshots of a volume one can go back',
  description:
    'As restic said after the last save, read from the logs of its mover in VictoriaLogs: nothing is started, and no key of the repository is needed. Where there are no logs, only the last snapshot is known, from the status of the ReplicationSource. PREVIOUS is what `volsync restore --previous` takes.',
  effect: 'read',
  scope: 'cluster',
  args: appArgument,
  completeArgs: completeApp,
  options: [{ flags: '--since <duration>', description: 'how old the last save may be', default: '3d' }, urlOption],
  examples: ['k8sops volsync snapshots odoo --cluster apps', 'k8sops volsync snapshots business/odoo -o json'],
  runbook: backupRunbook,
  async read(context) {
    const [cluster, source] = await Promise.all([context.cluster(), observeSource(context)])
    const { snapshots, from } = await snapshotsOf(context, source)
    if (from === 'status') context.note('only the last one is known: no mover has told what it keeps')
    const now = context.now()
    return {
      kind: 'SnapshotList',
      items: snapshotRows(cluster.name, snapshots),
      columns: [
        { title: 'previous', value: cell('previous') },
        { title: 'id', value: cell('id') },
        { title: 'taken', value: cell('takenAt') },
        { title: 'age', value: (row) => ageText(row.takenAt, now) },
        { title: 'kept', value: (row) => (row.kept as string[]).join(', ') },
      ],
      fields: { source: `${source.namespace}/${source.name}`, from },
    }
  },
})

async function snapshotsOf(
  context: CommandContext,
  source: SourceView,
): Promise<{ snapshots: KeptSnapshot[]; from: 'logs' | 'status' }> {
  const kept = await keptOf(context, source)
  if (kept) return { snapshots: kept, from: 'logs' }
  return { snapshots: lastSnapshot(source.lastLogs, source.lastSync), from: 'status' }
}

/** VictoriaLogs may run on another cluster, or be away: then the status has to do. */
async function keptOf(context: CommandContext, { namespace, name }: SourceView): Promise<KeptSnapshot[] | undefined> {
  try {
    const { service, cluster } = await openMonitoring(context, 'logs')
    // The job's name, with what Kubernetes puts behind it.
    const filter = logsFilter({ cluster, namespace, pod: `volsync-src-${name}-`, container: 'restic' })
    const sinceSec = parseDurationSec(String(context.options.since))
    const request = { filter, sinceSec, untilSec: 0, limit: lineLimit, signal: context.signal }
    return keptSnapshots(answerOf(await queryLogs(service, request), service, 'the search'))
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    context.note(error.message)
    return undefined
  }
}
