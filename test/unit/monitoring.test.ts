/** Metrics, logs and alerts from argv to stdout and exit code. What answers is an HTTP server with recorded answers; the real programs stand in test/tools. */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { alertsList } from '../../src/commands/alerts/list.ts'
import { alertsShow } from '../../src/commands/alerts/show.ts'
import { alertsSilence } from '../../src/commands/alerts/silence.ts'
import { alertsSilenceBody } from '../../src/commands/alerts/silence-body.ts'
import { benchQuery, percentile } from '../../src/commands/bench/query.ts'
import { logs } from '../../src/commands/logs.ts'
import { metricsQuery } from '../../src/commands/metrics/query.ts'
import { metricsRange } from '../../src/commands/metrics/range.ts'
import { filledExpression } from '../../src/lib/repo/dashboards.ts'
import { findService } from '../../src/lib/tools/monitoring.ts'
import { logsFilter } from '../../src/lib/tools/victoria-logs.ts'
import { seriesName } from '../../src/lib/tools/victoria-metrics.ts'
import type { KubeObject, KubePort, RawOptions, Result } from '../../src/lib/types.ts'
import { columnChart, resample, shortNumber, sparkline } from '../../src/lib/ui/sparkline.ts'
import { runCli, worldServices } from '../helpers/cli.ts'
import { makeWorld, type World } from '../helpers/engine-world.ts'
import { fc } from '../helpers/seeded-check.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

type Answer = [status: number, body: string]

/** Answers every request with what `give` says, and remembers what was asked for. */
async function serve(give: (url: URL, request: IncomingMessage) => Answer): Promise<{ url: string; asked: URL[] }> {
  const asked: URL[] = []
  const server: Server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://service')
    asked.push(url)
    const [status, body] = give(url, request)
    response.writeHead(status, { 'content-type': 'application/json' }).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked }
}

const specs = [benchQuery, metricsQuery, metricsRange, logs, alertsList, alertsShow, alertsSilence, alertsSilenceBody]

/** @param kube of each cluster, `test` and `other`; none is touched without it */
function run(argv: string[], kube?: (cluster: string) => KubePort) {
  const world: World = makeWorld()
  closing.push(() => world.remove())
  const services = worldServices(world, kube ? { kube: async ({ cluster }) => kube(cluster.name) } : {})
  return runCli(argv, { specs, services })
}

const vector = (...series: [Record<string, string>, string][]) =>
  JSON.stringify({
    status: 'success',
    data: {
      resultType: 'vector',
      result: series.map(([metric, value]) => ({ metric, value: [1_764_000_000, value] })),
    },
  })

describe('metrics', () => {
  it('asks for series of the chosen cluster only, and of all with --cluster all', async () => {
    const { url, asked } = await serve(() => [
      200,
      vector(
        [{ __name__: 'up', job: 'node', cluster: 'test', instance: 'a' }, '1'],
        [{ __name__: 'up', job: 'node', cluster: 'test', instance: 'b' }, '0'],
      ),
    ])
    const one = await run(['metrics', 'query', 'up', '--cluster', 'test', '--url', url])
    expect(one).toMatchObject({ code: 0, stderr: '' })
    // What all of them share tells nothing apart.
    expect(one.stdout).toMatch(/^up\{instance="a"\} +1$/m)
    expect(asked[0]?.searchParams.get('extra_label')).toBe('cluster=test')
    const all = await run(['metrics', 'query', 'up', '--cluster', 'all', '--url', url, '-o', 'json'])
    expect(asked[1]?.searchParams.has('extra_label')).toBe(false)
    expect(JSON.parse(all.stdout)).toMatchObject({
      apiVersion: 'k8sops.dev/v1',
      kind: 'MetricsResult',
      items: [{ name: 'up{job="node", cluster="test", instance="a"}', value: 1, at: '2025-11-24T16:00:00.000Z' }, {}],
    })
  })

  it('draws a range as a line, and as a picture', async () => {
    const values = Array.from({ length: 61 }, (_, index) => [Date.now() / 1000 - 3600 + index * 60, String(index)])
    const { url, asked } = await serve(() => [
      200,
      JSON.stringify({
        status: 'success',
        data: { resultType: 'matrix', result: [{ metric: { node: 'w1' }, values }] },
      }),
    ])
    const line = await run(['metrics', 'range', 'rate(x[5m])', '--url', url])
    expect(line.stdout).toMatch(/^\{node="w1"\} +▁+▂+▃+▄+▅+▆+▇+█+ +0 +60 +60$/m)
    expect(asked[0]?.searchParams.get('step')).toBe('60')
    const picture = await run(['metrics', 'range', 'rate(x[5m])', '--url', url, '--chart'])
    expect(picture.stdout.split('\n')).toHaveLength(10)
  })

  it('says what is wrong with a query, and where the language is explained', async () => {
    const error = 'cannot parse query: missing closing parenthesis'
    const { url } = await serve(() => [422, JSON.stringify({ status: 'error', errorType: '422', error })])
    const ended = await run(['metrics', 'query', 'sum(up', '--url', url])
    expect(ended.code).toBe(2)
    expect(ended.stderr).toContain(error)
    expect(ended.stderr).toContain('MetricsQL'.toLowerCase())
    expect(ended.stderr).not.toMatch(/^\s+at /m)
  })

  it('tells an empty result from an endpoint that is away, and from one that is something else', async () => {
    const empty = await serve(() => [200, vector()])
    const nothing = await run(['metrics', 'query', 'nope', '--url', empty.url])
    expect(nothing).toMatchObject({ code: 0, stdout: 'nothing found\n' })
    expect(nothing.stderr).toContain('--cluster all')
    const away = await run(['metrics', 'query', 'up', '--url', 'http://127.0.0.1:1'])
    expect(away.code).toBe(4)
    expect(away.stderr).toContain('does not answer')
    const page = await serve(() => [200, '<html>login</html>'])
    const other = await run(['metrics', 'query', 'up', '--url', page.url])
    expect(other.code).toBe(4)
    expect(other.stderr).toContain('no VictoriaMetrics')
  })

  it.each([
    [['metrics', 'query', ' '], 'the query is empty'],
    [['metrics', 'query', 'up', '--at', 'noon'], 'is no time'],
    [['metrics', 'query', 'up', '--url', 'vm.example'], 'is no http or https URL'],
    [['metrics', 'query', 'up', '--cluster', 'nope'], 'unknown cluster nope'],
    [['metrics', 'range', 'up', '--since', '1h', '--until', '2h'], 'longer ago'],
    [['metrics', 'range', 'up', '--since', '30d', '--step', '1s'], 'points'],
    [['logs', '--limit', 'many'], 'is no number of lines'],
    [['logs', '--follow', '--until', '5m'], '--follow has no end'],
    [['alerts', 'silence', 'X'], '--reason is missing'],
    [['alerts', 'silence', '--reason', 'why'], 'which alerts?'],
    [['alerts', 'silence', 'X', '--reason', 'why', '--for', '30d'], 'at most 7d'],
    [['alerts', 'silence', 'X', '--reason', 'why', '--matcher', 'namespace=odoo'], 'not a matcher'],
    [['alerts', 'silence', '--end', '../alerts'], 'is no id of a silence'],
  ])('%j is a usage error', async (argv, told) => {
    const { code, stderr } = await run(argv)
    expect(stderr).toContain(told)
    expect(code).toBe(2)
  })
})

const logLine = (at: string, message: string, more: object = {}) =>
  JSON.stringify({ _time: at, _msg: message, cluster: 'test', k_namespace_name: 'odoo', k_pod_name: 'odoo-1', ...more })

describe('logs', () => {
  it('asks for the newest lines, and shows them as they were written', async () => {
    const { url, asked } = await serve(() => [
      200,
      `${logLine('2026-11-30T10:00:01.5Z', 'second')}\n${logLine('2026-11-30T10:00:00Z', 'first')}\n`,
    ])
    const ended = await run([
      'logs',
      'odoo',
      '-n',
      'odoo',
      '--since',
      '30m',
      '--grep',
      'a"b',
      '--cluster',
      'all',
      '--url',
      url,
    ])
    expect(ended.stdout.split('\n')).toEqual([
      '2026-11-30T10:00:00Z    test odoo/odoo-1 : first',
      '2026-11-30T10:00:01.5Z  test odoo/odoo-1 : second',
      '',
    ])
    expect(asked[0]?.searchParams.get('query')).toBe(
      '_time:1800s "k_namespace_name":="odoo" "app":="odoo" _msg:~"a\\"b" | sort by (_time) desc limit 1000',
    )
  })

  it('says so when there is no line', async () => {
    const { url } = await serve(() => [200, ''])
    const ended = await run(['logs', 'nope', '--url', url])
    expect(ended).toMatchObject({ code: 0, stdout: 'nothing found\n' })
    expect(ended.stderr).toContain('no line since 1h')
  })

  it('quotes whatever stands in a selection', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const filter = logsFilter({ namespace: text, grep: text })
        expect(filter.startsWith('"k_namespace_name":="')).toBe(true)
        const [, namespace, grep] =
          /^"k_namespace_name":=("(?:[^"\\]|\\.)*") _msg:~("(?:[^"\\]|\\.)*")$/s.exec(filter) ?? []
        expect([JSON.parse(namespace ?? ''), JSON.parse(grep ?? '')]).toEqual([text, text])
      }),
    )
  })
})

const fires = (name: string, severity: string, cluster: string, state = 'active') => ({
  labels: { alertname: name, severity, cluster },
  annotations: { summary: `${name} is so`, runbook_url: 'docs/runbooks/x.md' },
  startsAt: '2026-11-30T10:00:00Z',
  status: { state, silencedBy: state === 'suppressed' ? ['s1'] : [] },
})
const held = {
  id: 's1',
  status: { state: 'active' },
  createdBy: 'jane@desk',
  comment: 'migration',
  endsAt: '2026-11-30T12:00:00Z',
  matchers: [{ name: 'alertname', value: 'C', isRegex: false, isEqual: true }],
}
const alertmanager = ({ pathname }: URL): Answer => [
  200,
  JSON.stringify(
    pathname.endsWith('/silences')
      ? [held, { ...held, id: 's0', status: { state: 'expired' } }]
      : [
          fires('A', 'warning', 'test'),
          fires('B', 'critical', 'test'),
          fires('C', 'critical', 'test', 'suppressed'),
          fires('D', 'critical', 'other'),
          fires('Watchdog', 'none', 'test'),
        ],
  ),
]

describe('alerts', () => {
  it('lists what somebody has to look at, the worst first, and says how much it leaves out', async () => {
    const { url } = await serve(alertmanager)
    const { stdout, stderr, code } = await run(['alerts', 'list', '--cluster', 'test', '--url', url, '-o', 'json'])
    expect(code).toBe(0)
    expect((JSON.parse(stdout) as { items: object[] }).items).toMatchObject([{ name: 'B' }, { name: 'A' }])
    expect(stderr).toContain('2 more')
    const all = await run(['alerts', 'list', '--cluster', 'all', '--all', '--url', url])
    expect(all.stdout).toMatch(
      /^critical +C +test .* suppressed, s1 by jane@desk until 2026-11-30T12:00:00Z: migration/m,
    )
    expect(all.stdout).toMatch(/^critical +D +other/m)
  })

  it('shows one whole, or says which there are', async () => {
    const { url } = await serve(alertmanager)
    const shown = await run(['alerts', 'show', 'C', '--url', url, '--cluster', 'all'])
    expect(shown.stdout).toContain('silenced s1 by jane@desk until')
    const missing = await run(['alerts', 'show', 'Z', '--url', url, '--cluster', 'all'])
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('what fires: B, C, D, A, Watchdog') })
  })

  it("plans a silence through the API server's proxy of the cluster that Alertmanager runs in, as lines that can be pasted", async () => {
    const kube = (name: string) =>
      proxyPort(name === 'other' ? [service('vmalertmanager', 'vmalertmanager-stack', 'http', 9093)] : [])
    const argv = [
      'alerts',
      'silence',
      'A',
      '--matcher',
      'namespace=~"odoo.*"',
      '--reason',
      'why not',
      '--cluster',
      'test',
    ]
    const { stdout, stderr } = await run([...argv, '--dry-run'], kube)
    expect(stderr).toBe('')
    expect(stdout).toContain('alerts.silence  cluster other')
    expect(stdout).toContain(
      'k8sops alerts silence-post --context other /api/v1/namespaces/observability/services/vmalertmanager-stack:http/proxy/api/v2/silences',
    )
    expect(stdout).toMatch(/k8sops alerts silence-body --by \S+ --comment 'why not \[alerts\.silence\/\S+\]'/)
    expect(stdout).toContain(`'alertname="A"' 'namespace=~"odoo.*"' 'cluster="test"'`)
  })

  it('makes the body that Alertmanager takes', async () => {
    const argv = ['--by', 'jane', '--comment', 'why', '--until', '2026-11-30T12:00:00Z', 'a!="b"', 'c=~"d|e"']
    const { stdout } = await run(['alerts', 'silence-body', ...argv])
    expect(JSON.parse(stdout)).toMatchObject({
      createdBy: 'jane',
      comment: 'why',
      endsAt: '2026-11-30T12:00:00.000Z',
      matchers: [
        { name: 'a', value: 'b', isRegex: false, isEqual: false },
        { name: 'c', value: 'd|e', isRegex: true, isEqual: true },
      ],
    })
  })
})

function service(label: string, name: string, port: string, number: number): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'observability', labels: { 'app.kubernetes.io/name': label } },
    spec: {
      ports: [
        { name: 'mesh', port: 9094 },
        { name: port, port: number },
      ],
    },
  }
}

/** An API server with these Services; what is asked of its proxy is answered by `answer`. */
function proxyPort(
  services: KubeObject[] | Extract<Result<never>, { ok: false }>,
  answer: (path: string, options?: RawOptions) => Result<string> = () => ({ ok: true, value: '[]' }),
): KubePort {
  return {
    list: async ({ kind }) => {
      if (kind !== 'Service') return { ok: true, value: [] }
      return Array.isArray(services) ? { ok: true, value: services } : services
    },
    watch: async () => {},
    raw: async (path, options) => answer(path, options),
  }
}

describe('the way there', () => {
  const selectors = { metrics: 'app.kubernetes.io/name=vmsingle', logs: 'app.kubernetes.io/name=vlsingle' }
  const away = { ok: false as const, why: 'unreachable' as const, detail: 'connect ECONNREFUSED' }

  it('is the first cluster that has a Service of it, and the port that speaks HTTP', async () => {
    const asked: string[] = []
    const answer = (path: string): Result<string> => {
      asked.push(path)
      return { ok: true, value: 'x' }
    }
    const found = await findService('metrics', selectors, [
      { cluster: 'apps', kube: proxyPort([]) },
      {
        cluster: 'infra',
        kube: proxyPort(
          [
            service('vmsingle', 'vmsingle-stack-additional', 'http', 1),
            service('vmsingle', 'vmsingle-stack', 'http', 8428),
          ],
          answer,
        ),
      },
    ])
    expect(found).toMatchObject({ ok: true, value: { home: 'infra', name: 'observability/vmsingle-stack' } })
    if (found.ok) await found.value.read('/api/v1/query?query=up')
    expect(asked).toEqual(['/api/v1/namespaces/observability/services/vmsingle-stack:http/proxy/api/v1/query?query=up'])
  })

  it('is not known when nobody has one; and who could not be asked is named', async () => {
    const none = await findService('logs', selectors, [{ cluster: 'apps', kube: proxyPort([]) }])
    expect(none).toMatchObject({ ok: false, why: 'not-found', detail: expect.stringContaining('in apps') })
    const unasked = await findService('logs', selectors, [
      { cluster: 'apps', kube: proxyPort([]) },
      { cluster: 'infra', kube: proxyPort(away) },
    ])
    expect(unasked).toMatchObject({ ok: false, why: 'unreachable', detail: expect.stringContaining('infra: connect') })
  })

  it('is asked of the labels that the repository names, and of nothing where it names none', async () => {
    const unnamed = await findService('alerts', selectors, [{ cluster: 'apps', kube: proxyPort(away) }])
    const detail = expect.stringContaining('monitoring.alerts')
    expect(unnamed).toEqual({ ok: false, why: 'not-found', detail })
  })

  it.each([
    [() => proxyPort([]), 2, 'there is no VictoriaMetrics'],
    [() => proxyPort(away), 4, "can't be looked for"],
    [
      () =>
        proxyPort([service('vmsingle', 'vm', 'http', 8428)], () => ({
          ok: false,
          why: 'unreachable',
          detail: 'HTTP 503: no endpoints available for service "vm"',
        })),
      4,
      'kubectl get --raw /api/v1/namespaces/observability/services/vm:http/proxy/',
    ],
  ])('says what to do when it leads nowhere (%#)', async (kube, code, told) => {
    const ended = await run(['metrics', 'query', 'up'], kube)
    expect(ended.stderr).toContain(told)
    expect(ended.code).toBe(code)
  })
})

describe('bench query', () => {
  it('fills the variables of dashboards, and takes the nearest rank', () => {
    const query = { panel: '', language: 'metrics' as const, instant: true }
    const expression = `sum(rate(x{cluster=~"$cluster", a=~"$\{namespace:regex}"}[$__rate_interval])) > $__range`
    expect(filledExpression({ ...query, expression }, 600)).toBe('sum(rate(x{cluster=~".*", a=~".*"}[5m])) > 600s')
    expect([percentile([3, 1, 2], 0.5), percentile([1, 2, 3, 4], 0.95), percentile([], 0.95)]).toEqual([2, 4, 0])
  })

  it.each([
    [0, 0, true],
    [6, 3, false],
  ])('asked of something that takes %d s ends with %d', async (seconds, code, met) => {
    let clock = 0
    const now = vi.spyOn(performance, 'now').mockImplementation(() => clock)
    const kube = () =>
      proxyPort([service('victoria-logs-single', 'logs', 'http', 9428)], () => {
        clock += seconds * 1000
        return { ok: true, value: '' }
      })
    const ended = await run(['bench', 'query', '--what', 'logs', '--rounds', '2', '-o', 'json'], kube)
    now.mockRestore()
    expect(ended.code).toBe(code)
    expect(JSON.parse(ended.stdout)).toMatchObject({
      kind: 'QueryBench',
      items: [{ name: 'logs', asked: 8, p95Sec: seconds, wanted: '5 s (NFR4)', met }],
    })
  })
})

describe('figures in a terminal', () => {
  it('never leave their lines, whatever the values', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.double(), { nil: undefined }), { maxLength: 200 }), (samples) => {
        expect([...sparkline(samples)]).toHaveLength(samples.length)
        expect(columnChart(samples, 8, shortNumber).split('\n')).toHaveLength(8)
      }),
    )
  })

  it('show the last value of each part of a time, and gaps where there is none', () => {
    expect(
      resample(
        [
          [0, 1],
          [1, 2],
          [5, 3],
          [10, 4],
        ],
        0,
        10,
        5,
      ),
    ).toEqual([2, undefined, 3, undefined, 4])
    expect(sparkline([0, undefined, 7])).toBe('▁ █')
    expect([0.05, 42, 12_345, 3.2e9, Number.NaN].map(shortNumber)).toEqual(['0.05', '42', '12.3k', '3.2G', 'NaN'])
    expect(seriesName({ __name__: 'up', job: 'a' }, new Set(['job']))).toBe('up')
  })
})
