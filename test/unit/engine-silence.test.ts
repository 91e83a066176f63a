import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openJournal, runDirectory, writeJsonFile } from '../../src/lib/engine/journal.ts'
import { findResumable, listRuns } from '../../src/lib/engine/runs.ts'
import { holdSilence } from '../../src/lib/engine/silence.ts'
import { resumeRun, startRun } from '../../src/lib/engine/start.ts'
import { processes } from '../../src/lib/exec/process-info.ts'
import { createSilencePort } from '../../src/lib/tools/alertmanager.ts'
import { type FakeAlertmanager, startAlertmanager } from '../helpers/alertmanager.ts'
import { makeFile, makePlan, makeWorld, surroundings, type World } from '../helpers/engine-world.ts'

let world: World
let alertmanager: FakeAlertmanager
beforeEach(async () => {
  world = makeWorld()
  alertmanager = await startAlertmanager()
})
afterEach(async () => {
  world.remove()
  await alertmanager.close()
})

const matchers = ['cluster="apps"', 'severity=~"warning|info"']
const silenced = (more: Parameters<typeof makePlan>[1] = {}) =>
  makePlan([makeFile('a'), makeFile('b')], { silence: { matchers }, ...more })
const around = () => surroundings(world, { silences: createSilencePort(alertmanager.url) })

describe('a run with a silence', () => {
  test('makes it with its first change, and ends it with itself', async () => {
    const { around: surrounded, events } = around()
    const seen: number[] = []
    const emit = (event: Parameters<typeof surrounded.emit>[0]) => {
      if (event.type === 'run-started') seen.push(alertmanager.silences.length)
      surrounded.emit(event)
    }
    const result = await startRun(silenced(), { ...surrounded, emit }, { checkBasis: false })
    expect(result.outcome).toBe('succeeded')
    expect(seen).toEqual([0])
    expect(alertmanager.silences).toMatchObject([
      {
        matchers: [
          { name: 'cluster', value: 'apps', isRegex: false, isEqual: true },
          { name: 'severity', value: 'warning|info', isRegex: true, isEqual: true },
        ],
        comment: expect.stringContaining(result.runId),
      },
    ])
    expect(alertmanager.silences.map(alertmanager.state)).toEqual(['expired'])
    expect(events.some(({ type }) => type === 'run-note')).toBe(false)
  })

  test('makes none when there is nothing to do, and none where the target has no Alertmanager', async () => {
    await startRun(silenced(), surroundings(world).around, { checkBasis: false })
    await startRun(silenced(), around().around, { checkBasis: false })
    expect(alertmanager.silences).toEqual([])
  })

  test('goes on without it, and says so, when nobody answers', async () => {
    await alertmanager.close()
    const { around: surrounded, events } = around()
    expect((await startRun(silenced(), surrounded, { checkBasis: false })).outcome).toBe('succeeded')
    expect(events.filter(({ type }) => type === 'run-note')).toMatchObject([
      { text: expect.stringMatching(/not silenced: .*ECONNREFUSED/) },
    ])
  })

  test('takes over the one of the process that died, and ends it', async () => {
    const port = createSilencePort(alertmanager.url)
    const made = await port.set({ matchers, by: 'me', comment: 'died', until: new Date(Date.now() + 60_000) })
    if (!made.ok) throw new Error(made.detail)
    const dir = runDirectory(world.target.stateDir, 'silenced-run')
    writeJsonFile(`${dir}/plan.json`, silenced())
    const journal = openJournal(dir)
    const { space } = processes.self()
    journal.append({ type: 'run-started', pid: 1, startTime: 'long ago', space, holder: 'me@here' })
    journal.append({ type: 'silence', state: 'held', id: made.value })
    journal.close()
    const stored = findResumable(world.target.stateDir, processes, { id: 'silenced-run' })
    expect((await resumeRun(stored, around().around)).outcome).toBe('succeeded')
    expect(alertmanager.silences.map(({ id }) => id)).toEqual([made.value])
    expect(alertmanager.silences.map(alertmanager.state)).toEqual(['expired'])
    const [run] = listRuns(world.target.stateDir, processes)
    expect(run?.journal.flatMap((entry) => (entry.type === 'silence' ? [entry.state] : []))).toEqual([
      'held',
      'held',
      'ended',
    ])
  })
})

test('it is renewed while it is held, and made anew when Alertmanager has lost it', async () => {
  const port = createSilencePort(alertmanager.url)
  const entries: object[] = []
  const silence = { matchers }
  const request = { port, silence, by: 'me', comment: 'a test', leaseSec: 6 }
  const held = holdSilence({ ...request, onChange: (entry) => entries.push(entry) })
  held.begin()
  held.begin()
  await vi.waitFor(() => expect(alertmanager.silences).toHaveLength(1))
  const [first] = alertmanager.silences
  const end = first?.endsAt
  await vi.waitFor(() => expect(first?.endsAt).not.toBe(end), { timeout: 15_000 })
  expect(alertmanager.silences).toHaveLength(1)
  alertmanager.forget()
  await vi.waitFor(() => expect(alertmanager.silences).toHaveLength(1), { timeout: 15_000 })
  await held.end()
  expect(alertmanager.silences.map(alertmanager.state)).toEqual(['expired'])
  expect(entries).toMatchObject([{ state: 'held' }, { state: 'held' }, { state: 'ended' }])
})

test('what Alertmanager refuses is told with its own words', async () => {
  const port = createSilencePort(alertmanager.url)
  const until = new Date(Date.now() - 60_000)
  expect(await port.set({ matchers, by: 'me', comment: 'a test', until })).toMatchObject({
    ok: false,
    why: 'failed',
    detail: expect.stringContaining('HTTP 400'),
  })
  // Ended already, or forgotten: what was wanted is so.
  const made = await port.set({ matchers, by: 'me', comment: 'a test', until: new Date(Date.now() + 60_000) })
  if (!made.ok) throw new Error(made.detail)
  for (const forget of [() => {}, () => {}, alertmanager.forget]) {
    forget()
    expect(await port.end(made.value)).toEqual({ ok: true, value: undefined })
  }
})
