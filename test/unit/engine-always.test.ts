/** Steps that take away what others made: done after a failure and after Ctrl-C, and only then and there. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startRun } from '../../src/lib/engine/start.ts'
import type { Plan, RunResult, Step } from '../../src/lib/types.ts'
import { type Handle, makeFile, makePlan, makeWorld, shell, surroundings, type World } from '../helpers/engine-world.ts'

vi.setConfig({ testTimeout: 60_000 })

let world: World
beforeEach(() => {
  world = makeWorld()
})
afterEach(() => world.remove())

const run = (plan: Plan, handle: Handle = surroundings(world)): Promise<RunResult> =>
  startRun(plan, handle.around, { checkBasis: false })
const states = (result: RunResult) => Object.fromEntries(result.steps.map(({ id, state }) => [id, state]))
const clean: Step = makeFile('cleaned', { always: true }, 'rm -f state/a; echo > state/cleaned')
const hanging = makeFile('b', { timeoutSec: 60 }, 'echo > state/started; sleep 60')

test('is done after a step that failed, and the run still ends as it would have', async () => {
  const result = await run(makePlan([makeFile('a'), makeFile('b', { timeoutSec: 2 }, 'false'), makeFile('c'), clean]))
  expect(states(result)).toEqual({ a: 'done', b: 'failed', c: 'not-started', cleaned: 'done' })
  expect(result).toMatchObject({ outcome: 'stopped', exitCode: 6, resume: expect.any(String) })
  expect(existsSync(join(world.root, 'state/a'))).toBe(false)
})

test('is done after a finding, which stays one', async () => {
  const finding: Step = { ...makeFile('b', { timeoutSec: 1 }), action: { kind: 'wait' }, finding: true }
  const result = await run(makePlan([makeFile('a'), finding, clean]))
  expect(states(result)).toEqual({ a: 'done', b: 'failed', cleaned: 'done' })
  expect(result).toMatchObject({ outcome: 'failed', exitCode: 3 })
})

test('is done after Ctrl-C', async () => {
  const handle = surroundings(world)
  const running = run(makePlan([makeFile('a'), hanging, clean]), handle)
  await vi.waitUntil(() => existsSync(join(world.root, 'state/started')), { timeout: 30_000 })
  handle.stop.abort()
  const result = await running
  expect(states(result)).toEqual({ a: 'done', b: 'interrupted', cleaned: 'done' })
  expect(result).toMatchObject({ outcome: 'interrupted', exitCode: 6 })
})

test('is not begun once everything is to end at once', async () => {
  const handle = surroundings(world)
  const running = run(makePlan([makeFile('a'), hanging, clean]), handle)
  await vi.waitUntil(() => existsSync(join(world.root, 'state/started')), { timeout: 30_000 })
  handle.stop.abort()
  handle.kill.abort()
  expect(states(await running)).toMatchObject({ cleaned: 'not-started' })
})

test('has nothing to do where nothing was changed', async () => {
  const blind = { ...makeFile('a'), require: [{ gate: 'never' }], timeoutSec: 1 }
  const result = await run(makePlan([blind, clean]))
  expect(states(result)).toEqual({ a: 'failed', cleaned: 'not-started' })
  expect(result.changed).toBe(false)
})

test('says what kept it from being done beside what stopped the run', async () => {
  const broken = { ...clean, action: { kind: 'exec' as const, pipeline: [shell('echo stuck >&2; exit 1')] } }
  const result = await run(
    makePlan([makeFile('a'), makeFile('b', { timeoutSec: 2 }, 'echo first >&2; exit 1'), broken]),
  )
  expect(result.error?.message).toMatch(/b[\s\S]*stuck/)
})
