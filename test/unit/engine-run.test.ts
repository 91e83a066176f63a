import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { readJournal, runDirectory } from '../../src/lib/engine/journal.ts'
import type { WaitOptions } from '../../src/lib/engine/ports.ts'
import { startRun } from '../../src/lib/engine/start.ts'
import type { Check, Plan, RunResult } from '../../src/lib/types.ts'
import { type Handle, makeFile, makePlan, makeWorld, shell, surroundings, type World } from '../helpers/engine-world.ts'

// Processes take their time on a busy machine; what is measured here is order, not speed.
vi.setConfig({ testTimeout: 60_000 })

let world: World
beforeEach(() => {
  world = makeWorld()
})
afterEach(() => world.remove())

const run = (plan: Plan, handle: Handle = surroundings(world)): Promise<RunResult> =>
  startRun(plan, handle.around, { checkBasis: false })
const states = (result: RunResult) => Object.fromEntries(result.steps.map(({ id, state }) => [id, state]))

describe('steps in order', () => {
  test('does what is not done, skips what live state shows as done, and says why', async () => {
    writeFileSync(join(world.root, 'state/a'), 'a\n')
    const result = await run(makePlan([makeFile('a'), makeFile('b')]))
    expect(states(result)).toEqual({ a: 'skipped', b: 'done' })
    expect(result).toMatchObject({ outcome: 'succeeded', exitCode: 0, changed: true })
    expect(result.steps[0]!.reason).toBe('a is there')
    expect(readFileSync(join(world.root, 'effects'), 'utf8')).toBe('b\n')
  })

  test('skips as well for the other reason that a step may have', async () => {
    writeFileSync(join(world.root, 'state/other'), '')
    const orUnless = [{ gate: 'file', params: { name: 'other' } }]
    const result = await run(makePlan([makeFile('a', { orUnless })]))
    expect(result.steps[0]).toMatchObject({ state: 'skipped', reason: 'other is there' })
    expect(result.changed).toBe(false)
  })

  test('skips what goes with a step whose `unless` held, without another look; not with one that was skipped otherwise', async () => {
    writeFileSync(join(world.root, 'state/a'), '')
    writeFileSync(join(world.root, 'state/other'), '')
    const orUnless = [{ gate: 'file', params: { name: 'other' } }]
    const result = await run(
      makePlan([
        makeFile('a'),
        makeFile('with-a', { skipWith: 'a', unless: [] }),
        makeFile('b', { orUnless }),
        makeFile('with-b', { skipWith: 'b' }),
      ]),
    )
    expect(states(result)).toEqual({ a: 'skipped', 'with-a': 'skipped', b: 'skipped', 'with-b': 'done' })
  })

  test('looks again whether a step is done once what it requires holds: that may have been the very thing', async () => {
    const require = [{ gate: 'file', params: { name: 'running' } }]
    const handle = surroundings(world)
    const done = run(makePlan([makeFile('a', { require })]), handle)
    await vi.waitUntil(() => handle.events.some(({ type }) => type === 'step-waiting'), { timeout: 30_000 })
    // As a machine that finishes an upgrade that was issued before: version first, then it runs.
    writeFileSync(join(world.root, 'state/a'), '')
    writeFileSync(join(world.root, 'state/running'), '')
    expect(states(await done)).toEqual({ a: 'skipped' })
    expect(existsSync(join(world.root, 'effects'))).toBe(false)
  })

  test.each([
    ['looks in one go at what it is skipped for and at what it needs', 0, [['a', 'needed', 'needed'], ['a']]],
    // A machine may have restarted meanwhile.
    ['looks anew when that took a while', 2_100, [['a', 'needed'], ['needed'], ['a'], ['a']]],
  ])('%s', async (_, slowMs, expected) => {
    writeFileSync(join(world.root, 'state/needed'), '')
    const handle = surroundings(world)
    const { gates } = handle.around
    const looks: string[][] = []
    const together = () => {
      const asked: string[] = []
      const slow = looks.push(asked) === 1 ? slowMs : 0
      const nameOf = ({ params = {} }: Check) => params.name ?? ''
      return {
        evaluate: async (check: Check, signal: AbortSignal) => {
          asked.push(nameOf(check))
          if (nameOf(check) === 'a') await delay(slow)
          return gates.evaluate(check, signal)
        },
        waitFor: (check: Check, options: WaitOptions) => {
          asked.push(nameOf(check))
          return gates.waitFor(check, options)
        },
      }
    }
    handle.around.gates = { ...gates, together }
    const step = makeFile('a', { require: [{ gate: 'file', params: { name: 'needed' } }] })
    expect(states(await run(makePlan([step]), handle))).toEqual({ a: 'done' })
    expect(looks).toEqual(expected)
  })

  test('a second run changes nothing', async () => {
    const plan = makePlan([makeFile('a'), makeFile('b')])
    await run(plan)
    const again = await run(plan)
    expect(states(again)).toEqual({ a: 'skipped', b: 'skipped' })
    expect(again.changed).toBe(false)
  })

  test('exit code 0 is not enough: without its effect the step fails, and with a change behind it the run stops with 6', async () => {
    const result = await run(makePlan([makeFile('a', { timeoutSec: 2 }, 'true'), makeFile('b')]))
    expect(states(result)).toEqual({ a: 'failed', b: 'not-started' })
    expect(result).toMatchObject({ outcome: 'stopped', exitCode: 6 })
    expect(result.error?.message).toContain('a: a is not there')
    expect(result.resume).toBe(`k8sops run resume ${result.runId}`)
  })

  test('a failing tool: exit code, pasteable command and output are in the error', async () => {
    const result = await run(makePlan([makeFile('a', {}, 'echo broken pipe >&2; exit 7')]))
    expect(result.error?.name).toBe('ToolError')
    expect(result.error?.message).toContain('failed with exit code 7')
    expect(result.error?.message).toContain(`$ kubectl -c 'echo broken pipe >&2; exit 7'`)
    expect(result.error?.message).toContain('broken pipe')
  })

  test('a failure that was accepted is told when its effect does not come', async () => {
    const pipeline = [shell('echo AlreadyExists: old data >&2; exit 1')]
    const action = { kind: 'exec' as const, pipeline, accept: ['AlreadyExists'] }
    const result = await run(makePlan([makeFile('a', { action, timeoutSec: 2 })]))
    expect(result).toMatchObject({ exitCode: 6, error: { name: 'GateError' } })
    expect(result.error?.message).toContain('a is not there')
    expect(result.error?.message).toContain('AlreadyExists: old data')
  })
})

describe('exit codes before the first change', () => {
  const needing = (gate: string) =>
    makePlan([makeFile('a', { require: [{ gate, params: { name: 'x' } }], timeoutSec: 0.1 })])

  test.each([
    ['never', 3, 'GateError'],
    ['blind', 4, 'UnreachableError'],
    ['broken', 2, 'ConfigError'],
  ])('a required gate that is %s ends with %i', async (gate, exitCode, name) => {
    const result = await run(needing(gate))
    expect(result).toMatchObject({ outcome: 'failed', exitCode, changed: false })
    expect(result.error?.name).toBe(name)
    expect(world.state()).toEqual({})
  })

  test('all required gates that do not hold are reported together', async () => {
    const require = ['p', 'q'].map((name) => ({ gate: 'file', params: { name } }))
    const result = await run(makePlan([makeFile('a', { require, timeoutSec: 0.1 })]))
    expect(result.error?.message).toContain('file name=p: p is not there')
    expect(result.error?.message).toContain('file name=q: q is not there')
  })

  test('what the run is to find out is an answer also after a change: 3, and nothing to go on with', async () => {
    const asked = makeFile('asked', { action: { kind: 'wait' }, finding: true, timeoutSec: 0.1 })
    const result = await run(makePlan([makeFile('first'), asked, makeFile('last')]))
    expect(states(result)).toEqual({ first: 'done', asked: 'failed', last: 'not-started' })
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 3, changed: true, error: { name: 'GateError' } })
    expect(result.resume).toBeUndefined()
    const stopped = await run(makePlan([makeFile('b', { timeoutSec: 0.1 }, 'true'), { ...asked, id: 'c' }]))
    expect(stopped.exitCode).toBe(6)
  })

  test('the same gate after a change ends with 6', async () => {
    const plan = needing('never')
    const result = await run({ ...plan, steps: [makeFile('first'), ...plan.steps] })
    expect(result).toMatchObject({ outcome: 'stopped', exitCode: 6 })
  })
})

describe('time', () => {
  test('a step that hangs is ended at its limit, with everything it started', async () => {
    const result = await run(makePlan([makeFile('a', { timeoutSec: 0.3 }, 'sleep 31.7 & sleep 31.7')]))
    expect(result.error?.message).toContain('was ended after 0.3 s')
    expect(result.seconds).toBeLessThan(15)
  })

  test('what was waited for, and how long, is in the result', async () => {
    const step = makeFile('a', {}, '(sleep 0.3; echo a > state/a) >/dev/null 2>&1 &')
    const result = await run(makePlan([step]))
    expect(result.steps[0]).toMatchObject({ state: 'done', waitedFor: ['file a'] })
    expect(result.steps[0]!.waitedSec).toBeGreaterThan(0.1)
  })

  test("the run's own limit stops it between steps", async () => {
    const handle = surroundings(world, { timeoutSec: 2 })
    const result = await run(makePlan([makeFile('a', { timeoutSec: 60 }, 'sleep 40'), makeFile('b')]), handle)
    expect(states(result)).toEqual({ a: 'interrupted', b: 'not-started' })
    expect(result.error?.message).toContain('time limit of 2 s')
    expect(result.exitCode).toBe(6)
  })

  test('stopped while it tries again, it says why it had to', async () => {
    const retry = { while: ['connection refused'], everySec: 60 }
    const action = { kind: 'exec' as const, pipeline: [shell('echo connection refused >&2; exit 1')], retry }
    const plan = makePlan([makeFile('a', { action, timeoutSec: 120 })])
    const result = await run(plan, surroundings(world, { timeoutSec: 2 }))
    expect(states(result)).toEqual({ a: 'interrupted' })
    expect(result.error?.message).toContain('time limit of 2 s')
    expect(result.error?.message).toMatch(/\$ kubectl .*\n.*\n?connection refused/)
  })

  test('retries while the output says so, and only then', async () => {
    const flaky = 'if [ -e tried ]; then echo a > state/a; else touch tried; echo "Connection REFUSED" >&2; exit 1; fi'
    const step = makeFile('a', {}, flaky)
    const retry = { while: ['connection refused'], everySec: 0.05 }
    const result = await run(makePlan([{ ...step, action: { kind: 'exec', pipeline: [shell(flaky)], retry } }]))
    expect(result.outcome).toBe('succeeded')
    const other = await run(
      makePlan([{ ...makeFile('b'), action: { kind: 'exec', pipeline: [shell('echo denied; exit 1')], retry } }]),
    )
    expect(other.error?.message).toContain('failed with exit code 1')
  })
})

describe('groups', () => {
  test('neighbours of one group run side by side, others one after the other', async () => {
    // Each waits for the other: only possible side by side.
    const meet = (me: string, other: string) =>
      makeFile(
        me,
        { group: 'pair' },
        `touch at-${me}; while [ ! -e at-${other} ]; do sleep 0.02; done; echo x > state/${me}`,
      )
    const result = await run(makePlan([meet('a', 'b'), meet('b', 'a'), makeFile('c')]))
    expect(states(result)).toEqual({ a: 'done', b: 'done', c: 'done' })
  })

  test('one fails: the others finish, nothing later starts, and the error names it', async () => {
    const steps = [makeFile('a', { group: 'g' }, 'exit 1'), makeFile('b', { group: 'g' }), makeFile('c')]
    const result = await run(makePlan(steps))
    expect(states(result)).toEqual({ a: 'failed', b: 'done', c: 'not-started' })
    expect(result.error?.message).toContain('Make a')
  })
})

describe('interrupts', () => {
  /** Interrupts once the step has begun to act. */
  const stopWhen = (handle: Handle, step: string, then: () => void) => {
    const emit = handle.around.emit
    handle.around.emit = (event) => {
      emit(event)
      if (event.type === 'step-output' && event.step === step) then()
    }
  }

  test('a `now` step is ended; the run can be resumed and exits with 6', async () => {
    const handle = surroundings(world)
    stopWhen(handle, 'a', () => handle.stop.abort())
    const result = await run(
      makePlan([makeFile('a', { timeoutSec: 60 }, 'echo begun; sleep 40'), makeFile('b')]),
      handle,
    )
    expect(states(result)).toEqual({ a: 'interrupted', b: 'not-started' })
    expect(result).toMatchObject({ outcome: 'interrupted', exitCode: 6 })
    expect(result.seconds).toBeLessThan(15)
  })

  test('an `after` step finishes, then the run stops', async () => {
    const handle = surroundings(world)
    stopWhen(handle, 'a', () => handle.stop.abort())
    const step = makeFile('a', { interrupt: 'after' }, 'echo begun; sleep 0.4; echo a > state/a')
    const result = await run(makePlan([step, makeFile('b')]), handle)
    expect(states(result)).toEqual({ a: 'done', b: 'not-started' })
    expect(result).toMatchObject({ outcome: 'interrupted', exitCode: 6 })
    expect(handle.events).toContainEqual(
      expect.objectContaining({ type: 'run-interrupted', step: 'a', finishing: true }),
    )
  })

  test('side by side, what acts finishes, the others do not begin, and the run counts as interrupted', async () => {
    const handle = surroundings(world)
    stopWhen(handle, 'a', () => handle.stop.abort())
    const acting = makeFile('a', { group: 'g', interrupt: 'after' }, 'echo begun; sleep 0.4; echo a > state/a')
    const require = [{ gate: 'never' }]
    const waiting = ['b', 'c'].map((name) => makeFile(name, { group: 'g', interrupt: 'after', require }))
    const result = await run(makePlan([acting, ...waiting]), handle)
    expect(states(result)).toEqual({ a: 'done', b: 'interrupted', c: 'interrupted' })
    expect(result).toMatchObject({ outcome: 'interrupted', exitCode: 6 })
  })

  test('a second Ctrl-C ends an `after` step too', async () => {
    const handle = surroundings(world)
    stopWhen(handle, 'a', () => {
      handle.stop.abort()
      handle.kill.abort()
    })
    const result = await run(
      makePlan([makeFile('a', { interrupt: 'after', timeoutSec: 60 }, 'echo begun; sleep 40')]),
      handle,
    )
    expect(states(result)).toEqual({ a: 'interrupted' })
    expect(result.seconds).toBeLessThan(15)
  })

  test('before the first change it is 130, and an `after` step that has not begun to act does not hold it up', async () => {
    const handle = surroundings(world)
    const step = makeFile('a', { interrupt: 'after', require: [{ gate: 'file', params: { name: 'x' } }] })
    setTimeout(() => handle.stop.abort(), 50)
    const result = await run(makePlan([step]), handle)
    expect(result).toMatchObject({ outcome: 'interrupted', exitCode: 130, changed: false })
    expect(result.resume).toBeDefined()
  })
})

test('pid, start time and argv of a child are in the journal before it does anything', async () => {
  // The child itself looks into the journal.
  const plan = makePlan([makeFile('a', {}, 'cat .k8sops/runs/*/journal.ndjson > state/a; echo $$ > pid')])
  const result = await run(plan)
  const seen = world
    .state()
    .a!.trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const pid = Number(readFileSync(join(world.root, 'pid'), 'utf8'))
  expect(seen.at(-1)).toMatchObject({
    type: 'process-started',
    step: 'a',
    pid,
    startTime: expect.stringMatching(/^\d+$/),
  })
  const types = readJournal(runDirectory(world.target.stateDir, result.runId)).map(({ type }) => type)
  expect(types).toEqual([
    'run-started',
    'lock',
    'lock',
    'step-started',
    'process-started',
    'process-ended',
    'step-done',
    'run-finished',
  ])
})

test('what a step requires must hold at one time: what held at first is looked at again when the rest had to be waited for', async () => {
  writeFileSync(join(world.root, 'state/first'), '')
  const require = ['first', 'second'].map((name) => ({ gate: 'file', params: { name } }))
  const handle = surroundings(world)
  const waits = () => handle.events.filter(({ type }) => type === 'step-waiting').length
  const done = run(makePlan([makeFile('a', { require, timeoutSec: 30 })]), handle)
  await vi.waitUntil(() => waits() > 0, { timeout: 30_000 })
  rmSync(join(world.root, 'state/first'))
  const before = waits()
  writeFileSync(join(world.root, 'state/second'), '')
  await vi.waitUntil(
    () => handle.events.some((event) => event.type === 'step-waiting' && event.waitingFor.includes('file first')),
    { timeout: 30_000 },
  )
  expect(waits()).toBeGreaterThan(before)
  expect(existsSync(join(world.root, 'effects'))).toBe(false)
  writeFileSync(join(world.root, 'state/first'), '')
  expect(states(await done)).toEqual({ a: 'done' })
})

test('what no waiting changes ends the wait for the rest, which has said what it waits for', async () => {
  const require = [{ gate: 'broken' }, { gate: 'file', params: { name: 'later' } }]
  const step = makeFile('a', { require, timeoutSec: 600 })
  const { error, outcome } = await run(makePlan([step]))
  expect(outcome).toBe('failed')
  expect(error?.message).toMatch(/^Make a: not started, wrong; later is not there$/m)
})

describe('an action that falls silent', () => {
  const stall = { afterSec: 0.7, attempts: 2 }
  // The first start hangs; the next one goes on.
  const hangs = 'if [ -e started ]; then echo a > state/a; else touch started; echo begun; sleep 60; fi'

  test('is ended and started again', async () => {
    const step = makeFile('a', { action: { kind: 'exec', pipeline: [shell(hangs)], stall } })
    expect(states(await run(makePlan([step])))).toEqual({ a: 'done' })
  })

  test('so often, and then it has failed', async () => {
    const step = makeFile('a', { action: { kind: 'exec', pipeline: [shell('sleep 60')], stall }, timeoutSec: 30 })
    const result = await run(makePlan([step]))
    expect(result.error?.message).toContain('has printed nothing for 0.7 s, 2 times')
  })

  test('one that keeps talking is left alone', async () => {
    const talks = 'for i in 1 2 3 4; do sleep 0.3; echo $i; done; echo a > state/a'
    const step = makeFile('a', {
      action: { kind: 'exec', pipeline: [shell(talks)], stall: { afterSec: 5, attempts: 1 } },
    })
    expect(states(await run(makePlan([step])))).toEqual({ a: 'done' })
  })
})

describe('a gate that misbehaves', () => {
  test('one that never answers does not hold a step for ever', async () => {
    const never = () => new Promise<never>(() => {})
    const handle = surroundings(world, {
      gates: { evaluate: never, waitFor: never, together: () => ({ evaluate: never, waitFor: never }) },
    })
    const step = makeFile('a', { timeoutSec: 0.2, action: { kind: 'wait' }, unless: [] })
    const result = await run(makePlan([step]), handle)
    expect(result.error?.message).toContain('the gate did not answer in time')
  })

  test('one that throws is a defect, told as such, and the run still has a result', async () => {
    const broken = async () => {
      throw new TypeError('no such gate')
    }
    const handle = surroundings(world, {
      gates: { evaluate: broken, waitFor: broken, together: () => ({ evaluate: broken, waitFor: broken }) },
    })
    const result = await run(makePlan([makeFile('a')]), handle)
    expect(result).toMatchObject({ outcome: 'failed', exitCode: 1 })
    expect(result.error?.message).toBe('Make a: no such gate')
  })
})

test('the lock is confirmed before every write, and losing it stops the run before the next one', async () => {
  const { createMemoryLeases } = await import('../helpers/memory-lease.ts')
  const leases = createMemoryLeases()
  const handle = surroundings(world, { lease: leases.port })
  const steal = async () => {
    const current = leases.current()!
    await leases.port.replace({ ...current, holder: 'thief' })
  }
  const emit = handle.around.emit
  handle.around.emit = (event) => {
    emit(event)
    if (event.type === 'step-done' && event.step === 'a') void steal()
  }
  const result = await run(
    makePlan([makeFile('a'), makeFile('b', { require: [{ gate: 'file', params: { name: 'a' } }] })]),
    handle,
  )
  expect(states(result)).toEqual({ a: 'done', b: 'failed' })
  expect(result).toMatchObject({ exitCode: 6, error: { name: 'LockedError' } })
  expect(world.state()).toEqual({ a: 'a\n' })
})
