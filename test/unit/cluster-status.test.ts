/** `k8sops cluster status` from argv to stdout and exit code, over worlds as gates-world.ts has them. */
import { EventEmitter } from 'node:events'
import { afterEach, expect, it } from 'vitest'
import { clusterStatus } from '../../src/commands/cluster/status.ts'
import { ConfigError } from '../../src/lib/errors.ts'
import { createGatePort } from '../../src/lib/gates/evaluate.ts'
import { newAuthority } from '../../src/lib/lab/talos/certificates.ts'
import { statusParts, statusRows } from '../../src/lib/ops/cluster-status.ts'
import type { Check, KubeObject, KubePort, Verdict } from '../../src/lib/types.ts'
import { clusterNamed, runCli, worldServices } from '../helpers/cli.ts'
import { type World as EngineWorld, makeWorld } from '../helpers/engine-world.ts'
import { fc } from '../helpers/seeded-check.ts'
import { cluster, kubeOf, sourcesOf, talosOf, type World } from './gates-world.ts'

const worlds: EngineWorld[] = []
afterEach(() => {
  for (const world of worlds.splice(0)) world.remove()
})

const ownCertificate = newAuthority('CN=jane').then(({ crt }) => crt)
const away = { ok: false as const, why: 'unreachable' as const, detail: 'connect ECONNREFUSED 10.25.13.10:6443' }

const node = (name: string, ready = 'True', unschedulable = false): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, annotations: unschedulable ? { 'k8sops.dev/cordoned-by': 'node.cordon/jane@desk' } : {} },
  spec: { unschedulable },
  status: {
    nodeInfo: { osImage: 'Talos (v1.12.11)', kubeletVersion: 'v1.35.4' },
    conditions: ['MemoryPressure', 'DiskPressure', 'PIDPressure']
      .map((type) => ({ type, status: 'False' }))
      .concat([{ type: 'Ready', status: ready }]),
  },
})
const flux = (kind: string, name: string, more: object = {}): KubeObject => ({
  apiVersion: kind === 'Kustomization' ? 'kustomize.toolkit.fluxcd.io/v1' : 'helm.toolkit.fluxcd.io/v2',
  kind,
  metadata: { name, namespace: 'flux-system', generation: 1 },
  spec: {},
  status: {
    observedGeneration: 1,
    conditions: [{ type: 'Ready', status: 'True', observedGeneration: 1 }],
    lastAppliedRevision: 'main@sha1:3f9c1a2b4d5e6f708192a3b4c5d6e7f8091a2b3c',
  },
  ...more,
})
const names = cluster().nodes.map(({ hostname }) => hostname)
const kinds = {
  'v1/Node': names.map((name) => node(name)),
  'kustomize.toolkit.fluxcd.io/v1/Kustomization': [flux('Kustomization', 'flux-system')],
  'helm.toolkit.fluxcd.io/v2/HelmRelease': [flux('HelmRelease', 'odoo')],
}
const watchdog = {
  name: 'Watchdog',
  severity: 'none',
  since: '2026-11-24T10:00:00Z',
  state: 'active',
  summary: '',
  labels: { cluster: 'apps' },
  silencedBy: [],
  runbook: '',
}

interface Item {
  cluster: string
  name: string
  state: string
  summary: string
  facts: { [key: string]: unknown }
  gates: { name: string; verdict: string }[]
}

/** Cluster `apps` is the world; others answer as they are told. */
async function status(
  argv: string[],
  world: Partial<World>,
  others: Record<string, 'away' | 'no lab'> = {},
  kube: Partial<KubePort> = {},
  signals = new EventEmitter(),
) {
  const engine = makeWorld()
  worlds.push(engine)
  const whole = { reason: '', certificates: { talosconfig: await ownCertificate }, ...world }
  const base = worldServices(engine)
  const clusters = [cluster(), ...Object.keys(others).map((name) => clusterNamed(name))]
  const repository = { ...(await base.openRepository('')), clusters, defaultCluster: 'apps' }
  const of = (name: string) => ({
    ...kubeOf(name === 'apps' ? whole : { reason: '' }),
    ...(name === 'apps' ? kube : {}),
  })
  const ended = await runCli(['cluster', 'status', ...argv], {
    specs: [clusterStatus],
    signals,
    services: {
      ...base,
      openRepository: async () => repository,
      openTarget: async (_, name) => {
        if (others[name] === 'no lab') throw new ConfigError(`there is no lab default of cluster ${name}`)
        const found = clusters.find((one) => one.name === name)!
        return { repository, cluster: found, target: { ...engine.target, cluster: name, context: name } }
      },
      kube: async ({ cluster: { name } }) =>
        name === 'apps' ? of(name) : { ...of(name), list: async () => away, raw: async () => away },
      talos: async () => talosOf(whole),
      gates: async ({ cluster: { name } }, ports) =>
        createGatePort({
          ...sourcesOf(name === 'apps' ? whole : { reason: '', certificates: whole.certificates }),
          kube: ports.kube,
          talos: ports.talos,
        }),
    },
  })
  const items =
    argv.includes('json') && ended.stdout !== '' ? (JSON.parse(ended.stdout) as { items: Item[] }).items : []
  return { ...ended, items, row: (name: string) => items.find((item) => item.name === name && item.cluster === 'apps') }
}

it('has a row for everything that a cluster is made of, each from gates', async () => {
  const { items, code, row } = await status(['-o', 'json'], { kube: kinds, alerts: [watchdog] })
  expect(items.map(({ name }) => name)).toEqual([
    'talos',
    'etcd',
    'api',
    'nodes',
    'cilium',
    'ceph',
    'databases',
    'flux',
    'certificates',
    'backups',
    'alerts',
    'holds',
    'versions',
  ])
  expect(row('nodes')).toMatchObject({ state: 'ok', summary: '4 of 4 Ready', facts: { ready: 4, nodes: 4 } })
  expect(row('flux')).toMatchObject({
    state: 'ok',
    summary: '1 Kustomizations, 1 HelmReleases at main@sha1:3f9c1a2',
    gates: [{ name: 'flux-settled', verdict: 'pass' }],
  })
  expect(row('alerts')).toMatchObject({ state: 'ok', summary: 'no alert fires' })
  expect(row('holds')).toMatchObject({ state: 'ok', summary: 'none' })
  expect(row('ceph')).toMatchObject({ state: 'fail' })
  // No machine answers in this world.
  expect(row('etcd')).toMatchObject({ state: 'unknown' })
  expect(row('versions')?.facts).toEqual({ talos: ['v1.12.11'], kubernetes: ['v1.35.4'], flux: [] })
  expect(code).toBe(3)
})

it('tells what is held, by whom and until when, and what nobody has left a note at', async () => {
  const annotations = {
    'k8sops.dev/hold': 'h1',
    'k8sops.dev/hold-id': 'h1',
    'k8sops.dev/hold-owner': 'jane@desk',
    'k8sops.dev/hold-reason': 'memory limit',
    'k8sops.dev/hold-until': '2999-01-01T00:00:00Z',
  }
  const held = flux('Kustomization', 'odoo', {
    metadata: { name: 'odoo', namespace: 'flux-system', generation: 1, annotations },
    spec: { suspend: true },
  })
  const world = (more: KubeObject[]) => ({
    kube: {
      ...kinds,
      'v1/Node': names.map((name) => node(name, 'True', name === 'apps-w1')),
      'kustomize.toolkit.fluxcd.io/v1/Kustomization': [flux('Kustomization', 'flux-system'), held, ...more],
    },
  })
  const noted = await status(['-o', 'json'], world([]))
  expect(noted.row('holds')).toMatchObject({ state: 'ok' })
  expect(noted.row('holds')?.summary).toBe(
    'Node apps-w1: node.cordon/jane@desk; Kustomization flux-system/odoo: jane@desk until 2999-01-01T00:00:00Z: memory limit',
  )
  expect(noted.row('flux')).toMatchObject({ state: 'ok' })
  expect(noted.row('nodes')).toMatchObject({ state: 'fail', summary: 'Node apps-w1: spec.unschedulable is true' })

  const bare = flux('Kustomization', 'n8n', { spec: { suspend: true } })
  const open = await status(['-o', 'json'], world([bare]))
  expect(open.row('holds')).toMatchObject({ state: 'fail' })
  expect(open.row('flux')).toMatchObject({ state: 'fail' })
})

it('makes one row of a cluster that does not answer, or that there is no target of, and tells the others', async () => {
  const { items, code, stdout } = await status(
    ['--cluster', 'all', '-o', 'json'],
    { kube: kinds },
    { infra: 'away', third: 'no lab' },
  )
  expect(items.filter((item) => item.cluster === 'infra')).toMatchObject([
    { name: 'cluster', state: 'unknown', summary: expect.stringContaining('nothing can be reached') },
  ])
  expect(items.filter((item) => item.cluster === 'third')).toMatchObject([
    { name: 'cluster', state: 'unknown', summary: 'nothing can be reached: there is no lab default of cluster third' },
  ])
  expect(items.filter((item) => item.cluster === 'apps').length).toBeGreaterThan(10)
  expect(code).toBe(3)
  expect(JSON.parse(stdout)).toMatchObject({ apiVersion: 'k8sops.dev/v1', kind: 'ClusterStatus' })
})

it('ends with 4 when nothing at all could be reached', async () => {
  const kube = { list: async () => away, raw: async () => away }
  const { code, stdout } = await status(['--cluster', 'all'], {}, { infra: 'away' }, kube)
  expect(code).toBe(4)
  expect(stdout.trimEnd().split('\n')).toHaveLength(3)
  expect(stdout).toMatch(/^apps +cluster +unknown +nothing can be reached/m)
})

it('does not wait for one that hangs longer than it is told', async () => {
  const list: KubePort['list'] = ({ kind }, signal) =>
    kind === 'Certificate'
      ? new Promise((resolve) => signal?.addEventListener('abort', () => resolve(away)))
      : kubeOf({ reason: '', kube: kinds }).list({ apiVersion: 'v1', kind })
  const started = performance.now()
  const { row } = await status(['--limit', '1s', '-o', 'json'], { kube: kinds }, {}, { list })
  expect(performance.now() - started).toBeLessThan(5_000)
  expect(row('certificates')).toMatchObject({
    state: 'unknown',
    summary: expect.stringContaining('no answer within 1 s'),
  })
  expect(row('nodes')).toMatchObject({ state: 'ok' })
}, 10_000)

it('tells each change once with --watch, until it is interrupted', async () => {
  const signals = new EventEmitter()
  let tell: ((ready: string) => void) | undefined
  const kube: Partial<KubePort> = {
    watch: async (ref, signal, onChange) => {
      const give = async () => onChange(await kubeOf({ reason: '', kube: kinds }).list(ref))
      if (ref.kind !== 'Node') return give()
      tell = (ready) => onChange({ ok: true, value: names.map((name) => node(name, ready)) })
      tell('True')
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
    },
  }
  const timer = setInterval(() => {
    if (!tell) return
    clearInterval(timer)
    tell('True')
    tell('False')
    setTimeout(() => signals.emit('SIGINT'), 50)
  }, 5)
  const { stdout, code } = await status(['--watch'], { kube: kinds }, {}, kube, signals)
  expect(code).toBe(130)
  const lines = stdout.split('\n').filter((line) => /\d apps nodes: /.test(line))
  expect(lines.map((line) => line.slice(9))).toEqual([
    'apps nodes: ok 4 of 4 Ready',
    'apps nodes: fail Node apps-cp1: Ready is False (and 3 more)',
  ])
  expect(stdout).toMatch(/^apps +nodes +fail/m)
})

it('is never better than its gates, whatever they say', () => {
  const parts = statusParts(cluster())
  const checks = parts.flatMap((part) => part.checks)
  const verdict = fc.constantFrom<Verdict | undefined>(
    { status: 'pass', detail: 'fine' },
    { status: 'fail', detail: 'ill' },
    { status: 'unknown', detail: 'no answer', cause: 'unreachable' },
    { status: 'unknown', detail: 'denied' },
    undefined,
  )
  fc.assert(
    fc.property(fc.array(verdict, { minLength: checks.length, maxLength: checks.length }), (given) => {
      const verdicts = new Map<Check, Verdict>(
        checks.flatMap((check, index) => (given[index] ? [[check, given[index]] as const] : [])),
      )
      const rows = statusRows('apps', parts, verdicts, {}, 0)
      const all = given.every((one) => one?.status === 'pass')
      expect(rows.every(({ state }) => state === 'ok')).toBe(all)
      for (const row of rows.filter(({ state }) => state === 'ok'))
        expect(row.gates.every((gate) => gate.verdict === 'pass')).toBe(true)
      // What fails is never hidden behind what does not answer.
      const failing = parts.filter((part) => part.checks.some((check) => verdicts.get(check)?.status === 'fail'))
      const shown = rows.filter(({ state }) => state === 'fail').map(({ name }) => name)
      expect(failing.map(({ name }) => name).filter((name) => !shown.includes(name))).toEqual([])
    }),
  )
})
