import { cell, defineCommand } from '../../lib/cli/define.ts'
import { alertsRunbook } from '../../lib/ops/alert-silence.ts'
import { firingAlerts, openSilences } from '../../lib/tools/alertmanager.ts'
import type { Alert, AlertSilence } from '../../lib/types.ts'
import { answerOf, openMonitoring, urlOption } from '../monitoring.ts'

export const alertsList = defineCommand({
  path: 'alerts list',
  summary: 'List what fires, the worst first, and who has silenced what',
  description:
    'Of the chosen cluster; of all with --cluster all. Without --all only what somebody has to look at: nothing that is silenced or inhibited, no info, no Watchdog.',
  effect: 'read',
  scope: 'cluster',
  options: [
    { flags: '--all', description: 'also silenced and inhibited ones, and those for machines', default: false },
    urlOption,
  ],
  examples: ['k8sops alerts list --cluster all', 'k8sops alerts list --all -o wide'],
  runbook: alertsRunbook,
  async read(context) {
    const { service, cluster } = await openMonitoring(context, 'alerts')
    const { signal } = context
    const [alerts, silences] = await Promise.all([firingAlerts(service, signal), openSilences(service, signal)])
    const held = answerOf(silences, service, 'the question')
    const all = alertsOfCluster(answerOf(alerts, service, 'the question'), cluster, service.home)
    const shown = context.options.all === true ? all : all.filter(isLoud)
    const others = all.length - shown.length
    if (others > 0) context.note(`${others} more are silenced, inhibited or for machines (--all)`)
    return {
      kind: 'AlertList',
      fields: { cluster: cluster ?? 'all', silences: held.map((silence) => ({ ...silence })) },
      items: shown.map((alert) => ({
        ...alert,
        cluster: alert.labels.cluster ?? service.home ?? '',
        silences: alert.silencedBy.map((id) => holderOf(id, held)),
      })),
      columns: [
        { title: 'severity', value: cell('severity') },
        { title: 'alert', value: cell('name') },
        { title: 'cluster', value: cell('cluster') },
        { title: 'since', value: cell('since') },
        { title: 'state', value: ({ state, silences }) => [state, ...(silences as string[])].join(', ') },
        { title: 'summary', value: cell('summary') },
        { title: 'runbook', value: cell('runbook'), wide: true },
      ],
    }
  },
})

/** One without a cluster's label is of the cluster that evaluates the rules. */
export const alertsOfCluster = (alerts: Alert[], cluster: string | undefined, home: string | undefined): Alert[] =>
  cluster === undefined ? alerts : alerts.filter(({ labels }) => (labels.cluster ?? home ?? cluster) === cluster)

const isLoud = ({ severity, state }: Alert) => state === 'active' && (severity === 'critical' || severity === 'warning')

export function holderOf(id: string, silences: AlertSilence[]): string {
  const found = silences.find((silence) => silence.id === id)
  return found ? `${id} by ${found.by} until ${found.until}: ${found.comment}` : id
}
