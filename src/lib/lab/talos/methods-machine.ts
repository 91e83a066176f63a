/** The machine API beside configuration, actions and etcd: version, bootstrap, kubeconfig, services, files, logs, images. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { kubeconfigFor } from '../control-plane/kubeconfig.ts'
import { issueCertificate } from './certificates.ts'
import { wipeDevice } from './discovered-volumes.ts'
import { onControlPlane, recoveryFile } from './methods-etcd.ts'
import { timestamp } from './protocol.ts'
import { type Method, stream, unary } from './rpc.ts'
import { serviceInfo } from './services.ts'
import type { SimulatedMachine } from './simulated-machine.ts'
import { StatusError, statusOf } from './status.ts'
import { tarGz } from './tar.ts'

const service = '/machine.MachineService'

export const machineMethods: Method[] = [
  unary(`${service}/Version`, async ({ machine }) => ({
    version: { tag: machine.record.running.version, sha: 'lab', built: '', goVersion: '', os: 'linux', arch: 'amd64' },
    platform: { name: 'metal', mode: 'metal' },
    features: { rbac: true },
  })),
  unary<{ recoverEtcd: boolean; recoverSkipHashCheck: boolean }>(
    `${service}/Bootstrap`,
    async ({ machine }, request) => {
      const { recoverEtcd, recoverSkipHashCheck } = request
      await bootstrap(machine, recoverEtcd ? { skipHashCheck: recoverSkipHashCheck } : undefined)
      return {}
    },
  ),
  stream(`${service}/Kubeconfig`, async ({ machine }, _request, send) => {
    onControlPlane(machine, 'kubeconfig')
    const kubeconfig = (await machine.cluster.kubeconfig()) ?? (await renderKubeconfig(machine))
    await send({ bytes: tarGz('kubeconfig', kubeconfig) })
  }),
  unary(`${service}/ServiceList`, async ({ machine }) => ({ services: machine.services.list().map(serviceInfo) })),
  ...(['Start', 'Stop', 'Restart'] as const).map((verb) =>
    unary<{ id: string }>(`${service}/Service${verb}`, async ({ machine }, { id }) => {
      if (!machine.services.get(id)) throw new StatusError('Unknown', `service ${JSON.stringify(id)} is not defined`)
      throw new StatusError('Unimplemented', `lab: a simulated machine can't ${verb.toLowerCase()} a single service`)
    }),
  ),
  stream<{ path: string }>(`${service}/Read`, async ({ machine }, { path }, send) => {
    await send({ bytes: Buffer.from(readFile(machine, path)) })
  }),
  stream<{ follow: boolean; tail: boolean }>(`${service}/Dmesg`, ({ machine, signal }, { follow, tail }, send) =>
    machine.kernelLog.read({ follow, onlyNew: tail }, signal, (line) => void send({ bytes: Buffer.from(line) })),
  ),
  stream<{ id: string; follow: boolean }>(`${service}/Logs`, ({ machine, signal }, { id, follow }, send) => {
    if (id !== 'machined')
      throw new StatusError('Unknown', `lab: a simulated machine has no log of ${JSON.stringify(id)}; machined has one`)
    return machine.kernelLog.read({ follow, onlyNew: false }, signal, (line) => void send({ bytes: Buffer.from(line) }))
  }),
  stream<{ tailEvents: number; tailId: string; tailSeconds: number; withActorId: string }>(
    `${service}/Events`,
    async ({ machine, signal }, { tailEvents, tailId, tailSeconds, withActorId }, send) => {
      // The hello: its arrival tells talosctl that the stream runs.
      await send({ data: { type_url: '', value: Buffer.alloc(0) }, actorId: withActorId })
      const filter = { tailEvents, tailId, tailSeconds, actorId: withActorId }
      await machine.events.follow(filter, signal, ({ id, actorId, data }) => void send({ id, actorId, data }))
    },
  ),
  // The services that run in containers of their own; the pods' have no containers here.
  unary<{ namespace: string }>(`${service}/Containers`, async ({ machine }, { namespace }) => ({
    containers: machine.services
      .list()
      .filter(({ id, state }) => namespace === 'system' && state === 'Running' && containerised.has(id))
      .map(({ id }) => ({ namespace, id, name: id, podId: id, image: '', pid: 0, status: 'RUNNING' })),
  })),
  stream<{ namespace: number }>(`${service}/ImageList`, async ({ machine }, { namespace }, send) => {
    for (const reference of imagesOf(machine, namespace)) {
      const digest = `sha256:${createHash('sha256').update(reference).digest('hex')}`
      await send({ name: reference, digest, size: '0', createdAt: timestamp(new Date(machine.record.bootedAt)) })
    }
  }),
  unary<{ namespace: number; reference: string }>(`${service}/ImagePull`, async ({ machine }, { reference }) => {
    if (machine.fleet.images.has(reference)) return {}
    try {
      machine.fleet.images.pull(reference)
    } catch (error) {
      const text = statusOf(error).message
      if (text.includes('not found')) throw new StatusError('NotFound', `error pulling image: ${text}`)
      throw error
    }
    return {}
  }),
  unary('/storage.StorageService/Disks', async ({ machine }) => ({
    disks: machine.spec.disks.map((disk) => ({
      size: String(disk.size),
      model: disk.model,
      deviceName: disk.path,
      serial: disk.serial,
      type: disk.transport === 'nvme' ? 3 : 1,
      systemDisk: machine.record.disk?.device === disk.path,
    })),
  })),
  unary<{ devices: { device: string }[] }>('/storage.StorageService/BlockDeviceWipe', async ({ machine }, request) => {
    for (const { device } of request.devices) wipeDevice(machine, device)
    return {}
  }),
]

const containerised = new Set(['apid', 'etcd', 'kubelet', 'trustd'])

/** etcd's data appear a moment after the call: a second call meanwhile must meet the first one's. */
const bootstrapping = new WeakMap<SimulatedMachine, Promise<void>>()

/** Server.Bootstrap: CRI up, control plane, time in sync (Talos waits 5 s for it), empty data directory. */
async function bootstrap(machine: SimulatedMachine, recover: { skipHashCheck: boolean } | undefined): Promise<void> {
  machine.kernelLog.write('bootstrap request received')
  const refuse = (text: string) => new StatusError('FailedPrecondition', text)
  if (machine.services.get('cri')?.state !== 'Running') throw refuse('bootstrap is not available yet')
  if (machine.machine.config?.role === 'worker') throw refuse('bootstrap can only be performed on a control plane node')
  if (!machine.timeSynced()) {
    await machine.pause(5)
    if (!machine.timeSynced()) throw refuse('time is not in sync yet')
  }
  await bootstrapping.get(machine)?.catch(() => {})
  const hasData =
    machine.cluster.hasEtcdData(machine.machine) || machine.cluster.etcdMember(machine.machine) !== undefined
  if (hasData) throw new StatusError('AlreadyExists', 'etcd data directory is not empty')
  if (recover && !existsSync(recoveryFile(machine))) {
    throw refuse('no snapshot is available for recovery, please upload one with EtcdRecover')
  }
  const from = recover && { file: recoveryFile(machine), ...recover }
  const begun = machine.cluster.bootstrapEtcd(machine.machine, from)
  bootstrapping.set(machine, begun)
  await begun
}

/** As Talos renders it from its own config, which needs no API server. */
async function renderKubeconfig(machine: SimulatedMachine): Promise<string> {
  const { config } = machine.machine
  const key = config?.ca.kubernetes.key
  if (!config || key === undefined) throw new StatusError('Unknown', 'the config has no Kubernetes CA key')
  const { crt } = config.ca.kubernetes
  const pair = await issueCertificate(
    { crt, key },
    { subject: 'O=system:masters, CN=admin', usage: 'client', days: 365 },
  )
  return kubeconfigFor(config.clusterName, 'admin', config.endpoint, crt, pair)
}

function readFile(machine: SimulatedMachine, path: string): string {
  switch (path) {
    case '/proc/sys/kernel/random/boot_id':
      return `${machine.record.bootId}\n`
    case '/proc/stat':
      return `btime ${Math.floor(Date.parse(machine.record.bootedAt) / 1000)}\n`
    case '/etc/os-release':
      return `NAME="Talos"\nID=talos\nVERSION_ID=${machine.record.running.version}\nPRETTY_NAME="Talos (${machine.record.running.version})"\n`
    default:
      throw new StatusError('NotFound', `stat ${path}: no such file or directory`)
  }
}

/** What containerd must hold for what runs; nothing else is known of a simulated machine. */
function imagesOf(machine: SimulatedMachine, namespace: number): string[] {
  const version = machine.machine.config?.kubernetesVersion
  if (namespace === 1) return [machine.record.running.image]
  if (version === undefined) return []
  const kubelet = `ghcr.io/siderolabs/kubelet:${version}`
  if (machine.machine.config?.role === 'worker') return [kubelet]
  const components = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler']
  return [kubelet, ...components.map((name) => `registry.k8s.io/${name}:${version}`)]
}
