import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openJournal, readJournal, runDirectory, writeJsonFile } from '../../src/lib/engine/journal.ts'
import { keptRuns } from '../../src/lib/engine/retention.ts'
import { findResumable, listRuns, progressOf, readRun } from '../../src/lib/engine/runs.ts'
import { resumeRun, startRun } from '../../src/lib/engine/start.ts'
import { processes, startTimeOf } from '../../src/lib/exec/process-info.ts'
import type { Plan, RunResult, Step } from '../../src/lib/types.ts'
import { makeFile, makePlan, makeWorld, shell, surroundings, type World } from '../helpers/engine-world.ts'

// Processes take their time on a busy machine; what is measured here is order, not speed.
vi.setConfig({ testTimeout: 60_000 })

let world: World
beforeEach(() => {
  world = makeWorld()
})
afterEach(() => world.remove())

const stateDir = () => world.target.stateDir

/** A run whose process was killed while step a was under way, and what it had started lives on. */
function deadRun(step: Step, child?: { pid: number }, id = 'dead-run'): void {
  const dir = runDirectory(stateDir(), id)
  writeJsonFile(join(dir, 'plan.json'), makePlan([step]))
  const journal = openJournal(dir)
  journal.append({
    type: 'run-started',
    pid: 1,
    startTime: 'long ago',
    space: processes.self().space,
    holder: 'me@here',
  })
  journal.append({ type: 'step-started', step: step.id })
  if (child)
    journal.append({
      type: 'process-started',
      step: step.id,
      pid: child.pid,
      startTime: startTimeOf(child.pid)!,
      argv: ['kubectl'],
    })
  journal.close()
}

const resume = (id = 'dead-run', more: Parameters<typeof surroundings>[1] = {}) =>
  resumeRun(findResumable(stateDir(), processes, { id }), surroundings(world, more).around)

describe('an action that was begun, and nobody saw how it ended', () => {
  const undecided = { onceBegun: [{ gate: 'file', params: { name: 'settled' } }], timeoutSec: 2 }
  const begun = async () => {
    const child = spawn('sleep', ['30'], { stdio: 'ignore' })
    deadRun(makeFile('a', undecided), child as { pid: number })
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  test('is found out about before it is begun again; told once, and then it may be tried again', async () => {
    await begun()
    const first = await resume()
    expect(first).toMatchObject({ exitCode: 6 })
    expect(first.error?.message).toContain('Make a: begun before, and settled is not there')
    expect(existsSync(join(world.root, 'effects'))).toBe(false)
    expect(await resume()).toMatchObject({ outcome: 'succeeded' })
  })

  test('goes on as soon as it is known', async () => {
    await begun()
    writeFileSync(join(world.root, 'state/settled'), '')
    expect(await resume()).toMatchObject({ outcome: 'succeeded' })
  })

  test('is not asked about when this run has not begun it', async () => {
    deadRun(makeFile('a', { ...undecided, timeoutSec: 10 }))
    expect(await resume()).toMatchObject({ outcome: 'succeeded' })
  })
})

describe('survivors of a killed run', () => {
  /** What a run would leave behind where nothing kills children with their parent. */
  const survivor = (script: string, env: Record<string, string>) =>
    spawn('/bin/sh', ['-c', script], {
      cwd: world.root,
      detached: true,
      stdio: 'ignore',
      env: { ...process.env, ...env },
    }) as { pid: number }

  test('of a `now` step: ended before anything else is done', async () => {
    const child = survivor('sleep 15; echo late > state/late', { K8SOPS_RUN: 'dead-run', K8SOPS_STEP: 'a' })
    deadRun(makeFile('a'), child)
    expect((await resume()).outcome).toBe('succeeded')
    expect(processes.ofRun('dead-run')).toEqual([])
    expect(world.state()).toEqual({ a: 'a\n' })
    expect(readJournal(runDirectory(stateDir(), 'dead-run'))).toContainEqual(
      expect.objectContaining({ type: 'survivor', step: 'a', outcome: 'killed' }),
    )
  })

  test('of an `after` step: waited for, and its work is not done twice', async () => {
    const child = survivor('sleep 1; echo old > state/a', {})
    deadRun(makeFile('a', { interrupt: 'after' }), child)
    const result = await resume()
    expect(result.steps[0]).toMatchObject({ state: 'skipped' })
    expect(world.state()).toEqual({ a: 'old\n' })
  })

  test('of an `after` step whose time is over: ended', async () => {
    const child = survivor('sleep 100', { K8SOPS_RUN: 'dead-run', K8SOPS_STEP: 'a' })
    deadRun(makeFile('a', { interrupt: 'after', timeoutSec: 4 }), child)
    const begun = Date.now()
    expect((await resume()).outcome).toBe('succeeded')
    expect(Date.now() - begun).toBeLessThan(30_000)
    expect(processes.ofRun('dead-run')).toEqual([])
  })

  test('known only by its marker (killed between fork and journal): ended too', async () => {
    survivor('sleep 30', { K8SOPS_RUN: 'dead-run', K8SOPS_STEP: 'a' })
    while (processes.ofRun('dead-run').length === 0) await sleep(10)
    deadRun(makeFile('a'))
    await resume()
    expect(processes.ofRun('dead-run')).toEqual([])
  })

  test('the guard of the stopped run takes nothing of the one that goes on with it', async () => {
    const slow = makeFile('a', {}, 'test -e allow || exit 1; sleep 1; echo a > state/a')
    const { runId } = await startRun(makePlan([slow]), surroundings(world).around, { checkBasis: false })
    writeFileSync(join(world.root, 'allow'), '')
    // No pause in between: the first run's guard is still looking for what is left of it.
    const resumed = await resume(runId)
    expect(resumed.outcome, JSON.stringify(resumed.error)).toBe('succeeded')
  })

  test('a pid that was given to somebody else since is left alone', async () => {
    const stranger = survivor('sleep 100', {})
    deadRun(makeFile('a'))
    appendFileSync(
      join(runDirectory(stateDir(), 'dead-run'), 'journal.ndjson'),
      `${JSON.stringify({ at: new Date().toISOString(), type: 'process-started', step: 'a', pid: stranger.pid, startTime: 'another', argv: [] })}\n`,
    )
    await resume()
    expect(startTimeOf(stranger.pid)).toBeDefined()
    process.kill(stranger.pid, 'SIGKILL')
  })
})

describe('journal and stored runs', () => {
  test('a torn last line is left out, and what is written next is whole', () => {
    deadRun(makeFile('a'))
    const file = join(runDirectory(stateDir(), 'dead-run'), 'journal.ndjson')
    appendFileSync(file, '{"at":"2026-11-23T18:15:02.000Z","type":"step-do')
    expect(readRun(stateDir(), 'dead-run', processes)).toMatchObject({ state: 'unfinished' })
    const journal = openJournal(runDirectory(stateDir(), 'dead-run'))
    journal.append({ type: 'step-skipped', step: 'a', reason: 'x' })
    journal.close()
    expect(readJournal(runDirectory(stateDir(), 'dead-run')).map(({ type }) => type)).toEqual([
      'run-started',
      'step-started',
      'step-skipped',
    ])
  })

  test('a directory without a whole plan is no run', () => {
    mkdirSync(join(stateDir(), 'runs/half'), { recursive: true })
    writeFileSync(join(stateDir(), 'runs/half/plan.json.1.draft'), '{"apiVersion"')
    expect(listRuns(stateDir(), processes)).toEqual([])
  })

  test('the unfinished run of a cluster: the last one, unless a later one ended well', async () => {
    const { around } = surroundings(world)
    await startRun(makePlan([makeFile('a', {}, 'exit 1')]), around, { checkBasis: false })
    const stopped = findResumable(stateDir(), processes, { cluster: 'test' })
    expect(stopped.state).toBe('stopped')
    await startRun(makePlan([makeFile('a')]), around, { checkBasis: false })
    expect(() => findResumable(stateDir(), processes, { cluster: 'test' })).toThrow('no unfinished run')
    expect(findResumable(stateDir(), processes, { id: stopped.id }).id).toBe(stopped.id)
    expect(() => findResumable(stateDir(), processes, { id: 'nope' })).toThrow('there is no run nope')
  })

  test('a running run is not resumable', () => {
    deadRun(makeFile('a'))
    const { who: _, ...self } = processes.self()
    const journal = openJournal(runDirectory(stateDir(), 'dead-run'))
    journal.append({ type: 'run-started', ...self, holder: 'me' })
    journal.close()
    expect(() => findResumable(stateDir(), processes, { id: 'dead-run' })).toThrow('still running')
    expect(() => findResumable(stateDir(), processes, { cluster: 'test' })).toThrow('still running')
  })

  test('what was done, by the journal: begun again means not done', () => {
    const at = ''
    const done = { at, type: 'step-done', step: 'a', seconds: 1 } as const
    const started = { at, type: 'step-started', step: 'a' } as const
    expect(progressOf([started, done]).done).toEqual(new Set(['a']))
    expect(progressOf([started, done, started]).done).toEqual(new Set())
  })

  test('a child that did something before the crash counts as a change: a failing resume exits with 6', async () => {
    const child = { pid: process.pid }
    deadRun(makeFile('a', { require: [{ gate: 'never' }], timeoutSec: 0.1 }), child)
    const file = join(runDirectory(stateDir(), 'dead-run'), 'journal.ndjson')
    // It had ended: nothing to wait for, certainly not this test itself.
    appendFileSync(
      file,
      `${JSON.stringify({ at: '', type: 'process-ended', step: 'a', pid: process.pid, exitCode: 0 })}\n`,
    )
    expect(await resume()).toMatchObject({ exitCode: 6, changed: true })
  })
})

describe('old runs', () => {
  const long = keptRuns + 5
  /** A finished run as it lies on the disk, `minute` minutes after midnight. */
  const stored = (id: string, minute: number, more: Partial<Plan>, result?: Partial<RunResult>) => {
    const dir = runDirectory(stateDir(), id)
    writeJsonFile(join(dir, 'plan.json'), makePlan([makeFile('a')], more))
    const at = new Date(Date.UTC(2026, 0, 1, 0, minute)).toISOString()
    const entries = [
      { at, type: 'run-started', pid: 1, startTime: 'long ago', space: processes.self().space, holder: 'me' },
      ...(result ? [{ at, type: 'run-finished' }] : []),
    ]
    writeFileSync(join(dir, 'journal.ndjson'), entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))
    if (result) writeJsonFile(join(dir, 'result.json'), { startedAt: at, ...result })
  }
  const kept = () => readdirSync(join(stateDir(), 'runs')).sort()
  const ended = { outcome: 'succeeded' } as const

  test('go when a newer one ends, except what could still be resumed and what is of another cluster or scope', async () => {
    stored('stopped-then-done', 0, { operation: 'upgrade' }, { outcome: 'stopped' })
    stored('killed', 1, { operation: 'node.reboot', params: { node: 'a' } })
    stored('other-node', 2, { operation: 'node.reboot', params: { node: 'b' } }, ended)
    stored('other-cluster', 3, { cluster: 'other' }, ended)
    stored('other-scope', 4, { scope: 'app/odoo' }, ended)
    stored('before-its-journal', 5, {})
    rmSync(join(runDirectory(stateDir(), 'before-its-journal'), 'journal.ndjson'))
    for (let index = 0; index < long; index++)
      stored(`done-${String(index).padStart(2, '0')}`, 10 + index, { operation: 'upgrade' }, ended)
    const { runId } = await startRun(makePlan([makeFile('a')]), surroundings(world).around, { checkBasis: false })
    const newest = Array.from(
      { length: keptRuns - 1 },
      (_, index) => `done-${String(long - 1 - index).padStart(2, '0')}`,
    )
    expect(kept()).toEqual(['before-its-journal', 'killed', 'other-cluster', 'other-scope', ...newest, runId].sort())
    expect(readdirSync(stateDir()).sort()).toEqual(['locks', 'runs'])
    expect(findResumable(stateDir(), processes, { id: 'killed' }).state).toBe('unfinished')
  })

  test('one that was resumed is as young as its last beginning', async () => {
    writeFileSync(join(world.root, 'basis'), '')
    const { around } = surroundings(world)
    const { runId } = await startRun(makePlan([makeFile('a', {}, 'test -e allow && echo a > state/a')]), around, {
      checkBasis: false,
    })
    for (let index = 0; index < long; index++) stored(`done-${index}`, index, {}, ended)
    writeFileSync(join(world.root, 'allow'), '')
    expect((await resume(runId)).outcome).toBe('succeeded')
    expect(kept()).toContain(runId)
    expect(kept()).toHaveLength(keptRuns)
  })
})

describe('what the plan was made from', () => {
  /** The basis is one file of the world. */
  const basis = () => ({
    digest: async () => readFileSync(join(world.root, 'basis'), 'utf8').trim(),
    describe: async () => ['basis changed'],
  })
  const plan = (...steps: Step[]) => makePlan(steps, { basis: { commit: 'c', digest: 'v1', observed: {} } })
  const around = () => surroundings(world, { basis: basis() }).around
  const failing = makeFile('b', {}, 'test -e allow && echo b > state/b')
  beforeEach(() => writeFileSync(join(world.root, 'basis'), 'v1\n'))

  test('edited by somebody between stop and resume: refused with exit 3, nothing done', async () => {
    const { runId } = await startRun(plan(makeFile('a'), failing), around(), { checkBasis: false })
    writeFileSync(join(world.root, 'basis'), 'v2\n')
    writeFileSync(join(world.root, 'allow'), '')
    await expect(resume(runId, { basis: basis() })).rejects.toMatchObject({
      name: 'StaleError',
      exitCode: 3,
      detail: { output: 'basis changed' },
    })
    expect(existsSync(join(world.root, 'state/b'))).toBe(false)
  })

  test("changed by the run's own step: resumed", async () => {
    const own: Step = {
      ...makeFile('a'),
      action: { kind: 'exec', pipeline: [shell('echo v2 > basis; echo a > state/a', { tool: 'talhelper' })] },
    }
    const { runId } = await startRun(plan(own, failing), around(), { checkBasis: false })
    writeFileSync(join(world.root, 'allow'), '')
    const resumed = await resume(runId, { basis: basis() })
    expect(resumed.outcome, JSON.stringify(resumed.error)).toBe('succeeded')
  })

  test('a plan from a file is refused before a run is made of it', async () => {
    writeFileSync(join(world.root, 'basis'), 'v2\n')
    await expect(startRun(plan(makeFile('a')), around(), { checkBasis: true })).rejects.toMatchObject({ exitCode: 3 })
    expect(existsSync(join(stateDir(), 'runs'))).toBe(false)
  })
})
