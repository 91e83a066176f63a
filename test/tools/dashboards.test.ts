/**
 * Every panel of every dashboard against the real VictoriaMetrics and VictoriaLogs, filled with series made of the metric lists and with
 * logs as Fluent Bit sends them, of two clusters: it shows data of each.
 */
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { dig } from '../../src/lib/repo/fields.ts'
import { type RenderedObject, renderedObjects, rulesIn } from '../helpers/alert-rules.ts'
import { dashboards, filledIn, labelValues, type Panel } from '../helpers/dashboards.ts'
import { generatedSeries, importSeries } from '../helpers/generated-series.ts'
import { clusters, metricLists, seriesByName } from '../helpers/metric-lists.ts'
import { readQuery, unknownIn } from '../helpers/metricsql.ts'
import { tool } from '../helpers/talos-fleet.ts'
import { type Program, queryRange, startVictoriaLogs, startVictoriaMetrics } from '../helpers/victoria.ts'

const lists = metricLists()
const known = seriesByName(lists)
const samples = 31
let metrics: Program
let logs: Program
/** In ms since 1970. */
let end: number

beforeAll(async () => {
  end = Math.floor(Date.now() / 60_000) * 60_000 - 60_000
  ;[metrics, logs] = await Promise.all([startVictoriaMetrics({}, ['-search.latencyOffset=0s']), startVictoriaLogs()])
  const objects = await renderedObjects()
  await importSeries(metrics.url, generatedSeries(lists, end, samples))
  recordSeries(objects)
  await fetch(`${metrics.url}/internal/force_flush`)
  await sendLogs(logInput(objects))
})
afterAll(async () => {
  await metrics?.close()
  await logs?.close()
})

/** What recording rules make of it, by the real vmalert. */
function recordSeries(objects: RenderedObject[]): void {
  const groups = rulesIn(objects)
    .filter(({ cluster }) => cluster === clusters[0])
    .flatMap((object) => object.groups)
    .map((group) => ({ ...group, rules: group.rules.filter(({ record }) => record !== undefined) }))
    .filter(({ rules }) => rules.length > 0)
  for (const { record = '' } of groups.flatMap(({ rules }) => rules)) {
    const [cluster] = known.get('up') ?? []
    if (cluster) known.set(record, [{ ...cluster, name: record, labels: new Map([['cluster', clusters]]) }])
  }
  const file = join(metrics.directory, 'records.yaml')
  writeFileSync(file, stringify({ groups }))
  const from = new Date(end - (samples - 1) * 60_000).toISOString()
  const ran = spawnSync(
    tool('vmalert'),
    [
      `-rule=${file}`,
      `-datasource.url=${metrics.url}`,
      `-remoteWrite.url=${metrics.url}`,
      `-replay.timeFrom=${from}`,
      `-replay.timeTo=${new Date(end).toISOString()}`,
      '-replay.rulesDelay=0s',
      '-httpListenAddr=127.0.0.1:0',
    ],
    { encoding: 'utf8', cwd: metrics.directory },
  )
  if (ran.status !== 0) throw new Error(`vmalert: ${ran.stdout}${ran.stderr}`)
}

/** Where Fluent Bit sends logs: path and query of its output. */
function logInput(objects: RenderedObject[]): string {
  const release = objects.find(({ kind, name }) => kind === 'HelmRelease' && name === 'fluent-bit')
  const outputs = String(dig(release?.object, 'spec.values.config.outputs'))
  const [, uri] = /^\s+URI (\S+)$/m.exec(outputs) ?? []
  if (!uri) throw new Error(`Fluent Bit sends nowhere: ${outputs}`)
  return uri
}

async function sendLogs(uri: string): Promise<void> {
  const lines: string[] = []
  for (const cluster of clusters) {
    for (const [namespace, app] of [
      ['business', 'odoo'],
      ['flux-system', 'helm-controller'],
    ]) {
      for (let minute = 1; minute < samples; minute++) {
        const line = minute % 5 === 0 ? `error: request ${minute} failed` : `request ${minute} served`
        lines.push(
          JSON.stringify({
            date: new Date(end - minute * 60_000).toISOString(),
            log: line,
            stream: minute % 2 === 0 ? 'stdout' : 'stderr',
            k_namespace_name: namespace,
            k_pod_name: `${app}-0`,
            k_container_name: 'app',
            k_host: 'n1',
            app,
            cluster,
          }),
        )
      }
    }
  }
  const sent = await fetch(`${logs.url}${uri}`, { method: 'POST', body: `${lines.join('\n')}\n` })
  expect(sent.status).toBe(200)
  await fetch(`${logs.url}/internal/force_flush`)
}

/** The label sets that a target shows. */
async function ask(panel: Panel, expr: string, queryType?: string): Promise<Record<string, string>[]> {
  const seconds = (ms: number) => ms / 1000
  const start = end - 15 * 60_000
  if (panel.datasource?.uid === 'victoriametrics') {
    const result = await queryRange(metrics.url, expr, seconds(start), seconds(end))
    return result
      .filter(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))))
      .map((one) => one.metric)
  }
  const body = new URLSearchParams({ query: expr, start: `${seconds(start)}`, end: `${seconds(end)}` })
  if (queryType === 'statsRange') {
    body.set('step', '60s')
    const response = await fetch(`${logs.url}/select/logsql/stats_query_range`, { method: 'POST', body })
    if (!response.ok) throw new Error(`${expr}: ${await response.text()}`)
    return ((await response.json()) as { data: { result: { metric: Record<string, string> }[] } }).data.result.map(
      ({ metric }) => metric,
    )
  }
  const response = await fetch(`${logs.url}/select/logsql/query`, { method: 'POST', body })
  const text = await response.text()
  if (!response.ok) throw new Error(`${expr}: ${text}`)
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, string>)
}

const panels = dashboards().flatMap((dashboard) =>
  dashboard.panels
    .filter(({ type }) => type !== 'row')
    .map((panel): [string, Panel] => [`${dashboard.file} ${panel.id} ${panel.title}`, panel]),
)

test('the four dashboards are there, and each panel in its own place', () => {
  expect(dashboards().map(({ file }) => file)).toEqual([
    'application-health.json',
    'cluster-comparison.json',
    'cluster-overview.json',
    'flux-gitops.json',
  ])
  expect(new Set(dashboards().map(({ uid }) => uid)).size).toBe(4)
  for (const { file, panels: all } of dashboards()) {
    const taken = new Map<string, string>()
    for (const { title, gridPos } of all) {
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x},${y}`), `${file}: ${title} lies over another`).toBeUndefined()
          taken.set(`${x},${y}`, title)
        }
      }
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24)
    }
  }
})

describe('every panel shows data of both clusters', () => {
  test.each(panels)('%s', async (_, panel) => {
    expect(panel.targets?.length).toBeGreaterThan(0)
    for (const { expr, legendFormat = '', queryType } of panel.targets ?? []) {
      if (panel.datasource?.uid === 'victoriametrics') expect(unknownIn(expr, known), expr).toEqual([])
      for (const cluster of clusters) {
        const shown = await ask(panel, filledIn(expr, cluster), queryType)
        expect(shown.filter((labels) => labels.cluster === cluster).length, `${cluster}: ${expr}`).toBeGreaterThan(0)
        if (expr.includes('$cluster'))
          expect(new Set(shown.map((labels) => labels.cluster)), expr).toEqual(new Set([cluster]))
        for (const [, label = ''] of legendFormat.matchAll(/\{\{(\w+)\}\}/g))
          expect(shown[0], `${expr}: the legend shows ${label}`).toHaveProperty(label)
      }
    }
  })
})

test('every variable offers values', async () => {
  for (const { file, templating } of dashboards()) {
    for (const { name, definition } of templating.list) {
      const { selector, label } = labelValues(definition)
      expect(unknownIn(selector, known), definition).toEqual([])
      const query = new URLSearchParams({
        'match[]': filledIn(selector, clusters.join('|')),
        start: `${end / 1000 - 900}`,
        end: `${end / 1000}`,
      })
      const answer = (await (await fetch(`${metrics.url}/api/v1/label/${label}/values?${query}`)).json()) as {
        data: string[]
      }
      expect(answer.data, `${file}: ${name}`).not.toEqual([])
      if (name === 'cluster') expect(answer.data.toSorted()).toEqual([...clusters].toSorted())
    }
  }
})

test('a panel that misspells a metric, a label or a field shows nothing', async () => {
  const [panel] = panels[0] ? [panels[0][1]] : []
  if (!panel) throw new Error('no panel')
  const log = { ...panel, datasource: { type: 'logs', uid: 'victorialogs' } }
  expect(await ask(panel, 'sum by (cluster) (kube_pod_status_phse)')).toEqual([])
  expect(await ask(panel, 'kube_pod_status_phase{namespce="x"}')).toEqual([])
  expect(await ask(log, '{k_namespace="business"}')).toEqual([])
  await expect(ask(panel, 'sum by (cluster (up)')).rejects.toThrow(/parse/)
  expect(readQuery('up').selectors).toHaveLength(1)
})
