/** `k8sops report` from argv to stdout, over a cluster as gates-world.ts has it and recorded answers of VictoriaMetrics. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { report } from '../../src/commands/report.ts'
import { createGatePort } from '../../src/lib/gates/evaluate.ts'
import { figureOf, parseChanges, slopePerDay, topOf, trendOf, valueText } from '../../src/lib/ops/report.ts'
import { figureQuestions, topQuestions, trendQuestions } from '../../src/lib/ops/report-questions.ts'
import { runCli, worldServices } from '../helpers/cli.ts'
import { makeWorld } from '../helpers/engine-world.ts'
import { fc } from '../helpers/seeded-check.ts'
import { kubeOf, sourcesOf, talosOf, type World } from './gates-world.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

async function victoria(answer: (query: string, range: boolean) => object[]): Promise<string> {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://vm')
    const range = pathname.endsWith('query_range')
    const result = answer(searchParams.get('query') ?? '', range)
    response.end(JSON.stringify({ status: 'success', data: { resultType: range ? 'matrix' : 'vector', result } }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function run(argv: string[], world: Partial<World> = {}) {
  const engine = makeWorld()
  closing.push(() => engine.remove())
  const whole: World = { reason: '', ...world }
  const services = worldServices(engine, {
    kube: async () => kubeOf(whole),
    talos: async () => talosOf(whole),
    gates: async (_, ports) => createGatePort({ ...sourcesOf(whole), kube: ports.kube, talos: ports.talos }),
  })
  return runCli(['report', ...argv], { specs: [report], services })
}

const point = (value: string) => [{ metric: {}, value: [1_764_000_000, value] }]

it('holds figures against what the PRD wants, and says what is not known', async () => {
  const url = await victoria((query, range) => {
    if (range)
      return [
        {
          metric: {},
          values: [
            [0, '0.5'],
            [86_400, '0.6'],
            [2 * 86_400, '0.7'],
          ],
        },
      ]
    if (query.startsWith('topk')) return [{ metric: { namespace: 'business', pod: 'odoo-1' }, value: [0, '7'] }]
    if (query.includes('volsync')) return []
    return point(query.includes('restarts_total') ? '70' : '0.9995')
  })
  const { stdout, code } = await run(['--cluster', 'test', '--since', '7d', '--url', url])
  expect(stdout).toContain('| Container restarts a day | **missed** 10 | at most 5 (NFR18) |')
  expect(stdout).toContain('| Ceph HEALTH_OK | 99.95 % | at least 99.9 % (NFR17) |')
  expect(stdout).toContain('| Ceph used | 70 %, rises 10 % a day: 85 % in 2 days | |')
  expect(stdout).toContain('- business/odoo-1: 7')
  expect(stdout).toContain('- Backups of volumes missed: no data')
  expect(code).toBe(0)
})

it.each([
  [
    'json',
    (text: string) =>
      expect(JSON.parse(text)).toMatchObject({ kind: 'HealthReport', clusters: [{ name: 'test' }, { name: 'other' }] }),
  ],
  ['html', (text: string) => expect(text).toMatch(/^<!doctype html>[\s\S]*<section id="other">[\s\S]*<\/html>$/)],
  ['md', (text: string) => expect(text).toMatch(/^# Clusters from .*\n[\s\S]*^## other$/m)],
])('is written as %s, also when VictoriaMetrics is away', async (format, looksRight) => {
  const { stdout } = await run(['--cluster', 'all', '--format', format, '--url', 'http://127.0.0.1:1'])
  looksRight(stdout.trimEnd())
  expect(stdout).toContain('ECONNREFUSED')
})

it.each([['10m'], ['100d'], ['soon']])('refuses --since %s', async (since) => {
  expect(await run(['--since', since, '--url', 'http://127.0.0.1:1'])).toMatchObject({ code: 2 })
})

it('is undecided where nothing is known, and never calls that met', () => {
  for (const question of figureQuestions)
    expect(figureOf(question, undefined, 86_400)).toMatchObject({ value: null, met: null, text: '–' })
  for (const question of trendQuestions) expect(trendOf(question, [])).toMatchObject({ last: null, daysLeft: null })
  for (const question of topQuestions) expect(topOf(question, undefined).rows).toEqual([])
})

it('finds the line that a trend follows, wherever it begins', () => {
  fc.assert(
    fc.property(
      fc.double({ min: -1, max: 1, noNaN: true }),
      fc.double({ min: -100, max: 100, noNaN: true }),
      fc.integer({ min: 0, max: 2e9 }),
      (slope, start, from) => {
        const points = Array.from({ length: 20 }, (_, index): [number, number] => [
          from + index * 43_200,
          start + (index * slope) / 2,
        ])
        expect(slopePerDay(points)).toBeCloseTo(slope, 5)
      },
    ),
  )
  expect(slopePerDay([])).toBeNull()
  expect(slopePerDay([[5, 1]])).toBeNull()
})

it('reads what git says, tabs in subjects included', () => {
  expect(parseChanges('abc\t2026-11-30T10:00:00+00:00\tJane\tRaise a\tlimit\n')).toEqual([
    { commit: 'abc', at: '2026-11-30T10:00:00+00:00', author: 'Jane', subject: 'Raise a\tlimit' },
  ])
  expect([
    valueText(0.99951, 'part'),
    valueText(1, 'part'),
    valueText(0.5, 'part'),
    valueText(12.345, 'seconds'),
  ]).toEqual(['99.951 %', '100 %', '50 %', '12 s'])
})
