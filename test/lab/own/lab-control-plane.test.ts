/**
 * The cluster that a lab's machines bring up: a real API server with the cluster's own certificates, nodes that become
 * Ready when a CNI runs, etcd members that can be lost, and the faults of the API.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { callSupervisor } from '../../../src/lib/lab/control-socket.ts'
import type { LabRecord } from '../../../src/lib/lab/record.ts'
import type { KubeObject } from '../../../src/lib/types.ts'
import {
  bootstrapByHand,
  controlPlanes,
  eventually,
  inLab,
  inLabWith,
  kubectl,
  labHome,
  labStatus,
  talosctl,
} from '../../helpers/lab.ts'

const home = labHome()
let lab: LabRecord

beforeAll(async () => {
  lab = (await home.up('apps')).record
  await bootstrapByHand(lab)
})
afterAll(() => home.close())

async function list(kind: string, ...args: string[]): Promise<KubeObject[]> {
  const { stdout, code, stderr } = await kubectl(lab, 'get', kind, '-o', 'json', ...args)
  if (code !== 0) throw new Error(stderr)
  return (JSON.parse(stdout) as { items: KubeObject[] }).items
}

const conditionOf = (object: KubeObject, type: string) =>
  ((object.status?.conditions ?? []) as { type: string; status: string; message?: string }[]).find(
    (one) => one.type === type,
  )

/** `Ready` of a machine's Node. */
async function nodeReady(address: string): Promise<string | undefined> {
  const node = (await list('nodes')).find(({ metadata }) => metadata.name === lab.hostnames[address])
  return node && conditionOf(node, 'Ready')?.status
}

const readyz = (address: string) =>
  kubectl(lab, '--server', `https://${address}:6443`, '--request-timeout=3s', 'get', '--raw', '/readyz')

function refused(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port }, () => {
      socket.destroy()
      resolve(false)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'))
  })
}

describe('the API server', () => {
  test('is of the CA in the cluster’s Talos secrets', async () => {
    const identity = (await inLab(lab, 'op', 'read', 'op://k8s-ops/sops-age/private-key')).stdout.trim()
    const plain = await inLabWith(lab, { SOPS_AGE_KEY: identity }, 'sops', 'decrypt', 'talos/apps/talsecret.sops.yaml')
    const secrets = parse(plain.stdout) as { certs: { k8s: { crt: string } } }
    const kubeconfig = parse(readFileSync(lab.kubeconfig, 'utf8')) as {
      clusters: { cluster: { server: string; 'certificate-authority-data': string } }[]
    }
    const given = kubeconfig.clusters[0]?.cluster
    const pem = (base64: string) => new X509Certificate(Buffer.from(base64, 'base64')).fingerprint256
    expect(pem(given?.['certificate-authority-data'] ?? '')).toBe(pem(secrets.certs.k8s.crt))
    expect(given?.server).toBe(`https://${lab.vip}:6443`)
  })

  test('answers at every control plane and at the VIP, and at no worker', async () => {
    for (const address of [...controlPlanes(lab), lab.vip]) expect((await readyz(address)).stdout, address).toBe('ok')
    const workers = lab.machines
      .map(({ address }) => address)
      .filter((address) => !controlPlanes(lab).includes(address))
    for (const address of workers) expect(await refused(address, 6443), address).toBe(true)
  })

  test('refuses who has no certificate with 401', async () => {
    const ca = readFileSync(join(lab.dir, 'control-plane/ca.crt'))
    const status = await new Promise((resolve, reject) => {
      const call = request(`https://${lab.vip}:6443/readyz`, { ca }, (response) =>
        resolve(response.resume().statusCode),
      )
      call.on('error', reject)
      call.end()
    })
    expect(status).toBe(401)
  })

  test('has Talos’ posture: PodSecurity baseline, and Secrets encrypted in etcd', async () => {
    const privileged = JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'privileged', namespace: 'default' },
      spec: { containers: [{ name: 'c', image: 'x', securityContext: { privileged: true } }] },
    })
    const denied = await kubectl(lab, 'create', '--dry-run=server', '-f', fileWith('privileged.json', privileged))
    expect(denied.stderr).toContain('violates PodSecurity "baseline:latest"')

    await kubectl(lab, 'create', 'secret', 'generic', 'canary', '--from-literal=word=plaintextcanary')
    await kubectl(lab, 'create', 'configmap', 'canary', '--from-literal=word=configcanary')
    const file = join(lab.dir, 'snapshot.db')
    const [first = ''] = controlPlanes(lab)
    expect((await talosctl(lab, first, 'etcd', 'snapshot', file)).code).toBe(0)
    const bytes = readFileSync(file)
    expect(bytes.includes('configcanary')).toBe(true)
    expect(bytes.includes('plaintextcanary')).toBe(false)
    expect(bytes.includes('k8s:enc:secretbox:v1:key2')).toBe(true)
  })

  test('is in the Endpoints of its Service with a real address', async () => {
    const slices = await list('endpointslices', '-n', 'default')
    const addresses = slices.flatMap(
      (slice) => (slice as unknown as { endpoints: { addresses: string[] }[] }).endpoints,
    )
    expect(addresses.flatMap((endpoint) => endpoint.addresses)).toEqual([lab.machines[0]?.nodeAddress])
  })

  test('starts again when it is killed', async () => {
    const pidOf = async () => {
      const { parts } = await labStatus(lab)
      const cluster = parts.find(({ name }) => name === 'cluster')?.status as unknown as {
        processes: { name: string; pid: number }[]
      }
      return cluster.processes.find(({ name }) => name === 'kube-apiserver')?.pid ?? 0
    }
    const before = await pidOf()
    process.kill(before, 'SIGKILL')
    await eventually(
      () => readyz(lab.vip),
      ({ stdout }) => stdout === 'ok',
      30,
    )
    expect(await pidOf()).not.toBe(before)
  })
})

function fileWith(name: string, text: string): string {
  const file = join(lab.dir, name)
  writeFileSync(file, text)
  return file
}

describe('nodes', () => {
  test('register as kubelets on Talos do, with their real addresses', async () => {
    const nodes = await list('nodes')
    expect(nodes.map(({ metadata }) => metadata.name).sort()).toEqual(Object.values(lab.hostnames).sort())
    for (const node of nodes) {
      const info = node.status?.nodeInfo as { osImage: string; kubeletVersion: string; bootID: string }
      expect(info).toMatchObject({ osImage: `Talos (${lab.talosVersion})`, kubeletVersion: lab.kubernetesVersion })
      expect(info.bootID).toMatch(/^[0-9a-f-]{36}$/)
      const addresses = node.status?.addresses as { type: string; address: string }[]
      const machine = lab.machines.find(({ address }) => lab.hostnames[address] === node.metadata.name)
      expect(addresses.find(({ type }) => type === 'InternalIP')?.address).toBe(machine?.nodeAddress)
      expect(node.spec?.podCIDR).toMatch(/\/24$/)
    }
    const labelled = nodes.filter(({ metadata }) => 'node-role.kubernetes.io/control-plane' in (metadata.labels ?? {}))
    expect(labelled).toHaveLength(3)
  })

  test('are not ready for want of a CNI, and mirror their static pods', async () => {
    const all = async () => (await list('nodes')).map((node) => conditionOf(node, 'Ready'))
    for (const ready of await eventually(all, (found) => found.every((one) => one?.status === 'False'), 20)) {
      expect(ready?.message).toContain('cni plugin not initialized')
    }
    const mirrors = await list('pods', '-n', 'kube-system', '-l', 'tier=control-plane')
    expect(mirrors).toHaveLength(9)
    expect(mirrors[0]?.metadata.annotations).toHaveProperty(['kubernetes.io/config.mirror'])
  })

  test('become ready once a Cilium pod runs on them, and only then take pods', async () => {
    await kubectl(lab, 'create', 'deployment', 'web', '--image=web', '--replicas=3')
    const web = () => list('pods', '-l', 'app=web')
    await eventually(web, (pods) => pods.length === 3, 20)
    expect((await web()).every(({ spec }) => spec?.nodeName === undefined)).toBe(true)
    const daemonSet = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { name: 'cilium', namespace: 'kube-system' },
      spec: {
        selector: { matchLabels: { 'k8s-app': 'cilium' } },
        template: {
          metadata: { labels: { 'k8s-app': 'cilium' } },
          spec: {
            hostNetwork: true,
            tolerations: [{ operator: 'Exists' }],
            containers: [{ name: 'agent', image: 'cilium' }],
          },
        },
      },
    }
    await kubectl(lab, 'apply', '-f', fileWith('cilium.json', JSON.stringify(daemonSet)))
    const ready = async () => (await list('nodes')).map((node) => conditionOf(node, 'Ready')?.status)
    await eventually(ready, (all) => all.every((status) => status === 'True'), 30)
    await eventually(web, (pods) => pods.every((pod) => conditionOf(pod, 'Ready')?.status === 'True'), 30)
  })

  test('come back from a reboot with another boot id, and their pods are ready again', async () => {
    const worker = lab.machines.at(-1)!
    const name = lab.hostnames[worker.address] ?? ''
    const bootId = async () =>
      (await list('nodes')).find(({ metadata }) => metadata.name === name)?.status?.nodeInfo as { bootID: string }
    const before = await bootId()
    expect((await talosctl(lab, worker.address, 'reboot', '--wait=false')).code).toBe(0)
    await eventually(bootId, (after) => after.bootID !== before.bootID, 40)
    const node = async () => (await list('nodes')).find(({ metadata }) => metadata.name === name)!
    await eventually(node, (one) => conditionOf(one, 'Ready')?.status === 'True', 30)
  })
})

describe('etcd', () => {
  test('has a member for each control plane, and loses one without harm', async () => {
    const members = async (node: string) =>
      (await talosctl(lab, node, 'etcd', 'members')).stdout.trim().split('\n').slice(1)
    const [first = '', second = ''] = controlPlanes(lab)
    await eventually(
      () => members(first),
      (rows) => rows.length === 3 && rows.every((row) => row.endsWith('false')),
      30,
    )
    await callSupervisor(lab.dir, 'POST', '/power', { node: second, action: 'cut' })
    expect((await readyz(lab.vip)).stdout).toBe('ok')
    expect(await refused(second, 6443)).toBe(true)
    expect((await kubectl(lab, 'create', 'configmap', 'with-two-members')).code).toBe(0)
    await callSupervisor(lab.dir, 'POST', '/power', { node: second, action: 'on' })
    await eventually(
      () => readyz(second),
      ({ stdout }) => stdout === 'ok',
      40,
    )
    await eventually(
      () => members(second),
      (rows) => rows.length === 3,
      30,
    )
  })

  test('gives the VIP to another control plane when its holder goes away', async () => {
    const holder = async () => {
      const { parts } = await labStatus(lab)
      const cluster = parts.find(({ name }) => name === 'cluster')?.status as unknown as { api: { vipHolder: string } }
      return cluster.api.vipHolder
    }
    const before = await holder()
    await callSupervisor(lab.dir, 'POST', '/power', { node: before, action: 'cut' })
    await eventually(
      () => readyz(lab.vip),
      ({ stdout }) => stdout === 'ok',
      20,
    )
    expect(await holder()).not.toBe(before)
    // Its member was the one that the API server talked to: what was being written to its Node then failed.
    await eventually(
      () => nodeReady(before),
      (status) => status === 'Unknown',
      40,
    )
    await callSupervisor(lab.dir, 'POST', '/power', { node: before, action: 'on' })
    await eventually(
      () => readyz(before),
      ({ stdout }) => stdout === 'ok',
      40,
    )
    await eventually(
      () => nodeReady(before),
      (status) => status === 'True',
      40,
    )
  })
})

describe('faults', () => {
  const add = (fault: object) => callSupervisor(lab.dir, 'POST', '/faults', fault)
  const clear = () => callSupervisor(lab.dir, 'DELETE', '/faults')

  test('unknown ones are refused with the list of those there are', async () => {
    await expect(add({ name: 'no-such-fault' })).rejects.toThrow('unknown fault')
  })

  test('api-flaps: the API goes away everywhere, and comes back for good', async () => {
    await add({ name: 'api-flaps', params: { up: '1', down: '2', times: '1' } })
    await eventually(() => refused(lab.vip, 6443), Boolean, 10)
    expect(await refused(controlPlanes(lab)[0] ?? '', 6443)).toBe(true)
    await eventually(
      () => readyz(lab.vip),
      ({ stdout }) => stdout === 'ok',
      10,
    )
    await clear()
  })

  test('node-unreachable: silent for clients, NotReady for the cluster, well again afterwards', async () => {
    const address = controlPlanes(lab)[1] ?? ''
    const node = lab.hostnames[address] ?? ''
    const ready = () => nodeReady(address)
    await add({ name: 'node-unreachable', node })
    await eventually(
      () => readyz(address),
      ({ code, stderr }) => code !== 0 && /timeout|deadline/i.test(stderr),
      20,
    )
    await eventually(ready, (status) => status === 'Unknown', 40)
    await clear()
    await eventually(
      () => readyz(address),
      ({ stdout }) => stdout === 'ok',
      20,
    )
    await eventually(ready, (status) => status === 'True', 20)
  })
})
