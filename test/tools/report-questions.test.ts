/**
 * Every question of the report against the real VictoriaMetrics, filled with series made of the exporters' metric lists: it is answered for
 * each cluster, and asks for nothing that no exporter says.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { expressionOf, figureQuestions, topQuestions, trendQuestions } from '../../src/lib/ops/report-questions.ts'
import { behindUrl } from '../../src/lib/tools/monitoring.ts'
import { instantQuery, rangeQuery } from '../../src/lib/tools/victoria-metrics.ts'
import { type GeneratedSeries, generatedSeries, importSeries } from '../helpers/generated-series.ts'
import { clusters, metricLists, seriesByName } from '../helpers/metric-lists.ts'
import { unknownIn } from '../helpers/metricsql.ts'
import { type Program, startVictoriaMetrics } from '../helpers/victoria.ts'

const lists = metricLists()
const rangeSec = 1800
const to = Math.floor(Date.now() / 60_000) * 60 - 60
let metrics: Program

beforeAll(async () => {
  metrics = await startVictoriaMetrics({}, ['-search.latencyOffset=0s'])
  await importSeries(metrics.url, generatedSeries(lists, to * 1000, 31))
  await importSeries(metrics.url, clusters.map(flapping))
  await fetch(`${metrics.url}/internal/force_flush`)
})
afterAll(() => metrics?.close())

/** The generated gauges are steady. */
function flapping(cluster: string): GeneratedSeries {
  const timestamps = Array.from({ length: 31 }, (_, index) => (to - (30 - index) * 60) * 1000)
  const metric = {
    __name__: 'kube_deployment_status_replicas_available',
    cluster,
    namespace: 'business',
    deployment: 'odoo',
  }
  return { metric, timestamps, values: timestamps.map((_, index) => index % 2) }
}

const questions = [...figureQuestions, ...topQuestions, ...trendQuestions]

it.each(questions)('$id asks for what exporters say', (question) => {
  // `$range` is a duration, which the reader of queries takes as one.
  expect(unknownIn(expressionOf(question, rangeSec), seriesByName(lists))).toEqual([])
})

describe.each(clusters)('of %s', (cluster) => {
  it.each([...figureQuestions, ...topQuestions])('$id has an answer', async (question) => {
    const service = behindUrl('metrics', metrics.url)
    const read = await instantQuery(service, expressionOf(question, rangeSec), { cluster, at: to })
    if (!read.ok) throw new Error(read.detail)
    expect(read.value.length).toBeGreaterThan(0)
    const [first] = read.value
    expect(first?.points.at(-1)?.[1]).toEqual(expect.any(Number))
    // By these a row is named.
    if ('by' in question) for (const label of question.by) expect(first?.labels[label]).toBeTruthy()
  })

  it.each(trendQuestions)('$id goes over the time', async (question) => {
    const service = behindUrl('metrics', metrics.url)
    const range = { cluster, from: to - rangeSec, to, stepSec: 60 }
    const read = await rangeQuery(service, expressionOf(question, rangeSec), range)
    if (!read.ok) throw new Error(read.detail)
    expect(read.value).toHaveLength(1)
    expect(read.value[0]?.points.length).toBeGreaterThan(10)
  })
})
