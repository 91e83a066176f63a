/** The parts of the lab's control plane that need no process: argv, objects, forwarding, numbers, what status says. */
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { afterAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { bootstrapManifests } from '../../src/lib/lab/control-plane/bootstrap-manifests.ts'
import { apiServerArgs, controllerManagerArgs, kwokArgs } from '../../src/lib/lab/control-plane/components.ts'
import { firstServiceAddress } from '../../src/lib/lab/control-plane/configuration.ts'
import { createForwarder } from '../../src/lib/lab/control-plane/forwarder.ts'
import { kubeconfigFor } from '../../src/lib/lab/control-plane/kubeconfig.ts'
import { newNode, nodeState, powerOff } from '../../src/lib/lab/nodes/node-object.ts'
import { coreStageFiles, loadStages } from '../../src/lib/lab/nodes/stages.ts'
import { staticPods } from '../../src/lib/lab/nodes/static-pods.ts'
import { claimFreeNumber, claimNumber } from '../../src/lib/lab/numbers.ts'
import type { LabStatus } from '../../src/lib/lab/status.ts'
import { statusRows } from '../../src/lib/lab/status-rows.ts'
import type { LabSpec, Machine, MachineConfig } from '../../src/lib/lab/types.ts'
import { ownNetwork } from '../helpers/stub-lab.ts'

const spec: LabSpec = {
  name: 'x',
  cluster: 'apps',
  number: 249,
  dir: '/lab',
  root: '/lab/repo',
  base: '127.13.249.1',
  vip: '127.13.249.10',
  machines: [{ address: '127.13.249.11', nodeAddress: '10.0.0.11', disks: [], links: [] }],
  talosVersion: 'v1.12.0',
  kubernetesVersion: 'v1.35.4',
  tools: {},
  pace: 1,
}

const config = (document: Record<string, unknown> = {}, more: Partial<MachineConfig> = {}): MachineConfig => ({
  source: '',
  hostname: 'cp1',
  role: 'controlplane',
  installImage: '',
  kubernetesVersion: 'v1.35.4',
  clusterName: 'apps',
  endpoint: 'https://127.13.249.10:6443',
  podSubnets: ['10.44.0.0/16'],
  serviceSubnets: ['10.45.0.0/16'],
  ca: { talos: { crt: '' }, kubernetes: { crt: '' } },
  document,
  ...more,
})
const machine: Machine = {
  spec: spec.machines[0]!,
  stage: 'running',
  ready: true,
  bootId: 'aaaa-bbbb',
  version: 'v1.12.0',
  schematic: '',
}

describe('argv', () => {
  test('of the API server has Talos’ posture, the lab’s addresses and the node’s real one', () => {
    const args = apiServerArgs(spec, config(), '10.0.0.11')
    expect(args).toEqual(
      expect.arrayContaining([
        '--anonymous-auth=false',
        '--authorization-mode=Node,RBAC',
        '--bind-address=127.13.249.1',
        '--advertise-address=10.0.0.11',
        '--etcd-servers=https://127.13.249.1:2379',
        '--service-account-issuer=https://127.13.249.10:6443',
        '--service-cluster-ip-range=10.45.0.0/16',
      ]),
    )
  })

  test('takes extraArgs of the machine config, except what the lab decides itself', () => {
    const extraArgs = { 'feature-gates': 'A=true', 'bind-address': '0.0.0.0', 'runtime-config': ['a=true', 'b=true'] }
    const args = apiServerArgs(spec, config({ cluster: { apiServer: { extraArgs } } }), '10.0.0.11')
    expect(args).toEqual(
      expect.arrayContaining(['--feature-gates=A=true', '--runtime-config=a=true', '--runtime-config=b=true']),
    )
    expect(args.filter((arg) => arg.startsWith('--bind-address'))).toEqual(['--bind-address=127.13.249.1'])
  })

  test('of the controller manager notices a lost node quickly; kwok’s selects by the power label', () => {
    expect(controllerManagerArgs(spec, config())).toContain('--node-monitor-grace-period=8s')
    expect(kwokArgs(spec)).toContain('--manage-nodes-with-label-selector=lab.k8sops/power=on')
  })
})

test.each([
  ['10.96.0.0/12', '10.96.0.1'],
  ['10.45.3.0/24', '10.45.3.1'],
])('the kubernetes Service of %s is %s', (subnet, address) => {
  expect(firstServiceAddress(subnet)).toBe(address)
})

test('the kubeconfig names context, user and cluster as Talos does', () => {
  const pair = { crt: 'CRT', key: 'KEY' }
  const read = parse(kubeconfigFor('apps', 'admin', 'https://127.13.249.10:6443', 'CA', pair))
  expect(read['current-context']).toBe('admin@apps')
  expect(read.contexts).toEqual([
    { name: 'admin@apps', context: { cluster: 'apps', namespace: 'default', user: 'admin@apps' } },
  ])
  expect(Buffer.from(read.users[0].user['client-key-data'], 'base64').toString()).toBe('KEY')
})

describe('Talos’ own objects', () => {
  const names = (document: object) =>
    bootstrapManifests(config({ cluster: document })).map(({ kind, metadata }) => `${kind}/${metadata.name}`)

  test('leave CoreDNS and kube-proxy out where the config disables them', () => {
    const off = names({ coreDNS: { disabled: true }, proxy: { disabled: true } })
    expect(off).toContain('ClusterRoleBinding/system-bootstrap-approve-node-client-csr')
    expect(off.join()).not.toMatch(/coredns|kube-proxy/)
  })

  test('have them otherwise, where a chart would meet them', () => {
    expect(names({})).toEqual(
      expect.arrayContaining(['Deployment/coredns', 'Service/kube-dns', 'DaemonSet/kube-proxy']),
    )
  })
})

describe('a node', () => {
  test('has the labels and taints of its config', () => {
    const document = { machine: { nodeLabels: { zone: 'a' }, nodeTaints: { gpu: 'yes:NoSchedule', old: 'NoExecute' } } }
    const node = newNode(machine, config(document), false)
    expect(node.metadata.labels).toMatchObject({
      zone: 'a',
      'kubernetes.io/hostname': 'cp1',
      'node-role.kubernetes.io/control-plane': '',
      'lab.k8sops/power': 'on',
    })
    expect(node.spec).toEqual({
      taints: [
        { key: 'node-role.kubernetes.io/control-plane', effect: 'NoSchedule' },
        { key: 'gpu', value: 'yes', effect: 'NoSchedule' },
        { key: 'old', effect: 'NoExecute' },
      ],
    })
  })

  test('that takes workloads has no control plane taint', () => {
    const node = newNode(machine, config({ cluster: { allowSchedulingOnControlPlanes: true } }), false)
    expect(node.spec).toEqual({ taints: [] })
  })

  test('reports its real address, and a boot that changes with each', () => {
    const { annotations } = nodeState(machine, config(), true).metadata as unknown as {
      annotations: Record<string, string>
    }
    expect(annotations).toMatchObject({
      'lab.k8sops/ip': '10.0.0.11',
      'lab.k8sops/boot-id': 'aaaa-bbbb',
      'lab.k8sops/ready': 'True',
      'lab.k8sops/os-image': 'Talos (v1.12.0)',
    })
    expect(powerOff('cp1').metadata.labels).toEqual({ 'lab.k8sops/power': null })
  })

  test('mirrors three static pods that belong to it', () => {
    const pods = staticPods(machine, config(), 'uid-1')
    expect(pods.map(({ metadata }) => metadata.name)).toEqual([
      'kube-apiserver-cp1',
      'kube-controller-manager-cp1',
      'kube-scheduler-cp1',
    ])
    expect(pods[0]?.metadata.ownerReferences).toEqual([
      { apiVersion: 'v1', kind: 'Node', name: 'cp1', uid: 'uid-1', controller: true },
    ])
  })
})

describe('stages', () => {
  test('are all read, and their delays follow the pace', async () => {
    const [normal, fast] = await Promise.all([1, 0.1].map(async (pace) => loadStages(await coreStageFiles(), pace)))
    expect(normal?.map(({ metadata }) => metadata.name)).toEqual(
      expect.arrayContaining([
        'node-report',
        'pod-create',
        'pod-ready',
        'pod-ready-again',
        'pod-complete',
        'pod-delete',
      ]),
    )
    type Delay = { delay?: { durationMilliseconds: number; jitterDurationMilliseconds: number } }
    for (const [index, stage] of (normal ?? []).entries()) {
      const { delay } = stage.spec as Delay
      if (!delay) continue
      // kwok 0.8.0: a jitter that is smaller than the duration silently wins.
      expect(delay.jitterDurationMilliseconds, stage.metadata.name).toBeGreaterThan(delay.durationMilliseconds)
      const faster = fast?.[index]?.spec as Delay | undefined
      expect(faster?.delay?.durationMilliseconds).toBe(delay.durationMilliseconds / 10)
    }
  })
})

describe('the forwarder', () => {
  const servers: Server[] = []
  afterAll(() => {
    for (const server of servers) server.close()
  })
  const network = ownNetwork()
  const at = { host: `${network}.11`, port: 16443 }

  async function echo(): Promise<{ host: string; port: number }> {
    const server = createServer((socket) => {
      // The forwarder resets it, which is what is tested.
      socket.on('error', () => {})
      socket.pipe(socket)
    }).listen(0, `${network}.1`)
    servers.push(server)
    await once(server, 'listening')
    return { host: `${network}.1`, port: (server.address() as { port: number }).port }
  }
  /** What a client gets back for `hello`, or the error's code. */
  function ask(timeoutMs = 20_000): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect(at)
      socket.setTimeout(timeoutMs, () => {
        resolve('silence')
        socket.destroy()
      })
      socket.once('data', (data) => {
        resolve(data.toString())
        socket.destroy()
      })
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? ''))
      socket.write('hello')
    })
  }

  test('passes on, falls silent, refuses, and opens again', async () => {
    const target = await echo()
    const forwarder = createForwarder(at, () => target)
    expect(await ask()).toBe('ECONNREFUSED')
    await Promise.all([forwarder.open(), forwarder.open()])
    expect(await ask()).toBe('hello')
    forwarder.silence(true)
    expect(await ask(200)).toBe('silence')
    forwarder.silence(false)
    expect(await ask()).toBe('hello')
    await forwarder.close()
    expect(forwarder.listening).toBe(false)
    expect(await ask()).toBe('ECONNREFUSED')
    await forwarder.open()
    expect(await ask()).toBe('hello')
    await forwarder.close()
  })

  test('resets what is open when it closes, and what comes while there is no target', async () => {
    const target = await echo()
    let there = true
    const forwarder = createForwarder(at, () => (there ? target : undefined))
    await forwarder.open()
    const socket = connect(at)
    socket.write('hello')
    await once(socket, 'data')
    const ended = once(socket, 'error')
    there = false
    expect(await ask()).toBe('ECONNRESET')
    await forwarder.close()
    expect(((await ended)[0] as NodeJS.ErrnoException).code).toBe('ECONNRESET')
  })
})

test('a number is held by one lab only, and free again when it is given back', async () => {
  const first = await claimNumber(248)
  expect(first).toBeDefined()
  expect(await claimNumber(248)).toBeUndefined()
  first?.close()
  const again = await claimNumber(248)
  expect(again).toBeDefined()
  again?.close()
  const taken = new Set(Array.from({ length: 246 }, (_, index) => index + 1))
  const { number, claim } = await claimFreeNumber(taken)
  expect(number).toBeGreaterThan(246)
  claim.close()
})

test('status calls nothing real that the lab plays, and nothing running that isn’t', () => {
  const rows = statusRows({
    machines: [{ stage: 'running' }, { stage: 'maintenance' }, { stage: 'running' }],
    standIns: 3,
    parts: [
      {
        name: 'cluster',
        status: {
          api: { up: true, vipHolder: null },
          etcd: [
            { node: 'cp1', phase: 'running', healthy: true },
            { node: 'cp2', phase: 'joining', healthy: false },
          ],
          processes: [{ name: 'kube-apiserver', pid: 1, restarts: 2 }],
          nodes: ['cp1'],
        },
      },
      {
        name: 'registry',
        status: { charts: { real: 2, placeholder: 1, missing: ['x'] }, crds: { derived: 4, permissive: 5 } },
      },
      { name: 'flux', status: { running: true, real: 'controllers', simulated: 'the rest' } },
    ],
  } as unknown as LabStatus)
  const stateOf = (part: string) => rows.find((row) => row.part === part)
  expect(stateOf('machines')).toMatchObject({ kind: 'simulated', state: '2 running, 1 maintenance' })
  expect(stateOf('etcd')).toMatchObject({ kind: 'real', state: '1 of 2 members healthy' })
  expect(stateOf('kube-apiserver')).toMatchObject({ kind: 'real', state: 'running, 2 restarts' })
  expect(stateOf('kube-scheduler')?.state).toBe('not started')
  expect(stateOf('charts')).toMatchObject({ kind: 'placeholder', state: '2 real, 1 placeholders, 1 without a record' })
  expect(rows.filter(({ part }) => part === 'flux').map(({ kind }) => kind)).toEqual(['real', 'simulated'])
})
