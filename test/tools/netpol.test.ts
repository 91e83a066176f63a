/** Network policies against a real API server: audited, bypassed for a while, and closed again by whoever comes by. */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commands, topics } from '../../src/commands/index.ts'
import type { Services } from '../../src/lib/cli/services.ts'
import { loadRepository } from '../../src/lib/config/load.ts'
import { clusterPolicyObjects } from '../../src/lib/repo/policy/cluster-policies.ts'
import { readView } from '../../src/lib/repo/read-view.ts'
import { renderersOf } from '../../src/lib/repo/renderers.ts'
import { resolveTool } from '../../src/lib/tools/resolve.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { runCli } from '../helpers/cli.ts'
import { servicesOf } from '../helpers/flux-cluster.ts'
import { startTestCluster, type TestCluster } from '../helpers/test-cluster.ts'
import { offline } from '../repo/offline.ts'
import { projectRoot } from '../repo/tool.ts'

const tools = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl', 'kwok']
let dir: string
let at: TestCluster
let services: Services
let policies: KubeObject[]
const k8sops = (...args: string[]) =>
  runCli([...args, '--cluster', 'apps'], { services, entries: commands, topics, env: offline, cwd: projectRoot })

/** As permissive as the lab's: fields are Cilium's to check. */
const crd = (kind: string, plural: string, scope: 'Cluster' | 'Namespaced') => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${plural}.cilium.io` },
  spec: {
    group: 'cilium.io',
    scope,
    names: { kind, plural },
    versions: [
      {
        name: 'v2',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
})

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'k8sops-netpol-'))
  const found = Object.fromEntries(tools.map((name) => [name, resolveTool(name)?.path ?? name]))
  const repository = await loadRepository(projectRoot)
  const clusters = repository.clusters.filter(({ name }) => name === 'apps')
  const { view } = await readView(repository, clusters, renderersOf(projectRoot, offline))
  at = await startTestCluster(dir, 214, found)
  const own = view.clusters[0]!
  policies = clusterPolicyObjects(own).objects
  await at.apply(
    crd('CiliumNetworkPolicy', 'ciliumnetworkpolicies', 'Namespaced'),
    crd('CiliumClusterwideNetworkPolicy', 'ciliumclusterwidenetworkpolicies', 'Cluster'),
    ...own.objects.filter(({ kind }) => kind === 'Namespace').map((one) => one.object()),
  )
  await at.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s')
  await at.until('the API server serves policies', () => at.apply(...policies).then(() => true))
  const made = await servicesOf(dir, dir, at.lab.adminKubeconfig)
  services = {
    ...made,
    openTarget: async (...args) => {
      const opened = await made.openTarget(...args)
      return { ...opened, cluster: { ...opened.cluster, name: 'apps' } }
    },
    openRepository: async (...args) => {
      const opened = await made.openRepository(...args)
      return { ...opened, clusters: opened.clusters.map((one) => ({ ...one, name: 'apps' })) }
    },
  }
  await cp(join(projectRoot, 'k8sops.yaml'), join(dir, 'k8sops.yaml'))
  await promisify(execFile)('git', ['init', '-q', dir])
}, 120_000)
afterAll(async () => {
  await at?.stop()
  await rm(dir, { recursive: true, force: true, maxRetries: 5 })
})

interface Audit {
  drift: number
  baseline: number
  live: number
  hubble: unknown
  items: { what: string; name: string; detail: string; drift: boolean }[]
}
const audit = async (): Promise<Audit & { code: number }> => {
  const { code, stdout, stderr } = await k8sops('netpol', 'audit', '-o', 'json')
  expect(stdout, stderr).not.toBe('')
  return { code, ...(JSON.parse(stdout) as Audit) }
}
const label = async () =>
  JSON.parse(await at.kubectl('get', 'namespace', 'business', '-o', 'json')).metadata as KubeObject['metadata']

test('the cluster has what Git has: the audit finds nothing, and Hubble is not there to ask', async () => {
  const found = await audit()
  expect(found).toMatchObject({ code: 0, drift: 0, baseline: policies.length, live: policies.length, hubble: null })
  expect(found.items).toEqual([])
})

test('what somebody changes, adds or takes away is found, each with exit code 3', async () => {
  const selector = '{"spec":{"endpointSelector":{"matchLabels":{"app":"nobody"}}}}'
  await at.kubectl('-n', 'business', 'patch', 'ciliumnetworkpolicy', 'odoo', '--type', 'merge', '-p', selector)
  await at.kubectl('delete', 'ciliumclusterwidenetworkpolicy', 'postgres-clients')
  await at.apply({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: 'mine', namespace: 'business' },
    spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] },
  })
  await at.kubectl('create', 'namespace', 'forgotten')
  const { code, items } = await audit()
  expect(code).toBe(3)
  expect(items.map(({ what, name }) => `${what} ${name}`).toSorted()).toEqual([
    'changed CiliumNetworkPolicy business/odoo',
    'extra NetworkPolicy business/mine',
    'missing CiliumClusterwideNetworkPolicy postgres-clients',
    // What was added lets everybody in.
    'open Namespace business',
  ])
  await at.kubectl('delete', 'ciliumclusterwidenetworkpolicy', 'default-deny')
  const open = (await audit()).items.filter(({ what }) => what === 'open').map(({ name }) => name)
  expect(open).toContain('Namespace forgotten')
  expect(open).toContain('Namespace business')
  // Server-side apply leaves alone what somebody else has set.
  await at.kubectl('-n', 'business', 'delete', 'ciliumnetworkpolicy/odoo', 'networkpolicy/mine')
  await at.apply(...policies)
  expect((await audit()).items).toEqual([])
})

test('a bypass opens one namespace with note and end, is listed, and ends by restore', async () => {
  const { code, stdout, stderr } = await k8sops(
    'netpol',
    'bypass',
    'business',
    '--for',
    '30m',
    '--reason',
    'ticket 4711',
  )
  expect(code, stdout + stderr).toBe(0)
  const held = await label()
  expect(held.labels?.['k8sops.dev/netpol-bypass']).toMatch(/^\d{10}$/)
  expect(held.annotations).toMatchObject({
    'k8sops.dev/hold-reason': 'ticket 4711',
    'k8sops.dev/hold-scope': 'policy/business',
  })
  const found = await audit()
  expect(found.items.map(({ what, name, drift }) => ({ what, name, drift }))).toEqual([
    { what: 'bypassed', name: 'Namespace business', drift: false },
  ])
  expect(found.code).toBe(0)
  const shown = await k8sops('holds', 'list', '-o', 'json')
  expect((JSON.parse(shown.stdout) as { items: object[] }).items).toEqual([
    expect.objectContaining({ kind: 'policy', name: 'policy/business', reason: 'ticket 4711', expired: false }),
  ])
  expect((await k8sops('netpol', 'restore', 'business')).code).toBe(0)
  expect((await label()).labels?.['k8sops.dev/netpol-bypass']).toBeUndefined()
  expect(Object.keys((await label()).annotations ?? {}).filter((key) => key.includes('hold'))).toEqual([])
})

test('somebody else’s bypass is theirs, and one without a reason or for longer than a day is none', async () => {
  await at.kubectl('label', 'namespace', 'business', 'k8sops.dev/netpol-bypass=')
  expect((await k8sops('netpol', 'restore', 'business')).code).toBe(3)
  expect((await k8sops('netpol', 'bypass', 'business', '--reason', 'mine')).code).toBe(3)
  expect((await k8sops('netpol', 'restore', 'business', '--force')).code).toBe(0)
  expect((await label()).labels).not.toHaveProperty('k8sops.dev/netpol-bypass')
  for (const args of [['business'], ['business', '--reason', 'x', '--for', '25h'], ['kube-system', '--reason', 'x']])
    expect((await k8sops('netpol', 'bypass', ...args)).code, args.join(' ')).toBe(2)
})

test('`holds` extends and releases it by its name, and ends it when its time is up, also as the CronJob', async () => {
  const until = async () => (await label()).annotations?.['k8sops.dev/hold-until']
  const begin = async () => {
    const begun = await k8sops('netpol', 'bypass', 'business', '--for', '30m', '--reason', 'x')
    expect(begun.code, begun.stderr).toBe(0)
  }
  await begin()
  const before = await until()
  expect((await k8sops('holds', 'extend', 'policy/business', '--for', '3h')).code).toBe(0)
  expect(Date.parse((await until()) ?? '') - Date.parse(before ?? '')).toBeGreaterThan(2 * 3600 * 1000)
  expect((await k8sops('holds', 'expire')).code).toBe(0)
  expect(await until()).toBeDefined()
  expect((await k8sops('holds', 'release', 'policy/business')).code).toBe(0)
  expect(await until()).toBeUndefined()
  await begin()
  await at.kubectl('annotate', '--overwrite', 'namespace', 'business', 'k8sops.dev/hold-until=2026-01-01T00:00:00Z')
  expect((await k8sops('holds', 'list')).code).toBe(3)
  expect((await audit()).code).toBe(3)
  expect((await k8sops('holds', 'expire')).code).toBe(0)
  expect((await label()).labels).not.toHaveProperty('k8sops.dev/netpol-bypass')
  expect((await audit()).code).toBe(0)
})

test('the CronJob’s account may close what was opened, and change nothing else of a namespace', async () => {
  const folder = join(projectRoot, 'kubernetes/infrastructure/controllers/flux-system/holds/app')
  for (const file of [
    'clusterrole',
    'clusterrolebinding',
    'validatingadmissionpolicies',
    'validatingadmissionpolicybindings',
  ])
    await at.kubectl('apply', '-f', join(folder, `${file}.yaml`))
  expect(await readFile(join(folder, 'clusterrole.yaml'), 'utf8')).not.toMatch(/- (create|delete|update)$/m)
  const asHolds = (patch: object) =>
    at
      .kubectl(
        '--as',
        'system:serviceaccount:flux-system:holds',
        'patch',
        'namespace',
        'business',
        '--type',
        'merge',
        '-p',
        JSON.stringify({ metadata: patch }),
      )
      .then(() => 'done')
      .catch((error: Error) => error.message)
  const refused = [
    { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
    { labels: { 'pod-security.kubernetes.io/enforce': null } },
    { labels: { 'k8sops.dev/netpol-bypass': '1' } },
    { annotations: { 'volsync.backube/privileged-movers': 'true' } },
    { finalizers: ['example.com/stay'] },
  ]
  // A policy takes effect a moment after the API server has it.
  let attempt = 0
  await at.until('the policy refuses', async () => {
    const said = await asHolds({ labels: { 'example.com/attempt': String(attempt++) } })
    if (/may be set or changed/.test(said)) return true
    throw new Error(said)
  })
  for (const patch of refused)
    expect(await asHolds(patch), JSON.stringify(patch)).toMatch(
      /holds-namespaces.* (no label|no annotation|nothing else)/s,
    )
  expect((await k8sops('netpol', 'bypass', 'business', '--reason', 'x')).code).toBe(0)
  const nothing = { 'k8sops.dev/hold-id': null, 'k8sops.dev/hold-owner': null, 'k8sops.dev/hold-until': null }
  expect(await asHolds({ labels: { 'k8sops.dev/netpol-bypass': null }, annotations: nothing })).toBe('done')
  expect((await label()).labels).not.toHaveProperty('k8sops.dev/netpol-bypass')
})

test('the CronJob’s account may end the cordon of a hold, and change nothing else of a node', async () => {
  const note = { 'k8sops.dev/hold-id': 'ceph.maintenance/1', 'k8sops.dev/cordoned-by': 'ceph.maintenance/me' }
  const node = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'w1', annotations: note },
    spec: { unschedulable: true },
  }
  await at.apply({ ...node, metadata: { ...node.metadata, labels: { zone: 'a' } } })
  await at.apply({ ...node, metadata: { name: 'w2' } })
  const asHolds = (name: string, patch: object) =>
    at
      .kubectl(
        '--as',
        'system:serviceaccount:flux-system:holds',
        'patch',
        'node',
        name,
        '--type',
        'merge',
        '-p',
        JSON.stringify(patch),
      )
      .then(() => 'done')
      .catch((error: Error) => error.message)
  const uncordoned = {
    metadata: { annotations: { 'k8sops.dev/hold-id': null, 'k8sops.dev/cordoned-by': null } },
    spec: { unschedulable: null },
  }
  const refused: [string, object][] = [
    ['w2', uncordoned],
    ['w1', { ...uncordoned, metadata: { labels: { zone: 'b' } } }],
    ['w1', { ...uncordoned, metadata: { annotations: { 'talos.dev/other': 'x' } } }],
    ['w1', { metadata: { annotations: { 'k8sops.dev/hold-until': null } } }],
    ['w1', { ...uncordoned, spec: { unschedulable: null, taints: [{ key: 'a', effect: 'NoExecute' }] } }],
  ]
  for (const [name, patch] of refused)
    expect(await asHolds(name, patch), JSON.stringify(patch)).toMatch(
      /holds-nodes.* (only a node|no label|no annotation|may be uncordoned)/s,
    )
  expect(await asHolds('w1', uncordoned)).toBe('done')
})
