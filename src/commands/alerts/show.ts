import { defineCommand } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { alertsRunbook } from '../../lib/ops/alert-silence.ts'
import { firingAlerts, openSilences } from '../../lib/tools/alertmanager.ts'
import { answerOf, openMonitoring, urlOption } from '../monitoring.ts'
import { alertsOfCluster, holderOf } from './list.ts'

export const alertsShow = defineCommand({
  path: 'alerts show',
  summary: 'Show one alert whole: labels, text, runbook, silences, and how to silence it',
  effect: 'read',
  scope: 'cluster',
  args: { alert: 'its name, as `alerts list` shows it' },
  options: [urlOption],
  examples: ['k8sops alerts show KubePodCrashLooping --cluster all'],
  runbook: alertsRunbook,
  async read(context) {
    const { service, cluster } = await openMonitoring(context, 'alerts')
    const { signal, args } = context
    const [alerts, silences] = await Promise.all([firingAlerts(service, signal), openSilences(service, signal)])
    const held = answerOf(silences, service, 'the question')
    const all = alertsOfCluster(answerOf(alerts, service, 'the question'), cluster, service.home)
    const found = all.filter(({ name }) => name === args.alert)
    if (found.length === 0)
      throw new UsageError(`no alert ${args.alert} fires${cluster ? ` on ${cluster}` : ''}`, {
        next: `what fires: ${[...new Set(all.map(({ name }) => name))].join(', ') || 'nothing'}`,
      })
    const items = found.map((alert) => ({ ...alert, silences: alert.silencedBy.map((id) => holderOf(id, held)) }))
    return {
      kind: 'AlertList',
      items,
      text: items
        .map(({ name, severity, since, state, summary, labels, runbook, silences: holders }) =>
          [
            `${name}  ${severity}, ${state} since ${since}`,
            ...(summary ? [`  ${summary}`] : []),
            ...Object.entries(labels).map(([label, value]) => `  ${label}=${JSON.stringify(value)}`),
            ...holders.map((holder) => `  silenced ${holder}`),
            ...(runbook ? [`  runbook: ${runbook}`] : []),
            `  next: k8sops alerts silence ${name} --for 2h --reason TEXT${cluster ? ` --cluster ${cluster}` : ''}`,
          ].join('\n'),
        )
        .join('\n\n'),
    }
  },
})
