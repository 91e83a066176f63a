/**
 * From a sample to the operator: the real VictoriaMetrics, vmalert and Alertmanager, with the intervals, the rules and the routes of the
 * manifests. Only where the operator's messenger and the dead man's switch listen is ours.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { dig } from '../../src/lib/repo/fields.ts'
import { type RenderedObject, renderedObjects, rulesIn } from '../helpers/alert-rules.ts'
import { eventually } from '../helpers/lab.ts'
import { tool } from '../helpers/talos-fleet.ts'
import { type Program, startProgram, startVictoriaMetrics } from '../helpers/victoria.ts'

interface Message {
  at: number
  path: string
  text: string
}
interface Shown {
  labels: Record<string, string>
  receivers: { name: string }[]
  status: { state: string; inhibitedBy: string[] }
}

let inbox: Server
const messages: Message[] = []
let objects: RenderedObject[]
let metrics: Program
let alertmanager: Program

beforeAll(async () => {
  objects = await renderedObjects()
  inbox = createServer(async (request, response) => {
    const body = Buffer.concat(await request.toArray()).toString()
    messages.push({ at: Date.now(), path: request.url ?? '', text: body })
    response.setHeader('content-type', 'application/json')
    response.end('{"ok":true,"result":{"message_id":1,"date":1,"chat":{"id":1,"type":"private"}}}')
  }).listen(0, '127.0.0.1')
  await once(inbox, 'listening')
  metrics = await startVictoriaMetrics(
    {},
    flagsOf('victoria-metrics', 'vmsingle.spec.extraArgs', ['search.latencyOffset']),
  )
  alertmanager = await startProgram(
    'alertmanager',
    (listen, directory) => {
      writeFileSync(join(directory, 'config.yaml'), configuration())
      return [
        '--config.file=config.yaml',
        '--storage.path=data',
        `--web.listen-address=${listen}`,
        '--cluster.listen-address=',
      ]
    },
    { ready: '/-/ready' },
  )
})
afterAll(async () => {
  await alertmanager?.close()
  await metrics?.close()
  inbox?.close()
  inbox?.closeAllConnections()
})

const infra = 'infra'
const named = (kind: string, name: string) => {
  const found = objects.find((one) => one.kind === kind && one.name === name && one.cluster === infra)
  if (!found) throw new Error(`no ${kind} ${name} on ${infra}`)
  return found.object
}

/** Those of a release's flags that decide when something is seen. */
function flagsOf(release: string, path: string, names: string[]): string[] {
  const all = (dig(named('HelmRelease', release), `spec.values.${path}`) ?? {}) as Record<string, string>
  return names.filter((name) => all[name] !== undefined).map((name) => `-${name}=${all[name]}`)
}

/** Alertmanager's, as External Secrets writes it, with an operator and a dead man's switch that listen here. */
function configuration(): string {
  const here = `http://127.0.0.1:${(inbox.address() as AddressInfo).port}`
  const values: Record<string, string> = { token: '1:test', chat: '1', deadman: `${here}/deadman` }
  const data = dig(named('ExternalSecret', 'alertmanager'), 'spec.target.template.data') as Record<string, string>
  const text = (data['alertmanager.yaml'] ?? '').replace(
    /\{\{ \.(\w+) \}\}/g,
    (whole, key: string) => values[key] ?? whole,
  )
  expect(text).not.toContain('{{ .')
  const config = parse(text) as { global?: object }
  return stringify({ ...config, global: { ...config.global, telegram_api_url: here } })
}

async function post(alerts: { labels: Record<string, string> }[]): Promise<void> {
  const body = JSON.stringify(alerts.map((one) => ({ ...one, annotations: { summary: 'a test' } })))
  const sent = await fetch(`${alertmanager.url}/api/v2/alerts`, {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  expect(sent.status).toBe(200)
}
const shown = async () => (await (await fetch(`${alertmanager.url}/api/v2/alerts`)).json()) as Shown[]

test('Alertmanager refuses a configuration with a route to nobody', () => {
  writeFileSync(
    join(alertmanager.directory, 'broken.yaml'),
    configuration().replace('receiver: nobody', 'receiver: somebody'),
  )
  const args = [
    '--config.file=broken.yaml',
    '--storage.path=broken',
    '--web.listen-address=127.0.0.1:0',
    '--cluster.listen-address=',
  ]
  const ran = spawnSync(tool('alertmanager'), args, { encoding: 'utf8', cwd: alertmanager.directory, timeout: 20_000 })
  expect(ran.status).toBe(1)
  expect(ran.stderr).toContain('somebody')
})

describe('routes', () => {
  test.each([
    ['critical', { alertname: 'NodeNotReady', severity: 'critical', cluster: 'apps', node: 'n1' }, ['operator']],
    ['warning', { alertname: 'PodPending', severity: 'warning', cluster: 'apps', namespace: 'business' }, ['operator']],
    ['info', { alertname: 'Something', severity: 'info', cluster: 'apps' }, ['nobody']],
    ['the sign of life', { alertname: 'Watchdog', severity: 'info', cluster: infra }, ['dead-mans-switch']],
    ["another cluster's sign of life", { alertname: 'Watchdog', severity: 'info', cluster: 'apps' }, ['nobody']],
  ])('%s', async (_, labels, receivers) => {
    await post([{ labels }])
    const all = await eventually(shown, (alerts) => alerts.some((one) => same(one.labels, labels)), 10)
    expect(all.find((one) => same(one.labels, labels))?.receivers.map(({ name }) => name)).toEqual(receivers)
  })

  test('a cluster that is silent wakes once, not by everything that it no longer says', async () => {
    const other = { alertname: 'GatewayNoBackend', severity: 'critical', cluster: 'apps' }
    await post([{ labels: { alertname: 'ClusterSilent', severity: 'critical', cluster: 'apps' } }, { labels: other }])
    const all = await eventually(shown, (alerts) => alerts.some((one) => one.status.inhibitedBy.length > 0), 10)
    expect(all.find((one) => same(one.labels, other))?.status.state).toBe('suppressed')
    expect(all.find((one) => one.labels.alertname === 'ClusterSilent')?.status.state).toBe('active')
  })

  test("the dead man's switch hears of the sign of life", async () => {
    const heard = async () => messages.some(({ path, text }) => path === '/deadman' && text.includes('Watchdog'))
    expect(await eventually(heard, (yes) => yes, 20)).toBe(true)
  })
})

const same = (labels: Record<string, string>, wanted: object) =>
  Object.entries(wanted).every(([key, value]) => labels[key] === value)

const secondsOf = (text: string) => Number.parseInt(text, 10) * (text.endsWith('m') ? 60 : 1)

test('what is critical is told within a minute of the sample that shows it (NFR41)', async () => {
  const values = 'vmalert.spec'
  const interval = String(dig(named('HelmRelease', 'cluster-metrics'), `spec.values.${values}.evaluationInterval`))
  const flags = flagsOf('cluster-metrics', `${values}.extraArgs`, ['rule.evalDelay'])
  const wait = (
    parse(configuration()) as { route: { routes: { matchers: string[]; group_wait?: string }[] } }
  ).route.routes.find(({ matchers }) => matchers.includes('severity="critical"'))?.group_wait
  const delay = flags[0]?.split('=')[1] ?? '30s'
  // At worst: a look has just been taken, and it looks that far back.
  expect(secondsOf(delay) + secondsOf(interval) + secondsOf(wait ?? '30s')).toBeLessThanOrEqual(55)

  const group = rulesIn(objects)
    .flatMap(({ groups }) => groups)
    .find(({ rules }) => rules.some(({ alert }) => alert === 'LogsLost'))
  const rules = group?.rules.filter(({ alert }) => alert === 'LogsLost')
  const seen = messages.length
  const vmalert = await startProgram('vmalert', (listen, directory) => {
    writeFileSync(join(directory, 'rules.yaml'), stringify({ groups: [{ name: group?.name, rules }] }))
    return [
      `-httpListenAddr=${listen}`,
      '-rule=rules.yaml',
      `-datasource.url=${metrics.url}/?extra_label=cluster=${infra}`,
      `-notifier.url=${alertmanager.url}`,
      `-remoteWrite.url=${metrics.url}`,
      `-evaluationInterval=${interval}`,
      `-external.label=cluster=${infra}`,
      ...flags,
    ]
  })
  try {
    const scrape = async (lost: number) => {
      const body = ['infra', 'apps']
        .flatMap((cluster) => [
          // The other cluster loses some as well: its own vmalert would say so.
          `fluentbit_output_retries_failed_total{cluster="${cluster}",pod="${cluster}-pod",name="http"} ${lost}`,
          `fluentbit_output_dropped_records_total{cluster="${cluster}",pod="${cluster}-pod",name="http"} 0`,
        ])
        .join('\n')
      await fetch(`${metrics.url}/api/v1/import/prometheus`, { method: 'POST', body: `${body}\n` })
    }
    await scrape(0)
    const begun = Date.now()
    const told = async () => {
      await scrape(1)
      return messages
        .slice(seen)
        .find(({ text }) => text.includes('LogsLost') || text.includes('throws%20logs') || text.includes('throws+logs'))
    }
    const message = await eventually(told, (found) => found !== undefined, 90)
    const took = ((message?.at ?? Number.POSITIVE_INFINITY) - begun) / 1000
    expect(took).toBeLessThan(60)
    expect(message?.path).toContain('sendMessage')
    expect(decodeURIComponent(message?.text ?? '')).toContain('infra')
    const alerts = (await shown()).filter(({ labels }) => labels.alertname === 'LogsLost')
    expect(alerts.map(({ labels }) => [labels.cluster, labels.pod])).toEqual([[infra, 'infra-pod']])
  } finally {
    await vmalert.close()
  }
})
