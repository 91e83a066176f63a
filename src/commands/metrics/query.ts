import { cell, defineCommand, textOption } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { instantQuery, seriesName, sharedLabels } from '../../lib/tools/victoria-metrics.ts'
import { shortNumber } from '../../lib/ui/sparkline.ts'
import { answerOf, monitoringRunbook, openMonitoring, urlOption } from '../monitoring.ts'

export const metricsQuery = defineCommand({
  path: 'metrics query',
  summary: 'Ask VictoriaMetrics for values as they are now, or were',
  description:
    "MetricsQL, through the API server's proxy to VictoriaMetrics, in whichever cluster it runs. Only series of the chosen cluster; of all with --cluster all.",
  effect: 'read',
  scope: 'cluster',
  args: { expression: 'MetricsQL, e.g. sum(up) by (job)' },
  options: [{ flags: '--at <time>', description: 'RFC 3339 (default: now)' }, urlOption],
  examples: [
    "k8sops metrics query 'up == 0' --cluster all",
    "k8sops metrics query 'topk(5, sum(container_memory_working_set_bytes) by (namespace))' --cluster infra",
    'k8sops metrics query up --at 2026-11-30T08:00:00Z -o json',
  ],
  runbook: monitoringRunbook,
  async read(context) {
    const expression = requiredText(context.args.expression)
    const at = timeOf(textOption(context.options.at))
    const { service, cluster } = await openMonitoring(context, 'metrics')
    const options = { cluster, signal: context.signal, ...(at === undefined ? {} : { at }) }
    const series = answerOf(await instantQuery(service, expression, options), service, 'the query')
    if (series.length === 0) context.note(nothingFound(cluster))
    const hidden = sharedLabels(series)
    return {
      kind: 'MetricsResult',
      fields: { expression, cluster: cluster ?? 'all' },
      items: series.map(({ labels, points }) => {
        const [time, value] = points.at(-1) ?? [0, Number.NaN]
        return {
          name: seriesName(labels),
          shown: seriesName(labels, hidden),
          labels,
          value: Number.isFinite(value) ? value : shortNumber(value),
          at: new Date(time * 1000).toISOString(),
        }
      }),
      columns: [
        { title: 'series', value: cell('shown') },
        { title: 'value', value: ({ value }) => (typeof value === 'number' ? shortNumber(value) : String(value)) },
        { title: 'at', value: cell('at'), wide: true },
        { title: 'all labels', value: cell('name'), wide: true },
      ],
    }
  },
})

export function requiredText(expression: string | undefined): string {
  if (expression?.trim()) return expression
  throw new UsageError('the query is empty', { next: "k8sops metrics query 'up == 0'" })
}

export function nothingFound(cluster: string | undefined): string {
  const all =
    cluster === undefined ? '' : `; series without the label cluster="${cluster}" are found with --cluster all`
  return `no series: the metric may be called otherwise (k8sops metrics query 'count({__name__=~"part_of_it.*"}) by (__name__)')${all}`
}

function timeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const at = Date.parse(text)
  if (Number.isNaN(at)) throw new UsageError(`--at ${text} is no time`, { next: 'write it like 2026-11-30T08:00:00Z' })
  return at / 1000
}
