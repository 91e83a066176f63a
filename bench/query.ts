/**
 * How long one waits for a dashboard (NFR3: 95 % of its queries within 2 s) and for a search in logs (NFR4: within 5 s): every query of
 * the dashboards, over the time that they show, against the real VictoriaMetrics and VictoriaLogs with six hours of two clusters.
 * K8SOPS_BENCH_THINGS says how many nodes, pods and so on there are of each kind (20: about 85,000 series).
 */
import { dashboards, filledIn, type Panel } from '../test/helpers/dashboards.ts'
import { generatedSeries, importSeries } from '../test/helpers/generated-series.ts'
import { clusters, metricLists } from '../test/helpers/metric-lists.ts'
import { queryRange, startVictoriaLogs, startVictoriaMetrics } from '../test/helpers/victoria.ts'
import { row } from './measure.ts'

const hours = 6
const linesOfLogs = 1_000_000
const rounds = 3

export async function benchQuery(): Promise<void> {
  const things = Number(process.env.K8SOPS_BENCH_THINGS ?? 20)
  const end = Math.floor(Date.now() / 60_000) * 60_000
  const metrics = await startVictoriaMetrics({}, ['-search.latencyOffset=0s'])
  const logs = await startVictoriaLogs()
  try {
    const series = await importSeries(metrics.url, generatedSeries(metricLists(), end, hours * 60, things))
    await fillLogs(logs.url, end)
    console.log(`  ${series} series of ${hours} hours, ${linesOfLogs} lines of logs`)
    const start = end / 1000 - hours * 3600
    const all = clusters.join('|')
    const ask = async (panel: Panel, expr: string, queryType?: string): Promise<void> => {
      const query = filledIn(expr, all)
      if (panel.datasource?.uid === 'victoriametrics') await queryRange(metrics.url, query, start, end / 1000, 30)
      else await search(logs.url, query, start, end / 1000, queryType === 'statsRange')
    }
    const targets = dashboards()
      .flatMap(({ panels }) => panels)
      .flatMap((panel) => (panel.targets ?? []).map((target) => ({ panel, target })))
    const took: Record<'metrics' | 'logs', number[]> = { metrics: [], logs: [] }
    for (let round = 0; round < rounds; round++) {
      for (const { panel, target } of targets) {
        const begun = performance.now()
        await ask(panel, target.expr, target.queryType)
        took[panel.datasource?.uid === 'victoriametrics' ? 'metrics' : 'logs'].push(performance.now() - begun)
      }
      for (const text of ['error', '"request 77777 "', 'k_pod_name:odoo-3 AND failed']) {
        const begun = performance.now()
        await search(logs.url, text, start, end / 1000, false)
        took.logs.push(performance.now() - begun)
      }
    }
    show('dashboard queries (NFR3)', took.metrics, 2000)
    show('searches in logs (NFR4)', took.logs, 5000)
  } finally {
    await metrics.close()
    await logs.close()
  }
}

function show(what: string, times: number[], limit: number): void {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  const figure = `${at(0.5).toFixed(0)} / ${at(0.95).toFixed(0)} / ${at(1).toFixed(0)} ms`
  row(`${what}: half, 95 % within, slowest`, figure, `95 % within ${limit} ms`, at(0.95) <= limit)
}

async function search(url: string, query: string, start: number, end: number, stats: boolean): Promise<void> {
  const body = new URLSearchParams({
    query,
    start: `${start}`,
    end: `${end}`,
    ...(stats ? { step: '5m' } : { limit: '200' }),
  })
  const response = await fetch(`${url}/select/logsql/${stats ? 'stats_query_range' : 'query'}`, {
    method: 'POST',
    body,
  })
  if (!response.ok) throw new Error(`${query}: ${await response.text()}`)
  await response.arrayBuffer()
}

async function fillLogs(url: string, end: number): Promise<void> {
  const fields = '_stream_fields=stream,k_namespace_name,k_pod_name,app,cluster&_msg_field=log&_time_field=date'
  const batch = 20_000
  for (let first = 0; first < linesOfLogs; first += batch) {
    const lines = Array.from({ length: batch }, (_, index) => {
      const number = first + index
      const app = ['odoo', 'n8n', 'helm-controller'][number % 3]
      return JSON.stringify({
        date: new Date(end - Math.floor((number / linesOfLogs) * hours * 3_600_000)).toISOString(),
        log: number % 50 === 0 ? `error: request ${number} failed` : `request ${number} served in ${number % 977} ms`,
        stream: number % 2 === 0 ? 'stdout' : 'stderr',
        k_namespace_name: app === 'helm-controller' ? 'flux-system' : 'business',
        k_pod_name: `${app}-${number % 7}`,
        app,
        cluster: clusters[number % clusters.length],
      })
    })
    const sent = await fetch(`${url}/insert/jsonline?${fields}`, { method: 'POST', body: `${lines.join('\n')}\n` })
    if (!sent.ok) throw new Error(`logs: HTTP ${sent.status}`)
  }
  await fetch(`${url}/internal/force_flush`)
}
