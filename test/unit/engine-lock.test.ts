import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createLeaseLock, type LeaseLock } from '../../src/lib/engine/lease-lock.ts'
import { takeRunLock } from '../../src/lib/engine/lock.ts'
import { takeFileLock } from '../../src/lib/engine/lock-file.ts'
import { processes } from '../../src/lib/exec/process-info.ts'
import type { ProcessPort } from '../../src/lib/exec/types.ts'
import { createMemoryLeases, type MemoryLeases } from '../helpers/memory-lease.ts'
import { createVirtualClock, type VirtualClock } from '../helpers/virtual-clock.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'k8sops-lock-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

/** A process on some machine. */
const someone = (pid: number, space = 'here', isAlive: ProcessPort['isAlive'] = () => true): ProcessPort => ({
  ...processes,
  self: () => ({ pid, startTime: String(pid), space, who: `op${pid}@${space}` }),
  isAlive,
})

describe('file lock', () => {
  const take = (port: ProcessPort, runId = `run-${port.self().pid}`) =>
    takeFileLock(dir, 'apps/cluster', { operation: 'bootstrap', runId }, port)

  test('a second holder is refused and told who, what, which step and since when', () => {
    const lock = take(someone(1))
    lock.setStep('apps-cp1/upgrade')
    expect(() => take(someone(2))).toThrow(
      /locked by op1@here \(pid 1\): bootstrap, at step apps-cp1\/upgrade, since 20/,
    )
    lock.release()
    expect(take(someone(2)).token).toBe(2)
  })

  test('a dead holder is followed at once; a holder on another machine is not judged from here', () => {
    take(someone(1))
    expect(take(someone(2, 'here', () => false)).token).toBe(2)
    expect(() => take(someone(3, 'elsewhere', () => false))).toThrow('locked by op2@here')
  })

  test('scopes do not exclude each other', () => {
    take(someone(1))
    expect(takeFileLock(dir, 'apps/app/odoo', { operation: 'flux.suspend', runId: 'x' }, someone(2)).token).toBe(1)
  })

  test('old numbers are removed, the highest stays', () => {
    for (let round = 0; round < 5; round += 1) take(someone(round)).release()
    expect(readdirSync(dir)).toEqual(['apps_cluster.5.lock'])
  })

  test('four racers take it 50 times each, and every third time die holding it: never two inside', async () => {
    const alive = new Int32Array(new SharedArrayBuffer(4 * 4000))
    const outcomes = await Promise.all(
      [0, 1, 2, 3].map((me) => {
        const worker = new Worker(new URL('../helpers/lock-racer.ts', import.meta.url), {
          workerData: { dir, me, wanted: 50, alive, inside: join(dir, 'inside') },
        })
        return new Promise<{ violations: number }>((resolve, reject) => {
          worker.on('message', resolve)
          worker.on('error', reject)
        })
      }),
    )
    expect(outcomes.map(({ violations }) => violations)).toEqual([0, 0, 0, 0])
  }, 60_000)
})

describe('lease', () => {
  let clock: VirtualClock
  let leases: MemoryLeases
  beforeEach(() => {
    clock = createVirtualClock()
    leases = createMemoryLeases()
  })
  const lockOf = (pid: number, more: Partial<Parameters<typeof createLeaseLock>[0]> = {}): LeaseLock =>
    createLeaseLock({
      port: leases.port,
      scope: 'cluster',
      operation: 'bootstrap',
      runId: `run-${pid}`,
      processes: someone(pid, `machine-${pid}`),
      clock,
      leaseSec: 15,
      patienceSec: 60,
      ...more,
    })
  /** Renews like a living holder until `alive` says no. */
  const live = async (lock: LeaseLock, alive: () => boolean) => {
    while (alive()) {
      await clock.pause(5_000)
      if (alive()) await lock.renew()
    }
  }

  test('1000 races: exactly one holder each time', async () => {
    for (let race = 0; race < 1000; race += 1) {
      const mixed = createMemoryLeases(async () => {
        if (Math.random() < 0.5) await turn()
      })
      const ends = await Promise.all(
        [1, 2].map((pid) => {
          let looks = 0
          const own = { now: () => race * 1000, pause: async () => {} }
          // The winner's first renewal, by the time the loser looks again, is what refuses the loser.
          const port = {
            ...mixed.port,
            get: async (name: string) => {
              looks += 1
              const current = mixed.current()
              if (looks > 2 && current) await mixed.port.replace({ ...current })
              return mixed.port.get(name)
            },
          }
          return lockOf(pid, { port, clock: own })
            .acquire()
            .catch((error: Error) => error.name)
        }),
      )
      expect(ends.sort()).toEqual(['LockedError', 'held'])
    }
  })

  test('no API: unavailable, and nobody is excluded by what is not there', async () => {
    leases.down = true
    expect(await clock.run(lockOf(1).acquire())).toBe('unavailable')
  })

  test('a living holder: refused as soon as a renewal is seen, whatever the clocks say', async () => {
    const first = lockOf(1)
    await clock.run(first.acquire())
    await clock.run(first.confirm('apps-cp2/upgrade'))
    let alive = true
    void live(first, () => alive)
    // Its written times are an hour in the past: they decide nothing.
    leases.current()!.renewTime = new Date(Date.now() - 3_600_000).toISOString()
    await expect(clock.run(lockOf(2).acquire())).rejects.toThrow(
      /locked by op1@machine-1: bootstrap, at step apps-cp2\/upgrade/,
    )
    expect(clock.now()).toBeLessThan(10_000)
    alive = false
  })

  test('a silent holder is followed after its whole duration, not before, and finds out before its next write', async () => {
    const first = lockOf(1)
    await clock.run(first.acquire())
    leases.current()!.renewTime = new Date(Date.now() + 3_600_000).toISOString()
    const second = lockOf(2)
    expect(await clock.run(second.acquire())).toBe('held')
    expect(clock.now()).toBeGreaterThanOrEqual(15_000)
    expect(clock.now()).toBeLessThan(20_000)
    expect(leases.current()!.transitions).toBe(1)
    await expect(clock.run(first.confirm('x'))).rejects.toThrow(/lost its lock.*op2@machine-2/)
    expect(first.held).toBe(false)
  })

  test('time in which the API was away does not count as silence', async () => {
    const first = lockOf(1)
    await clock.run(first.acquire())
    const begun = clock.now()
    const flapping = async () => {
      await clock.pause(8_000)
      leases.down = true
      await clock.pause(6_000)
      leases.down = false
    }
    void flapping()
    expect(await clock.run(lockOf(2).acquire())).toBe('held')
    expect(clock.now() - begun).toBeGreaterThanOrEqual(14_000 + 15_000)
  })

  test('a holder that died on this machine is followed at once', async () => {
    await clock.run(lockOf(1, { processes: someone(1, 'here') }).acquire())
    const second = lockOf(2, { processes: someone(2, 'here', ({ pid }) => pid !== 1) })
    expect(await clock.run(second.acquire())).toBe('held')
    expect(clock.now()).toBe(0)
  })

  test('one request renews it, and is refused once somebody else has written it', async () => {
    const asked: string[] = []
    const noted =
      <T, U>(what: string, ask: (about: T) => U) =>
      (about: T) => {
        asked.push(what)
        return ask(about)
      }
    const { get, replace } = leases.port
    const port = { ...leases.port, get: noted('get', get), replace: noted('replace', replace) }
    const lock = lockOf(1, { port })
    await clock.run(lock.acquire())
    asked.length = 0
    await clock.run(lock.confirm('drain'))
    await clock.run(lock.renew())
    expect(asked).toEqual(['replace', 'replace'])
    // A label that an operator put on it is no reason to stop.
    await leases.port.replace({ ...leases.current()! })
    await clock.run(lock.confirm('upgrade'))
    expect(leases.current()).toMatchObject({ annotations: { 'k8sops.dev/step': 'upgrade' } })
    await leases.port.replace({ ...leases.current()!, holder: 'somebody@elsewhere' })
    await expect(clock.run(lock.confirm('uncordon'))).rejects.toThrow(/lost its lock.*somebody@elsewhere/)
    expect(leases.current()).toMatchObject({ holder: 'somebody@elsewhere' })
  })

  test('given back: free at once, and the token counts on', async () => {
    const first = lockOf(1)
    await clock.run(first.acquire())
    await clock.run(first.release())
    const second = lockOf(2)
    await clock.run(second.acquire())
    expect(leases.current()).toMatchObject({ transitions: 1, holder: expect.stringContaining('op2@machine-2') })
    // Written by somebody meanwhile, who did not take it.
    await leases.port.replace({ ...leases.current()! })
    await clock.run(second.release())
    expect(leases.current()).toMatchObject({ transitions: 1, holder: '' })
  })

  test('the API away for a while: the holder keeps its lock and waits; for too long: exit 4, nothing written', async () => {
    const lock = lockOf(1)
    await clock.run(lock.acquire())
    leases.down = true
    const back = async () => {
      await clock.pause(20_000)
      leases.down = false
    }
    void back()
    await clock.run(lock.confirm('a'))
    leases.down = true
    await expect(clock.run(lock.confirm('b'))).rejects.toMatchObject({ name: 'UnreachableError', exitCode: 4 })
  })

  test('deleted, or etcd restored to before it: taken again by whoever is first', async () => {
    const lock = lockOf(1)
    await clock.run(lock.acquire())
    leases.remove()
    await clock.run(lock.confirm('a'))
    expect(leases.current()).toMatchObject({ holder: expect.stringContaining('op1') })
  })
})

describe("a run's lock", () => {
  const request = (leases: MemoryLeases, pid: number) => ({
    dir: join(dir, String(pid)),
    cluster: 'apps',
    scope: 'cluster',
    operation: 'bootstrap',
    runId: `run-${pid}`,
    processes: someone(pid, `machine-${pid}`),
    lease: leases.port,
    onChange: () => {},
    signal: new AbortController().signal,
    leaseSec: 1,
  })

  test('begins with the file alone, and takes the lease before the first write after the API came up', async () => {
    const leases = createMemoryLeases()
    leases.down = true
    const lock = await takeRunLock(request(leases, 1))
    await lock.beforeWrite('bootstrap')
    expect(leases.current()).toBeUndefined()
    leases.down = false
    await Promise.all([lock.beforeWrite('a'), lock.beforeWrite('b')])
    expect(leases.current()).toMatchObject({ holder: expect.stringContaining('run-1') })
    await lock.release()
    expect(leases.current()!.holder).toBe('')
  })

  test('once lost it stays lost, even when the other one has given it back', async () => {
    const leases = createMemoryLeases()
    const lock = await takeRunLock(request(leases, 1))
    const thief = { ...leases.current()!, holder: 'thief' }
    await leases.port.replace(thief)
    await expect(lock.beforeWrite('a')).rejects.toThrow('lost its lock')
    await leases.port.replace({ ...leases.current()!, holder: '' })
    await expect(lock.beforeWrite('b')).rejects.toThrow('lost its lock')
    await lock.release()
  })

  test('refused by the lease: the file lock is given back', async () => {
    const leases = createMemoryLeases()
    const first = await takeRunLock(request(leases, 1))
    await expect(takeRunLock({ ...request(leases, 2), dir: join(dir, '2') })).rejects.toMatchObject({ exitCode: 5 })
    expect(takeFileLock(join(dir, '2'), 'apps/cluster', { operation: 'x', runId: 'x' }, someone(3))).toBeDefined()
    await first.release()
  })
})
