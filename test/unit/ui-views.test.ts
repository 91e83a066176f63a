import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ConfigError } from '../../src/lib/errors.ts'
import type { RunEvent, RunResult } from '../../src/lib/types.ts'
import { createColours } from '../../src/lib/ui/colours.ts'
import { annotateError, createGithubView, cut } from '../../src/lib/ui/github-view.ts'
import { createNdjsonView } from '../../src/lib/ui/ndjson-view.ts'
import { createPlainView } from '../../src/lib/ui/plain-view.ts'
import { describeSeconds } from '../../src/lib/ui/seconds.ts'
import { renderTable } from '../../src/lib/ui/table.ts'
import { createTtyView } from '../../src/lib/ui/tty-view.ts'
import { chooseView } from '../../src/lib/ui/view.ts'

const at = '2026-11-23T18:15:02.000Z'
const result: RunResult = {
  apiVersion: 'k8sops.dev/v1',
  kind: 'RunResult',
  runId: 'r1',
  operation: 'bootstrap',
  cluster: 'apps',
  outcome: 'stopped',
  exitCode: 6,
  startedAt: at,
  seconds: 75,
  changed: true,
  steps: [{ id: 'a', title: 'A', state: 'done' }],
  error: { name: 'ToolError', message: 'B: it broke\nsecond line, 100%' },
  resume: 'k8sops run resume r1',
}
const events: RunEvent[] = [
  {
    type: 'run-started',
    at,
    runId: 'r1',
    operation: 'bootstrap',
    cluster: 'apps',
    steps: ['a', 'b', 'c', 'd'].map((id) => ({ id, title: id.toUpperCase(), ...(id < 'c' ? { group: 'g' } : {}) })),
  },
  { type: 'step-started', at, step: 'a' },
  { type: 'step-started', at, step: 'b' },
  { type: 'step-output', at, step: 'a', line: 'from a' },
  { type: 'step-output', at, step: 'b', line: '::error::from b' },
  { type: 'step-waiting', at, step: 'a', waitingFor: ['one', 'two'] },
  { type: 'step-waiting', at, step: 'a', waitingFor: ['one', 'two'] },
  { type: 'step-done', at, step: 'a', seconds: 1.2 },
  { type: 'step-skipped', at, step: 'b', reason: 'there already' },
  { type: 'step-started', at, step: 'c' },
  { type: 'run-interrupted', at, step: 'c', finishing: true },
  { type: 'step-failed', at, step: 'c', seconds: 75, message: 'it broke' },
  { type: 'run-finished', at, result },
]

test('plain: one line an event, with its time; a wait only when it says something new', () => {
  const lines: string[] = []
  const view = createPlainView((line) => lines.push(line), createColours({}, {}))
  for (const event of events) view.onEvent(event)
  expect(lines).toEqual([
    '18:15:02 run r1: bootstrap of apps, 4 steps',
    '18:15:02 a: begins',
    '18:15:02 b: begins',
    '18:15:02 a | from a',
    '18:15:02 b | ::error::from b',
    '18:15:02 a: waits for one; two',
    '18:15:02 done a (1.2 s)',
    '18:15:02 skipped b: there already',
    '18:15:02 c: begins',
    '18:15:02 interrupted: c finishes first; once more to end everything now',
    '18:15:02 FAILED c (1 min 15 s): it broke',
    '18:15:02 run r1: stopped after 1 min 15 s',
  ])
})

test('plain: what is waited for changes many times a second, its line every five seconds', () => {
  const lines: string[] = []
  const view = createPlainView((line) => lines.push(line), createColours({}, {}))
  const waits = ['02.0 one', '02.1 two', '06.9 three', '07.0 four', '07.1 five', '20.0 four', '20.1 six']
  for (const [second, what] of waits.map((text) => text.split(' ') as [string, string]))
    view.onEvent({ type: 'step-waiting', at: `2026-11-23T18:15:${second}00Z`, step: 'a', waitingFor: [what] })
  expect(lines).toEqual(['18:15:02 a: waits for one', '18:15:07 a: waits for four', '18:15:20 a: waits for six'])
})

test('ndjson: the events themselves', () => {
  const lines: string[] = []
  const view = createNdjsonView((line) => lines.push(line))
  for (const event of events) view.onEvent(event)
  expect(lines.map((line) => JSON.parse(line))).toEqual(events)
})

test('github: groups that do not mix, output that is no command, annotation, summary and outputs', () => {
  const dir = mkdtempSync(join(tmpdir(), 'k8sops-ui-'))
  const env = { GITHUB_STEP_SUMMARY: join(dir, 'summary'), GITHUB_OUTPUT: join(dir, 'output') }
  const lines: string[] = []
  const view = createGithubView((line) => lines.push(line), env)
  for (const event of events) view.onEvent(event)
  expect(lines).toEqual([
    'run r1: bootstrap of apps, 4 steps',
    '::group::done a (1.2 s)',
    'from a',
    '18:15:02 waits for one; two',
    '::endgroup::',
    '::group::skipped b: there already',
    ' ::error::from b',
    '::endgroup::',
    'interrupted at c, which finishes first',
    'FAILED c (1 min 15 s)',
    '::error title=bootstrap of apps::B: it broke%0Asecond line, 100%25',
  ])
  expect(readFileSync(env.GITHUB_STEP_SUMMARY, 'utf8')).toContain('# bootstrap of apps: stopped')
  expect(readFileSync(env.GITHUB_OUTPUT, 'utf8')).toBe('run-id=r1\noutcome=stopped\nexit-code=6\n')
  rmSync(dir, { recursive: true })
})

test('github: no more annotations than are shown, and the rest is counted', () => {
  const problems = Array.from({ length: 12 }, (_, line) => ({ file: 'a,b.yaml', line, message: 'm' }))
  const lines = annotateError(new ConfigError('x', problems))
  expect(lines).toHaveLength(10)
  expect(lines[0]).toBe('::error file=a%2Cb.yaml,line=0::m')
  expect(lines[9]).toBe('::error title=k8sops::and 3 more problems: see the log')
  expect(annotateError(new ConfigError('x', problems.slice(0, 10)))).toHaveLength(10)
})

test('cut: at most so many bytes, never half a character', () => {
  for (let limit = 60; limit < 70; limit += 1) {
    const text = cut('ä€😀'.repeat(50), limit)
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limit)
    expect(text).not.toContain('\uFFFD')
  }
  expect(cut('short', 100)).toBe('short')
})

test('tty: listr2 draws each step, on the given stream only, and leaves signals alone', async () => {
  const { PassThrough } = await import('node:stream')
  const stream = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows: 24 })
  let text = ''
  stream.on('data', (chunk) => {
    text += chunk
  })
  const listeners = process.listenerCount('SIGINT')
  const view = createTtyView(stream, createColours({}, {}))
  for (const event of events) view.onEvent(event)
  expect(process.listenerCount('SIGINT')).toBe(listeners)
  await view.close()
  expect(text).toContain('1/4 a  A  1.2 s')
  expect(text).toContain('2/4 b  B  [there already]')
  expect(text).toContain('3/4 c  C: it broke')
  expect(text).not.toContain('4/4')
})

test('which view', () => {
  const tty = { isTTY: true }
  expect(chooseView('auto', tty, {}, false)).toBe('tty')
  expect(chooseView('auto', tty, { CI: 'true' }, false)).toBe('plain')
  expect(chooseView('auto', tty, { GITHUB_ACTIONS: 'true' }, false)).toBe('github')
  expect(chooseView('auto', {}, {}, true)).toBe('json')
  expect(chooseView('plain', tty, {}, true)).toBe('plain')
})

test('colours: only on a terminal, never against NO_COLOR or --no-color', () => {
  const on = { isTTY: true }
  expect(createColours(on, {}).red('x')).not.toBe('x')
  expect(createColours({}, {}).red('x')).toBe('x')
  expect(createColours(on, { NO_COLOR: '1' }).red('x')).toBe('x')
  expect(createColours(on, {}, false).red('x')).toBe('x')
  expect(createColours({}, { FORCE_COLOR: '1' }).red('x')).not.toBe('x')
})

test('a table fits the terminal by cutting its widest column, and is whole without one', () => {
  const rows = [['a', 'x'.repeat(50), 'end']]
  expect(
    renderTable(['n', 'text', 'last'], rows, 40)
      .split('\n')
      .map((line) => line.length),
  ).toEqual([40, 39])
  expect(renderTable(['n', 'text', 'last'], rows)).toContain('x'.repeat(50))
})

test.each([
  [0.44, '0.4 s'],
  [59.4, '59 s'],
  [60, '1 min'],
  [750, '12 min 30 s'],
  [3900, '1 h 5 min'],
])('%d seconds are %s', (seconds, text) => expect(describeSeconds(seconds)).toBe(text))
