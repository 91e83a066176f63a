/** Children of a lab die with their parent, whatever ends it, and what a crash leaves is found and ended. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { startTimeOf } from '../../src/lib/exec/process-info.ts'
import { createChildren, keepRunning } from '../../src/lib/lab/children.ts'
import { labMarker, processesOfLab, sweep } from '../../src/lib/lab/processes.ts'

const dir = mkdtempSync(join(tmpdir(), 'lab-processes-'))
const id = `${dir}#test`
afterEach(() => sweep(id))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const root = join(import.meta.dirname, '../..')

async function until(fact: () => boolean, ms: number): Promise<boolean> {
  const deadline = Date.now() + ms
  while (!fact()) {
    if (Date.now() > deadline) return false
    await delay(10)
  }
  return true
}

/** A process that starts a lab's child as the supervisor does, and then only waits. */
function startParent(path: string): Promise<{ pid: number; child: number }> {
  const script = join(dir, 'parent.ts')
  writeFileSync(
    script,
    `import { createChildren } from '${root}/src/lib/lab/children.ts'
const child = createChildren({ id: '${id}', dir: '${dir}' }, { PATH: '${path}' }).spawn('sleeper', '/bin/sleep', ['1000'])
console.log(child.pid)
setInterval(() => {}, 1e6)
`,
  )
  const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] })
  return new Promise((resolve) =>
    parent.stdout.once('data', (text: Buffer) => resolve({ pid: parent.pid!, child: Number(text.toString()) })),
  )
}

describe('a child', () => {
  test.each([
    ['setpriv', '/usr/bin:/bin'],
    ['a shell where setpriv is missing', '/nowhere'],
  ])('is gone when its parent is killed with SIGKILL (by %s)', async (_, path) => {
    const { pid } = await startParent(path)
    expect(await until(() => processesOfLab(id).some(({ command }) => command.includes('sleep 1000')), 20_000)).toBe(
      true,
    )
    process.kill(pid, 'SIGKILL')
    expect(await until(() => processesOfLab(id).length === 0, 20_000)).toBe(true)
  })

  test('carries the marker, logs to its file and tells how it ended', async () => {
    const children = createChildren({ id, dir }, { PATH: process.env.PATH })
    const child = children.spawn('talker', '/bin/sh', ['-c', `echo "$${labMarker} $EXTRA"; exit 3`], {
      env: { EXTRA: 'yes' },
    })
    expect(await child.exited).toEqual({ code: 3, signal: null })
    expect(readFileSync(join(dir, 'logs', 'talker.log'), 'utf8')).toBe(`${id} yes\n`)
    expect(children.running()).toEqual([])
  })

  test('that can’t be started ends with 127', async () => {
    const children = createChildren({ id, dir }, { PATH: '/nowhere' })
    expect((await children.spawn('nothing', '/no/such/program', []).exited).code).not.toBe(0)
  })

  test('is killed with all others', async () => {
    const children = createChildren({ id, dir }, { PATH: process.env.PATH })
    for (const name of ['one', 'two']) children.spawn(name, '/bin/sleep', ['1000'])
    await children.killAll(['two'])
    expect(children.running()).toEqual([])
    expect(processesOfLab(id)).toEqual([])
  })
})

describe('a sweep', () => {
  test('finds grandchildren that left the process group, and only those of this lab', async () => {
    const script = 'setsid sleep 1000 & sleep 1001 & wait'
    spawn('/bin/sh', ['-c', script], { env: { PATH: process.env.PATH, [labMarker]: id }, stdio: 'ignore' })
    const stranger = spawn('/bin/sleep', ['1002'], { env: { [labMarker]: `${id}-other` }, stdio: 'ignore' })
    expect(await until(() => processesOfLab(id).length === 3, 20_000)).toBe(true)
    expect(await sweep(id)).toHaveLength(3)
    expect(processesOfLab(id)).toEqual([])
    expect(startTimeOf(stranger.pid!)).toBeDefined()
    stranger.kill('SIGKILL')
  })
})

test('a process that is kept running starts again, and stops when told', async () => {
  const children = createChildren({ id, dir }, { PATH: process.env.PATH })
  const ends: number[] = []
  const kept = keepRunning(
    () => children.spawn('kept', '/bin/sleep', ['1000']),
    (_, restartMs) => ends.push(restartMs),
  )
  const first = kept.current()?.pid
  kept.current()?.kill('SIGKILL')
  expect(await until(() => kept.restarts() === 1 && kept.current() !== undefined, 2_000)).toBe(true)
  expect(kept.current()?.pid).not.toBe(first)
  // The first restart comes at once, the next one after a pause.
  expect(ends).toEqual([0])
  await kept.stop()
  expect(children.running()).toEqual([])
})
