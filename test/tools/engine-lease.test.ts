/** The Lease lock against a real API server: optimistic concurrency is its promise, not ours. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLeaseLock } from '../../src/lib/engine/lease-lock.ts'
import { processes } from '../../src/lib/exec/process-info.ts'
import { createLeasePort } from '../../src/lib/kube/lease.ts'
import { resolveTool } from '../../src/lib/tools/resolve.ts'
import type { LockOrder, LockReport } from '../helpers/lock-operator.ts'
import { full } from '../helpers/seed.ts'
import { startTestCluster, type TestCluster } from '../helpers/test-cluster.ts'

const names = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kwok', 'kubectl']
let cluster: TestCluster
let target: { kubeconfig: string; context: string }
const dir = mkdtempSync(join(tmpdir(), 'k8sops-lease-'))

beforeAll(async () => {
  const tools = Object.fromEntries(
    names.map((name) => {
      const found = resolveTool(name)
      if (!found) throw new Error(`${name} is not built; run tools/setup`)
      return [name, found.path]
    }),
  )
  cluster = await startTestCluster(dir, 202, tools)
  const kubeconfig = cluster.lab.adminKubeconfig
  target = { kubeconfig, context: /^current-context: *"?([^"\n]+)/m.exec(readFileSync(kubeconfig, 'utf8'))![1]! }
})
afterAll(async () => {
  await cluster?.stop()
  rmSync(dir, { recursive: true, force: true })
})

const lockOf = (pid: number, scope = 'cluster', isAlive = () => true, leaseSec = 3) =>
  createLeaseLock({
    port: createLeasePort(target),
    scope,
    operation: 'bootstrap',
    runId: `run-${pid}`,
    processes: { ...processes, isAlive, self: () => ({ pid, startTime: '1', space: 'here', who: `op${pid}@here` }) },
    clock: { now: () => performance.now(), pause: (ms) => sleep(ms) },
    leaseSec,
    patienceSec: 10,
  })
const leases = async () =>
  (
    await cluster.get<{ items: { metadata: { name: string }; spec: Record<string, unknown> }[] }>(
      'lease',
      '-n',
      'kube-system',
    )
  ).items.filter(({ metadata }) => metadata.name.startsWith('k8sops-'))

test('a free lease is made, says who holds it, and is given back', async () => {
  const lock = lockOf(1)
  expect(await lock.acquire()).toBe('held')
  await lock.confirm('apps-cp1/upgrade')
  const [lease] = await leases()
  expect(lease).toMatchObject({
    metadata: {
      name: 'k8sops-cluster',
      annotations: { 'k8sops.dev/step': 'apps-cp1/upgrade', 'k8sops.dev/run': 'run-1' },
    },
    spec: { holderIdentity: expect.stringContaining('op1@here'), leaseDurationSeconds: 3, leaseTransitions: 0 },
  })
  await lock.release()
  expect((await leases())[0]!.spec.holderIdentity ?? '').toBe('')
})

test('a living holder is told from a dead one by its renewals', async () => {
  const first = lockOf(1)
  await first.acquire()
  const renewing = setInterval(() => void first.renew(), 1_000)
  await expect(lockOf(2).acquire()).rejects.toMatchObject({ exitCode: 5 })
  clearInterval(renewing)
  const second = lockOf(2)
  const begun = performance.now()
  expect(await second.acquire()).toBe('held')
  expect(performance.now() - begun).toBeGreaterThan(2_900)
  await expect(first.confirm('next')).rejects.toMatchObject({ name: 'LockedError' })
  await second.release()
})

test('its process is gone from this machine: no waiting', async () => {
  await lockOf(1, 'cluster', () => true, 60).acquire()
  const begun = performance.now()
  const second = lockOf(2, 'cluster', () => false, 60)
  expect(await second.acquire()).toBe('held')
  expect(performance.now() - begun).toBeLessThan(30_000)
  await second.release()
})

test('an app is locked apart from the cluster', async () => {
  const [cluster, app] = [lockOf(1), lockOf(2, 'app/odoo')]
  expect(await Promise.all([cluster.acquire(), app.acquire()])).toEqual(['held', 'held'])
  expect((await leases()).map(({ metadata }) => metadata.name).sort()).toEqual(['k8sops-app-odoo', 'k8sops-cluster'])
  await Promise.all([cluster.release(), app.release()])
})

test('no kubeconfig, or nobody at that address: no lock to be had, which is no error', async () => {
  const port = createLeasePort({ kubeconfig: join(dir, 'absent'), context: 'x' })
  expect(await port.get('k8sops-cluster')).toMatchObject({ ok: false, why: 'unreachable' })
  const closed = join(dir, 'closed')
  writeFileSync(closed, readFileSync(target.kubeconfig, 'utf8').replace(/:6443/g, ':6499'))
  expect(await createLeasePort({ ...target, kubeconfig: closed }).get('k8sops-cluster')).toMatchObject({
    ok: false,
    why: 'unreachable',
  })
})

/** Scopes on which trials go on at the same time: a refusal takes as long as it takes to see that the holder lives. */
const atOnce = 25
const trials = full ? 1_000 : 50

test(
  `two operators on two machines at once, ${trials} times: exactly one runs, the other is refused with exit code 5`,
  async () => {
    const operators = ['anna', 'ben'].map((name) => operator(name))
    const trial = async (number: number, scope: string) => {
      const taken = await Promise.all(operators.map((one) => one.tell({ do: 'take', trial: number, scope })))
      const winner = taken.findIndex(({ state }) => state === 'held')
      expect(taken.map(({ state }) => state).sort(), scope).toEqual(['held', 'refused'])
      expect(taken.map(({ exitCode, notAlone }) => exitCode ?? notAlone).toSorted()).toEqual([5, false])
      await operators[winner]?.tell({ do: 'release', trial: number, scope })
      return winner
    }
    try {
      const winners = await Promise.all(
        Array.from({ length: atOnce }, async (_, lane) => {
          const won: number[] = []
          for (let number = lane; number < trials; number += atOnce) won.push(await trial(number, `app/race-${lane}`))
          return won
        }),
      )
      expect(winners.flat()).toHaveLength(trials)
      // Else it would be no race.
      expect(new Set(winners.flat())).toEqual(new Set([0, 1]))
    } finally {
      for (const { end } of operators) end()
    }
  },
  full ? 900_000 : 120_000,
)

function operator(name: string): { tell: (order: LockOrder) => Promise<LockReport>; end: () => void } {
  const program = join(import.meta.dirname, '../helpers/lock-operator.ts')
  const child = fork(program, [name, dir, target.kubeconfig, target.context])
  const gone = once(child, 'exit').then((): never => {
    throw new Error(`${name} is gone`)
  })
  // Asked for no more, it may go.
  gone.catch(() => {})
  const waiting = new Map<number, (report: LockReport) => void>()
  child.on('message', (report: LockReport) => waiting.get(report.trial)?.(report))
  return {
    tell(order) {
      const { promise, resolve } = Promise.withResolvers<LockReport>()
      waiting.set(order.trial, resolve)
      child.send(order)
      return Promise.race([promise, gone])
    },
    end: () => child.disconnect(),
  }
}
