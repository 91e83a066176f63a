import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { readJournal } from '../../src/lib/engine/journal.ts'
import { listRuns } from '../../src/lib/engine/runs.ts'
import { processes } from '../../src/lib/exec/process-info.ts'
import type { RunResult, Step } from '../../src/lib/types.ts'
import { makeFile, makePlan, makeWorld, type World } from '../helpers/engine-world.ts'

// Processes take their time on a busy machine; what is measured here is order, not speed.
vi.setConfig({ testTimeout: 60_000 })

const helpers = join(import.meta.dirname, '../helpers')
const worlds: World[] = []
/** Some fifty processes load the same sources: compiled once, as bin/k8sops.js does it. */
const compiled = mkdtempSync(join(tmpdir(), 'k8sops-compiled-'))
afterAll(() => rmSync(compiled, { recursive: true, force: true }))
afterEach(() => {
  for (const world of worlds.splice(0)) world.remove()
})

function newWorld(steps: Step[]): World {
  const world = makeWorld()
  worlds.push(world)
  writeFileSync(join(world.root, 'plan.json'), JSON.stringify(makePlan(steps)))
  return world
}

interface Ended {
  code: number | null
  signal: string | null
  result: RunResult | undefined
}

/** Starts (or resumes) the world's plan in a process of its own. */
function start(world: World, env: Record<string, string> = {}) {
  const child = spawn(
    process.execPath,
    ['--import', join(helpers, 'kill-at-journal.mjs'), join(helpers, 'engine-process.ts'), world.root],
    {
      env: { ...process.env, NODE_COMPILE_CACHE: compiled, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    },
  )
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  const ended = new Promise<Ended>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal, result: output ? JSON.parse(output) : undefined })),
  )
  return { child, ended }
}

/** A step without `unless`, which must not be repeated for nothing, and two side by side. */
const steps = (): Step[] => {
  const { unless: _, ...once } = makeFile('a', { interrupt: 'after' })
  return [once, makeFile('c', { group: 'g' }), makeFile('d', { group: 'g' })]
}
const effectsOf = (world: World) =>
  existsSync(join(world.root, 'effects')) ? readFileSync(join(world.root, 'effects'), 'utf8').trim().split('\n') : []

test('killed at every journal boundary and resumed by another process: same end state as undisturbed', async () => {
  const undisturbed = newWorld(steps())
  const { result } = await start(undisturbed).ended
  expect(result).toMatchObject({ outcome: 'succeeded' })
  const [run] = listRuns(undisturbed.target.stateDir, processes)
  const boundaries = run!.journal.length
  expect(boundaries).toBeGreaterThan(12)

  const tryOne = async (at: number, how: string) => {
    const world = newWorld(steps())
    const killed = await start(world, { K8SOPS_TEST_KILL_AT: String(at), K8SOPS_TEST_KILL_HOW: how }).ended
    expect(killed.signal, `entry ${at}, ${how}`).toBe('SIGKILL')
    const resumed = await start(world).ended
    expect(resumed, `entry ${at}, ${how}`).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
    expect(world.state(), `entry ${at}, ${how}`).toEqual(undisturbed.state())
    // At most the step that was under way is done twice, never one that was finished.
    const twice = effectsOf(world).filter((name, index, all) => all.indexOf(name) !== index)
    expect(twice.length, `entry ${at}, ${how}: repeated ${twice}`).toBeLessThanOrEqual(2)
  }
  const hows = ['after', 'before', 'torn']
  // Every boundary once; how the death looks goes round. The last entry is run-finished, after result.json.
  const queue = Array.from({ length: boundaries - 1 }, (_, index) => index + 1)
  const worker = async () => {
    for (let at = queue.shift(); at !== undefined; at = queue.shift()) await tryOne(at, hows[at % hows.length]!)
  }
  await Promise.all([worker(), worker()])
}, 120_000)

test('killed in the middle of a step: its child is gone, and so is what that had started in a session of its own', async () => {
  const world = newWorld([
    makeFile(
      'a',
      { timeoutSec: 60 },
      'setsid sh -c "sleep 40; echo late > state/late" & sleep 40; echo late > state/a',
    ),
  ])
  const { child, ended } = start(world)
  // The run's directory is there a moment before the plan in it.
  let [run] = listRuns(world.target.stateDir, processes)
  for (; !run; [run] = listRuns(world.target.stateDir, processes)) await sleep(20)
  while (processes.ofRun(run!.id).length < 3) await sleep(20)
  child.kill('SIGKILL')
  await ended
  const deadline = Date.now() + 15_000
  while (processes.ofRun(run!.id).length > 0 && Date.now() < deadline) await sleep(10)
  expect(processes.ofRun(run!.id)).toEqual([])
  expect(listRuns(world.target.stateDir, processes)[0]!.state).toBe('unfinished')
})

test('a second process is refused while the first one lives, and told who and where', async () => {
  const world = newWorld([
    makeFile('a', { timeoutSec: 60 }, 'while [ ! -e go ]; do sleep 0.02; done; echo a > state/a'),
  ])
  const { ended } = start(world)
  const locks = join(world.target.stateDir, 'locks', 'test_cluster.1.lock')
  while (!existsSync(locks) || !readFileSync(locks, 'utf8').includes('"step"')) await sleep(20)
  const { startRun } = await import('../../src/lib/engine/start.ts')
  const { surroundings } = await import('../helpers/engine-world.ts')
  const second = startRun(makePlan([makeFile('z')]), surroundings(world).around, { checkBasis: false })
  await expect(second).rejects.toMatchObject({
    name: 'LockedError',
    exitCode: 5,
    message: expect.stringMatching(/locked by .*pid \d+.*test, at step a/),
  })
  writeFileSync(join(world.root, 'go'), '')
  expect((await ended).code).toBe(0)
  expect(listRuns(world.target.stateDir, processes)).toHaveLength(1)
})

test('SIGTERM: the `after` step finishes, the process exits with 6, and another one resumes', async () => {
  const world = newWorld([
    makeFile('a', { interrupt: 'after' }, 'touch begun; sleep 0.5; echo a > state/a'),
    makeFile('b'),
  ])
  const { child, ended } = start(world)
  while (!existsSync(join(world.root, 'begun'))) await sleep(20)
  child.kill('SIGTERM')
  expect(await ended).toMatchObject({
    code: 6,
    result: { outcome: 'interrupted', steps: [{ state: 'done' }, { state: 'not-started' }] },
  })
  expect(await start(world).ended).toMatchObject({
    code: 0,
    result: { steps: [{ state: 'skipped' }, { state: 'done' }] },
  })
})

test('a step that was done is not repeated on resume while what it verified still holds', async () => {
  const { unless: _, ...once } = makeFile('a')
  const world = newWorld([once, makeFile('b', {}, 'test -e allow && echo b > state/b')])
  expect((await start(world).ended).code).toBe(6)
  writeFileSync(join(world.root, 'allow'), '')
  const { result } = await start(world).ended
  expect(result!.steps[0]).toMatchObject({ state: 'skipped', reason: 'done before, and still: a is there' })
  expect(effectsOf(world)).toEqual(['a'])
  const [run] = listRuns(world.target.stateDir, processes)
  expect(readJournal(run!.dir).filter(({ type }) => type === 'run-started')).toHaveLength(2)
})
