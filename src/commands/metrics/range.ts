import { type Column, cell, defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { UsageError } from '../../lib/errors.ts'
import { rangeQuery, type Series, seriesName, sharedLabels } from '../../lib/tools/victoria-metrics.ts'
import type { Json } from '../../lib/types.ts'
import { columnChart, resample, shortNumber, sparkline } from '../../lib/ui/sparkline.ts'
import { answerOf, monitoringRunbook, openMonitoring, urlOption } from '../monitoring.ts'
import { nothingFound, requiredText } from './query.ts'

/** Characters of a sparkline; points that are asked for unless --step says otherwise. */
const width = 60
/** Nothing is scraped more often. */
const leastStepSec = 15
/** VictoriaMetrics refuses more (-search.maxPointsPerTimeseries). */
const mostPoints = 30_000

export const metricsRange = defineCommand({
  path: 'metrics range',
  summary: 'Show how values went over a time, as a line for each series',
  description:
    'As metrics query, over a time: a sparkline for each series with its least, greatest and last value; with --chart a picture of each.',
  effect: 'read',
  scope: 'cluster',
  args: { expression: 'MetricsQL, e.g. sum(rate(container_cpu_usage_seconds_total[5m])) by (node)' },
  options: [
    { flags: '--since <duration>', description: 'from so long ago', default: '1h' },
    { flags: '--until <duration>', description: 'to so long ago', default: '0s' },
    { flags: '--step <duration>', description: `between two points (default: a ${width}th of the time)` },
    { flags: '--chart', description: 'draw each series on lines of its own', default: false },
    urlOption,
  ],
  examples: [
    "k8sops metrics range 'sum(rate(container_cpu_usage_seconds_total[5m])) by (node)' --cluster apps",
    "k8sops metrics range 'ceph_cluster_total_used_bytes' --since 30d --chart",
  ],
  runbook: monitoringRunbook,
  async read(context) {
    const expression = requiredText(context.args.expression)
    const { from, to, stepSec } = rangeOf(context.options, Date.now() / 1000)
    const { service, cluster } = await openMonitoring(context, 'metrics')
    const options = { cluster, from, to, stepSec, signal: context.signal }
    const series = answerOf(await rangeQuery(service, expression, options), service, 'the query')
    if (series.length === 0) context.note(nothingFound(cluster))
    const hidden = sharedLabels(series)
    const items = series.map((one) => itemOf(one, hidden, from, to))
    const data = {
      kind: 'MetricsRange',
      fields: { expression, cluster: cluster ?? 'all', from: iso(from), to: iso(to), stepSec },
      items: items.map(({ line: _, ...item }) => item),
    }
    const lines = new Map(items.map(({ name, line }) => [name, line]))
    if (context.options.chart === true) {
      const pictures = series.map((one) => {
        const samples = resample(one.points, from, to, width)
        return `${seriesName(one.labels, hidden)}\n${columnChart(samples, 8, shortNumber)}`
      })
      return { ...data, text: pictures.length === 0 ? 'nothing found' : pictures.join('\n\n') }
    }
    return { ...data, columns: columns(lines) }
  },
})

const columns = (lines: Map<string, string>): Column[] => [
  { title: 'series', value: cell('shown') },
  { title: 'over time', value: ({ name }) => lines.get(String(name)) ?? '' },
  ...['least', 'greatest', 'last'].map((field) => ({
    title: field,
    value: (row: { [key: string]: Json }) => (typeof row[field] === 'number' ? shortNumber(row[field]) : ''),
  })),
  { title: 'all labels', value: cell('name'), wide: true },
]

interface Item {
  [key: string]: Json
  name: string
  line: string
}

function itemOf({ labels, points }: Series, hidden: Set<string>, from: number, to: number): Item {
  const values = points.map(([, value]) => value).filter(Number.isFinite)
  const orNull = (value: number) => (Number.isFinite(value) ? value : null)
  return {
    name: seriesName(labels),
    shown: seriesName(labels, hidden),
    labels,
    least: orNull(values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)),
    greatest: orNull(values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)),
    last: orNull(points.at(-1)?.[1] ?? Number.NaN),
    points: points.map(([at, value]) => [iso(at), orNull(value)]),
    line: sparkline(resample(points, from, to, width)),
  }
}

const iso = (at: number) => new Date(at * 1000).toISOString()

/** @throws UsageError for a time that ends before it begins, or has more points than anybody serves */
export function rangeOf(
  options: { [name: string]: unknown },
  now: number,
): { from: number; to: number; stepSec: number } {
  const seconds = (name: string) => parseDurationSec(String(options[name]))
  const [from, to] = [now - seconds('since'), now - seconds('until')]
  if (from >= to) throw new UsageError('--since must be longer ago than --until')
  const step = textOption(options.step as string | undefined)
  const stepSec = step === undefined ? Math.max(leastStepSec, Math.ceil((to - from) / width)) : parseDurationSec(step)
  if (stepSec <= 0 || (to - from) / stepSec > mostPoints)
    throw new UsageError(`--step ${step} makes more than ${mostPoints} points`, { next: 'give a longer --step' })
  return { from, to, stepSec }
}
