/** The Lease lock against a real API server: optimistic concurrency is its promise, not ours. */
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
}, 120_000)
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

test('fifty races of four: exactly one holder each time', async () => {
  const port = createLeasePort(target)
  for (let race = 0; race < 50; race += 1) {
    // Acquisition as far as the API server decides it: the one that is not refused by a conflict.
    const free = await port.get('k8sops-cluster')
    if (!free.ok) throw new Error(free.detail)
    const tries = await Promise.all(
      [1, 2, 3, 4].map((pid) => port.replace({ ...free.value, holder: `racer-${pid}-${race}` })),
    )
    expect(tries.filter(({ ok }) => ok)).toHaveLength(1)
    expect(tries.flatMap((one) => (one.ok ? [] : [one.detail]))).toEqual(['conflict', 'conflict', 'conflict'])
  }
  const last = await port.get('k8sops-cluster')
  if (last.ok) await port.replace({ ...last.value, holder: '' })
}, 60_000)

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
}, 30_000)

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
