/** Series of two clusters, made of the metric lists alone: of each metric one for every value that its labels have. */
import { clusters, type MetricList, type Series, seriesByName } from './metric-lists.ts'

export interface GeneratedSeries {
  metric: Record<string, string>
  values: number[]
  timestamps: number[]
}

const buckets = ['0.005', '0.05', '0.5', '1', '5', '30', '120', '300', '1000', '+Inf']

/**
 * @param end in ms since 1970
 * @param samples how many, one a minute, the last of them at `end`
 * @param things of a kind, where the values of a label are open; they fit together over all metrics (pod-1 is in namespace-1)
 */
export function* generatedSeries(
  lists: MetricList[],
  end: number,
  samples: number,
  things = 2,
): Generator<GeneratedSeries> {
  const instances = Array.from({ length: things }, (_, index) => index + 1)
  const timestamps = Array.from({ length: samples }, (_, index) => end - (samples - 1 - index) * 60_000)
  const seen = new Set<string>()
  for (const [name, all] of seriesByName(lists)) {
    for (const series of all) {
      for (const instance of instances) {
        for (const metric of labelSets(series, instance)) {
          const key = JSON.stringify([name, metric])
          if (seen.has(key)) continue
          seen.add(key)
          yield { metric: { __name__: name, ...metric }, values: timestamps.map(amountOf(series, metric)), timestamps }
        }
      }
    }
  }
}

function labelSets({ labels, metric }: Series, instance: number): Record<string, string>[] {
  let sets: Record<string, string>[] = [{}]
  for (const [label, values] of labels) {
    const some =
      label === 'le' && metric.type === 'histogram' ? buckets : values.length > 0 ? values : [`${label}-${instance}`]
    sets = sets.flatMap((set) => some.map((value) => ({ ...set, [label]: value })))
  }
  return sets
}

const day = 86_400

function amountOf({ name, metric }: Series, labels: Record<string, string>): (time: number, index: number) => number {
  const size = 1 + clusters.indexOf(labels.cluster ?? '')
  if (name.endsWith('_bucket')) {
    const rank = 1 + buckets.indexOf(labels.le ?? '')
    return (_, index) => index * rank * size
  }
  if (metric.type === 'counter' || metric.type === 'histogram' || name.endsWith('_count') || name.endsWith('_sum'))
    return (_, index) => index * 10 * size
  if (/expiration|not_after|renewal|next_schedule/.test(name)) return (time) => time / 1000 + 60 * day
  if (/timestamp|_time(_seconds)?$|_created$|_started$/.test(name)) return (time) => time / 1000 - 60
  return () => size
}

/** Puts them into VictoriaMetrics. @returns how many series there are */
export async function importSeries(url: string, all: Iterable<GeneratedSeries>): Promise<number> {
  let count = 0
  let lines: string[] = []
  const send = async () => {
    const response = await fetch(`${url}/api/v1/import`, { method: 'POST', body: lines.join('\n') })
    if (!response.ok) throw new Error(`import: HTTP ${response.status} ${await response.text()}`)
    lines = []
  }
  for (const series of all) {
    lines.push(JSON.stringify(series))
    count++
    if (lines.length === 2000) await send()
  }
  if (lines.length > 0) await send()
  await fetch(`${url}/internal/force_flush`)
  return count
}
