/**
 * A test of the network against a real API server, whose pods are played: they answer what this test writes into their status, or nothing. A script
 * stands for the cilium CLI, which can't be built here.
 */
import { execFile } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { globSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commands, topics } from '../../src/commands/index.ts'
import type { Services } from '../../src/lib/cli/services.ts'
import { type Ask, answersText } from '../../src/lib/ops/connectivity-asks.ts'
import { resolveTool } from '../../src/lib/tools/resolve.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { runCli } from '../helpers/cli.ts'
import { servicesOf } from '../helpers/flux-cluster.ts'
import { startTestCluster, type TestCluster } from '../helpers/test-cluster.ts'
import { projectRoot } from '../repo/tool.ts'

const tools = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl', 'kwok']
const namespace = 'k8sops-connectivity'
let dir: string
let at: TestCluster
let services: Services

const k8sops = (args: string[], { path = process.env.PATH ?? '', signals = new EventEmitter(), as = services } = {}) =>
  runCli(args, { services: as, entries: commands, topics, env: { PATH: path, HOME: dir }, signals, cwd: dir })
const command = ['connectivity', 'test', '--probe-timeout', '10s']
const namespaces = async () =>
  (await at.kubectl('get', 'namespaces', '-o', 'name')).split('\n').map((name) => name.replace('namespace/', ''))
const results = async () => {
  const { code, stdout } = await k8sops(['connectivity', 'results', '-o', 'json'])
  const { items } = JSON.parse(stdout) as { items: { check: string; state: string; detail: string }[] }
  return { code, states: Object.fromEntries(items.map(({ check, state }) => [check, state])), items }
}

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
  dir = await mkdtemp(join(tmpdir(), 'k8sops-connectivity-'))
  at = await startTestCluster(
    dir,
    226,
    Object.fromEntries(tools.map((name) => [name, resolveTool(name)?.path ?? name])),
  )
  await at.kubectl('create', 'namespace', 'flux-system')
  await at.apply(
    crd('CiliumNetworkPolicy', 'ciliumnetworkpolicies', 'Namespaced'),
    crd('CiliumBGPNodeConfig', 'ciliumbgpnodeconfigs', 'Cluster'),
  )
  await at.kubectl('wait', '--for=condition=Established', 'crd', '--all', '--timeout=20s')
  services = await servicesWith(at.lab.adminKubeconfig)
  await cp(join(projectRoot, 'k8sops.yaml'), join(dir, 'k8sops.yaml'))
  await mkdir(join(dir, '.k8sops'))
  await promisify(execFile)('git', ['init', '-q', dir])
}, 120_000)
afterAll(async () => {
  await at?.stop()
  await rm(dir, { recursive: true, force: true, maxRetries: 5 })
})

const settings = { K8SOPS_IMAGE: 'example.com/k8sops:1', GIT_STATUS_URL: 'https://github.com/example/ops' }
async function servicesWith(kubeconfig: string): Promise<Services> {
  const made = await servicesOf(dir, dir, kubeconfig)
  return {
    ...made,
    openTarget: async (...args) => {
      const opened = await made.openTarget(...args)
      return { ...opened, cluster: { ...opened.cluster, settings } }
    },
  }
}

/** Writes the end of every probe into its status, as a kubelet would. */
async function answerProbes(answer: (ask: Ask, pod: string) => string): Promise<void> {
  const pods = await at.until(
    'probes',
    async () => {
      const { items } = await at.get<{ items: KubeObject[] }>('pods', '-n', namespace)
      return items.length === 4 && items
    },
    120,
  )
  for (const { metadata, spec } of pods) {
    const { containers } = spec as { containers: { args: string[] }[] }
    const asks = JSON.parse(containers[0]?.args.at(-1) ?? '') as Ask[]
    const message = answersText(asks.map((ask) => answer(ask, metadata.name)))
    const terminated = { exitCode: 0, message, startedAt: null, finishedAt: null }
    const status = {
      phase: 'Succeeded',
      containerStatuses: [
        { name: 'probe', image: 'x', imageID: '', ready: false, restartCount: 0, state: { terminated } },
      ],
    }
    await at.kubectl(
      '-n',
      namespace,
      'patch',
      'pod',
      metadata.name,
      '--subresource',
      'status',
      '--type',
      'merge',
      '-p',
      JSON.stringify({ status }),
    )
  }
}

test('nothing was tested yet', async () => {
  expect(await results()).toMatchObject({ code: 3, items: [] })
})

test('tells of a network that is well from where what was seen, and what was not', async () => {
  await at.apply(
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'cilium-config', namespace: 'kube-system' },
      data: { mtu: '9000', 'enable-wireguard': 'true' },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', namespace: 'default' },
      spec: { type: 'LoadBalancer', ports: [{ port: 80 }] },
    },
    {
      apiVersion: 'cilium.io/v2',
      kind: 'CiliumBGPNodeConfig',
      metadata: { name: 'node-1' },
      status: {
        bgpInstances: [
          { peers: [{ name: 'srx', peeringState: 'established', routeCount: [{ afi: 'ipv4', advertised: 2 }] }] },
        ],
      },
    },
  )
  const ingress = [{ ip: '192.0.2.10', ipMode: 'VIP' }]
  await at.kubectl(
    'patch',
    'service',
    'web',
    '--subresource',
    'status',
    '--type',
    'merge',
    '-p',
    JSON.stringify({ status: { loadBalancer: { ingress } } }),
  )
  const running = k8sops([...command, '--suite', 'full'])
  await answerProbes((_, pod) => (pod === 'closed' ? 'no answer' : ''))
  const ended = await running
  expect(ended.code, ended.stderr).toBe(0)
  expect(ended.stderr).toContain('the cilium CLI is not on PATH')
  expect(await namespaces()).not.toContain(namespace)
  const found = await results()
  expect(found.states).toEqual({
    'dns-inside': 'passed',
    'dns-split': 'unproven',
    routes: 'unproven',
    egress: 'passed',
    mtu: 'passed',
    'default-deny': 'passed',
    'lb-addresses': 'passed',
    'lb-announced': 'passed',
    cilium: 'unproven',
  })
  expect(found.code).toBe(0)
  const told = Object.fromEntries(found.items.map(({ check, detail }) => [check, detail]))
  expect(told['lb-announced']).toBe('192.0.2.10 from node-1')
  expect(told.mtu).toMatch(/^6 asked: 8920 bytes to/)
})

test('leaves nothing behind after Ctrl-C', async () => {
  const signals = new EventEmitter()
  const running = k8sops(command, { signals })
  await at.until('the namespace', async () => (await namespaces()).includes(namespace))
  signals.emit('SIGINT', 'SIGINT')
  const ended = await running
  expect(ended.code, ended.stderr).toBe(6)
  expect(await namespaces()).not.toContain(namespace)
})

test('fails for what the cilium CLI found, removes what it and a killed test have left, and takes silence for nothing', async () => {
  await at.kubectl('create', 'namespace', namespace)
  const bin = join(dir, 'cilium-bin')
  await mkdir(bin)
  const kubectl = `${resolveTool('kubectl')?.path} --kubeconfig ${at.lab.adminKubeconfig}`
  const failure = '<failure message="client-egress failed" type="failure">curl: (28)</failure>'
  const report = `<testsuites><testsuite><testcase name="no-policies" status="passed" time="2"></testcase><testcase name="client-egress" status="failed" time="3">${failure}</testcase></testsuite></testsuites>`
  await writeFile(
    join(bin, 'cilium'),
    `#!/bin/sh
case "$*" in
  version*) echo 'cilium-cli: v0.19.7' ;;
  *--cleanup*) ${kubectl} delete namespace cilium-test-1 --ignore-not-found ;;
  *) ${kubectl} create namespace cilium-test-1
     while [ $# -gt 1 ]; do [ "$1" = --junit-file ] && echo '${report}' > "$2"; shift; done ;;
esac
`,
  )
  await chmod(join(bin, 'cilium'), 0o755)
  const ended = await k8sops(command, { path: `${bin}:${process.env.PATH}` })
  expect(ended.code, ended.stderr).toBe(3)
  expect(ended.stderr).toContain('client-egress: curl: (28)')
  const left = await namespaces()
  for (const name of [namespace, 'cilium-test-1']) expect(left).not.toContain(name)
  const found = await results()
  expect(found.code).toBe(3)
  expect(found.states).toMatchObject({
    cilium: 'failed',
    'dns-inside': 'unproven',
    mtu: 'unproven',
    'default-deny': 'unproven',
  })
})

test('the CronJob’s account may make a test, and nothing of it anywhere else', async () => {
  const folder = join(projectRoot, 'kubernetes/infrastructure/controllers/flux-system/connectivity/app')
  const files = globSync('{clusterrole,role,validating}*.yaml', { cwd: folder }).map((file) => join(folder, file))
  for (const file of files) await at.kubectl('apply', '-f', file)
  const as = (...args: string[]) =>
    at
      .kubectl('--as', 'system:serviceaccount:flux-system:connectivity', ...args)
      .then(() => 'done')
      .catch((error: Error) => error.message)
  const pod = (name: string, where: string) => as('-n', where, 'run', name, '--image=x', '--restart=Never')
  let attempt = 0
  await at.until('the policy refuses', async () => /may be made/.test(await pod(`attempt-${attempt++}`, 'default')))
  expect(await as('create', 'namespace', 'another')).toContain('only namespace k8sops-connectivity')
  expect(await as('delete', 'namespace', 'flux-system')).toContain('only namespace k8sops-connectivity')
  expect(await as('create', 'namespace', namespace)).toContain('Pod Security restricted')
  const file = join(dir, 'namespace.json')
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
  await writeFile(file, JSON.stringify({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, labels } }))
  expect(await as('apply', '--server-side', '-f', file)).toBe('done')
  expect(
    await as('label', 'namespace', namespace, '--overwrite', 'pod-security.kubernetes.io/enforce=privileged'),
  ).toContain('Pod Security restricted')
  expect(await as('-n', namespace, 'create', 'service', 'nodeport', 'door', '--tcp=80')).toContain(
    'nothing leads into it',
  )
  expect(await pod('privileged', namespace)).toContain('violates PodSecurity "restricted')
  expect(await as('delete', 'namespace', namespace, '--wait=false')).toBe('done')
  await at.until('it is gone', async () => !(await namespaces()).includes(namespace))

  const locks = join(projectRoot, 'kubernetes/apps/components/k8sops-lock')
  for (const file of ['role-leases.yaml', 'rolebinding-leases.yaml']) {
    const filled = (await readFile(join(locks, file), 'utf8'))
      .replaceAll(/\$\{APP\}/g, 'connectivity')
      .replaceAll(/\$\{NAMESPACE\}/g, 'flux-system')
    await writeFile(join(dir, file), filled)
    await at.kubectl('apply', '-f', join(dir, file))
  }
  await at.kubectl('-n', 'flux-system', 'create', 'serviceaccount', 'connectivity')
  const token = (await at.kubectl('-n', 'flux-system', 'create', 'token', 'connectivity')).trim()
  const own = join(dir, 'own-kubeconfig')
  const config = JSON.parse(await at.kubectl('config', 'view', '--raw', '-o', 'json')) as { users: { user: object }[] }
  for (const one of config.users) one.user = { token }
  await writeFile(own, JSON.stringify(config))
  const running = k8sops(command, { as: await servicesWith(own) })
  await answerProbes((_, name) => (name === 'closed' ? 'no answer' : ''))
  const ended = await running
  expect(ended.code, ended.stderr).toBe(0)
  expect(await results()).toMatchObject({ code: 0, states: { mtu: 'passed' } })
})
