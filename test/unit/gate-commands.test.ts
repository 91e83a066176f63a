/** `k8sops gate list|check` from argv to stdout and exit code, over worlds as gates-world.ts has them. */
import { EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, expect, it } from 'vitest'
import { gateCheck } from '../../src/commands/gate/check.ts'
import { gateList } from '../../src/commands/gate/list.ts'
import { candidates } from '../../src/lib/cli/complete.ts'
import type { Repository } from '../../src/lib/config/load.ts'
import { gates } from '../../src/lib/gates/catalog.ts'
import { createGatePort } from '../../src/lib/gates/evaluate.ts'
import { checksOf, setNames } from '../../src/lib/gates/sets.ts'
import type { KubeObject, KubePort } from '../../src/lib/types.ts'
import { runCli, worldServices } from '../helpers/cli.ts'
import { type World as EngineWorld, makeWorld } from '../helpers/engine-world.ts'
import { cluster, sourcesOf, type World } from './gates-world.ts'

const worlds: EngineWorld[] = []
afterEach(() => {
  for (const world of worlds.splice(0)) world.remove()
})

const node = (name: string, ready: string): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: {},
  status: {
    conditions: [
      { type: 'Ready', status: ready, message: `kubelet is ${ready}`, lastTransitionTime: '2026-11-24T10:00:00Z' },
    ],
  },
})
const names = cluster().nodes.map(({ hostname }) => hostname)
const away = { ok: false as const, why: 'unreachable' as const, detail: 'connect ECONNREFUSED' }

/** Runs the commands on cluster `apps` of gates-world.ts. */
async function gate(argv: string[], world: World, kube?: Partial<KubePort>, signals = new EventEmitter()) {
  const engine = makeWorld()
  worlds.push(engine)
  const sources = sourcesOf(world)
  const port = createGatePort({ ...sources, kube: { ...sources.kube, ...kube } })
  const services = worldServices(engine, { gates: async () => port })
  const repository = { ...(await services.openRepository('')), clusters: [cluster()], defaultCluster: 'apps' }
  return runCli(['gate', ...argv], {
    specs: [gateCheck, gateList],
    services: { ...services, openRepository: async () => repository, openTarget: openTargetOf(repository, engine) },
    signals,
  })
}
const openTargetOf = (repository: Repository, engine: EngineWorld) => async (_: Repository, name: string) => ({
  repository,
  cluster: repository.clusters[0]!,
  target: { ...engine.target, cluster: name, context: name },
})

it('lists every gate, with the sets that it is in', async () => {
  const { stdout, code } = await gate(['list', '-o', 'json'], { reason: '' })
  const { items } = JSON.parse(stdout) as { items: { name: string; sets: string[]; runbook: string }[] }
  expect(code).toBe(0)
  expect(items.map(({ name }) => name)).toEqual(Object.keys(gates))
  expect(items.find(({ name }) => name === 'ceph-healthy')?.sets).toEqual([...setNames])
  expect(items.find(({ name }) => name === 'installer-image')?.sets).toEqual(['before-upgrade'])
})

it('tells verdict, reason, since when and what next, and ends with 3 when one does not hold', async () => {
  const kube = { 'v1/Node': names.map((name) => node(name, name === 'apps-w1' ? 'False' : 'True')) }
  const ended = await gate(['check', 'nodes-ready', 'node-schedulable', '--cluster', 'apps', '-o', 'wide'], {
    reason: '',
    kube,
  })
  expect(ended.code).toBe(3)
  expect(ended.stdout).toMatch(/^nodes-ready +fail +2026-11-24T10:00:00Z +Node apps-w1: kubelet is False +kubectl/m)
  expect(ended.stdout).toMatch(/^node-schedulable +apps-w1 +pass/m)
  expect(ended.stdout.match(/^node-schedulable/gm)).toHaveLength(4)
  expect(ended.stdout).toContain('docs/runbooks/gates.md')
})

it('asks about the given nodes only, and ends with 0 when everything holds', async () => {
  const kube = { 'v1/Node': names.map((name) => node(name, name === 'apps-w1' ? 'False' : 'True')) }
  const ended = await gate(['check', 'nodes-ready', '--node', 'apps-cp1', 'apps-cp2'], { reason: '', kube })
  expect(ended).toMatchObject({ code: 0, stderr: '' })
})

it('ends with 4 when nothing of the cluster can be reached, and with 3 when something can', async () => {
  const dead = { reason: '', kube: { 'v1/Node': away } }
  expect((await gate(['check', 'nodes-ready', 'config-sound'], dead)).code).toBe(4)
  const raw = { '/readyz': 'ok' }
  expect((await gate(['check', 'nodes-ready', 'api-ready'], { ...dead, raw })).code).toBe(3)
})

it('looks at everything that must hold before machines are worked on; each kind of object is read once', async () => {
  const lists: string[] = []
  const world: World = { reason: '', kube: { 'v1/Node': names.map((name) => node(name, 'True')) } }
  const { kube } = sourcesOf(world)
  const list: KubePort['list'] = (ref, signal) => {
    lists.push(`${ref.kind} ${ref.fieldSelector ?? ''}`)
    return kube.list(ref, signal)
  }
  const ended = await gate(['check', '-o', 'json'], world, { list })
  const { items } = JSON.parse(ended.stdout) as { items: { name: string }[] }
  const expected = checksOf('before-upgrade', { cluster: cluster() }, cluster().nodes)
  expect(items.map(({ name }) => name)).toEqual(expected.map(({ gate: id }) => id))
  expect(lists.filter((one, index) => lists.indexOf(one) !== index)).toEqual([])
  expect(ended.code).toBe(3)
})

it.each([
  [['no-such', 'nor-this'], 'there is no gate no-such, nor-this'],
  [['etcd-snapshot-fresh', 'installer-image'], 'etcd-snapshot-fresh path, etcd-snapshot-fresh maxAgeSec, installer-im'],
  [['nodes-ready', '--set', 'after-upgrade'], 'give either gates by name or --set'],
  [['--set', 'before-node'], '--set before-node is about one node after the other'],
  [['--node', 'apps-w9'], 'cluster apps has no node apps-w9'],
  [['installer-image', '--param', 'image'], '--param image: expected NAME=VALUE'],
])('%j is refused with 2', async (argv, message) => {
  const ended = await gate(['check', ...argv], { reason: '' })
  expect(ended.code).toBe(2)
  expect(ended.stderr).toContain(message)
})

it('takes what the repository does not tell from --param', async () => {
  const ended = await gate(['check', 'installer-image', '--param', 'image=ghcr.io/x/y:v1'], {
    reason: '',
    images: { 'ghcr.io/x/y:v1': 'sha256:abc' },
  })
  expect(ended).toMatchObject({ code: 0, stdout: expect.stringContaining('ghcr.io/x/y:v1 is there (sha256:abc)') })
})

it('watches until a gate holds, and says what it waits for meanwhile', async () => {
  let list = [node('apps-w1', 'False')]
  const kube: Partial<KubePort> = {
    list: async () => ({ ok: true, value: list }),
    async watch(_ref, signal, onChange) {
      onChange({ ok: true, value: list })
      await delay(50, undefined, { signal }).catch(() => {})
      list = [node('apps-w1', 'True')]
      onChange({ ok: true, value: list })
    },
  }
  const ended = await gate(
    ['check', 'node-ready-version', '--node', 'apps-w1', '--watch', '--timeout', '200ms'],
    {
      reason: '',
    },
    kube,
  )
  expect(ended.code).toBe(3)
  expect(ended.stderr).toMatch(/node-ready-version: waits for Node apps-w1: kubelet is False/)
  expect(ended.stderr).toMatch(/FAILED node-ready-version .*osImage is empty/)

  list = [node('apps-w1', 'False')]
  const held = await gate(
    ['check', 'node-schedulable', 'nodes-registered', '--node', 'apps-w1', '--watch'],
    {
      reason: '',
    },
    kube,
  )
  expect(held.code).toBe(0)
  expect(held.stderr).toContain('done node-schedulable')
})

it('stops watching on Ctrl-C with what it knows', async () => {
  const signals = new EventEmitter()
  const kube: Partial<KubePort> = {
    async watch(_ref, signal, onChange) {
      onChange({ ok: true, value: [] })
      signals.emit('SIGINT', 'SIGINT')
      await delay(5000, undefined, { signal }).catch(() => {})
    },
  }
  const ended = await gate(['check', 'nodes-ready', '--watch'], { reason: '' }, kube, signals)
  expect(ended.stdout).toContain('not there yet')
  expect(ended.code).toBe(130)
})

it('completes the names of gates', async () => {
  const entries = [{ path: 'gate check', summary: '', load: async () => gateCheck }]
  const found = await candidates(
    ['gate', 'check', 'etcd-h'],
    entries,
    {},
    {
      cwd: '/',
      loadRepository: () => Promise.reject(new Error('not needed')),
    },
  )
  expect(found).toEqual(['etcd-healthy'])
})
