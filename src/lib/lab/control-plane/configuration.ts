/**
 * The files that the control plane's processes are started with: certificates from the machine config's own CAs, and the
 * configurations that Talos renders (controllers/k8s/render_config_static_pods.go, v1.12.0).
 */
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { issueCertificate, type KeyPair, type Leaf } from '../talos/certificates.ts'
import type { LabSpec, MachineConfig } from '../types.ts'
import { kubeconfigFor } from './kubeconfig.ts'
import { egressConfiguration } from './pod-network.ts'

export const apiPort = 6443

/** What the argv builders name. Everything is in `<dir>/control-plane/`. */
export const controlPlaneDir = (dir: string) => join(dir, 'control-plane')
export const adminKubeconfigFile = (dir: string) => join(controlPlaneDir(dir), 'admin.kubeconfig')

/** Fields of the machine config's first document that no one else reads. */
interface ClusterDocument {
  apiServer?: {
    certSANs?: string[]
    extraArgs?: ExtraArgs
    admissionControl?: { name: string; configuration: unknown }[]
  }
  controllerManager?: { extraArgs?: ExtraArgs }
  scheduler?: { extraArgs?: ExtraArgs; config?: Record<string, unknown> }
  network?: { dnsDomain?: string }
}
export type ExtraArgs = Record<string, string | string[]>

export function clusterDocument(config: MachineConfig): ClusterDocument {
  return (config.document.cluster ?? {}) as ClusterDocument
}

/**
 * Writes all files anew: a config that was applied since may name other SANs or another scheduler configuration.
 * @param config of a control plane, with all keys
 * @throws Error that names the CA which the config lacks
 */
export async function writeControlPlaneFiles(spec: LabSpec, config: MachineConfig): Promise<void> {
  const dir = controlPlaneDir(spec.dir)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const put = (name: string, text: string) => writeFile(join(dir, name), text, { mode: 0o600 })
  const putPair = (name: string, pair: KeyPair) =>
    Promise.all([put(`${name}.crt`, pair.crt), put(`${name}.key`, pair.key)])

  const kubernetes = pairOf(config.ca.kubernetes, 'cluster.ca', config)
  const aggregator = pairOf(config.ca.aggregator, 'cluster.aggregatorCA', config)
  const etcd = pairOf(config.ca.etcd, 'cluster.etcd.ca', config)
  const serviceAccount = config.serviceAccountKey
  if (!serviceAccount) throw new Error(`the config of ${config.hostname} holds no cluster.serviceAccount.key`)

  const client = (subject: string): Leaf => ({ subject, usage: 'client', days: 365 })
  const server = `https://${spec.base}:${apiPort}`
  const component = async (file: string, subject: string, user: string) => {
    const pair = await issueCertificate(kubernetes, client(subject))
    await put(`${file}.kubeconfig`, kubeconfigFor(config.clusterName, user, server, kubernetes.crt, pair))
  }
  await Promise.all([
    putPair('ca', kubernetes),
    put('aggregator-ca.crt', aggregator.crt),
    put('etcd-ca.crt', etcd.crt),
    put('service-account.key', serviceAccount),
    put(
      'service-account.pub',
      createPublicKey(createPrivateKey(serviceAccount)).export({ type: 'spki', format: 'pem' }).toString(),
    ),
    issueCertificate(kubernetes, apiServerLeaf(spec, config)).then((pair) => putPair('apiserver', pair)),
    issueCertificate(aggregator, client('CN=front-proxy-client')).then((pair) => putPair('front-proxy-client', pair)),
    issueCertificate(etcd, client('CN=kube-apiserver')).then((pair) => putPair('etcd-client', pair)),
    issueCertificate(kubernetes, client('O=system:masters, CN=lab-probe')).then((pair) => putPair('probe', pair)),
    component('admin', 'O=system:masters, CN=lab-admin', 'lab-admin'),
    component('controller-manager', 'CN=system:kube-controller-manager', 'controller-manager'),
    component('scheduler', 'CN=system:kube-scheduler', 'scheduler'),
    component('kwok', 'O=system:masters, CN=kwok', 'kwok'),
    put('admission-control-config.yaml', json(admissionConfiguration(config))),
    put('egress-selector.yaml', json(egressConfiguration)),
    put('encryptionconfig.yaml', json(encryptionConfiguration(config))),
    put('scheduler-config.yaml', json(schedulerConfiguration(spec, config))),
    put('kwok.yaml', json(kwokConfiguration)),
  ])
}

/** The names that Talos gives the API server (controllers/secrets/kubernetes_cert_sans.go), and where the lab dials it. */
function apiServerLeaf(spec: LabSpec, config: MachineConfig): Leaf {
  const { apiServer, network } = clusterDocument(config)
  const names = [
    new URL(config.endpoint).hostname,
    ...(apiServer?.certSANs ?? []),
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${network?.dnsDomain ?? 'cluster.local'}`,
    'localhost',
    '127.0.0.1',
    config.hostname,
    ...config.serviceSubnets.map(firstServiceAddress),
    spec.base,
    spec.vip,
    ...spec.machines.flatMap(({ address, nodeAddress }) => [address, nodeAddress]),
  ]
  const unique = [...new Set(names.filter(Boolean))]
  return {
    subject: 'O=kube-master, CN=kube-apiserver',
    usage: 'server',
    days: 365,
    ips: unique.filter((name) => isIP(name)),
    dnsNames: unique.filter((name) => !isIP(name)),
  }
}

/** The address of the `kubernetes` Service: the first one of the range. IPv4 only, like the lab. */
export function firstServiceAddress(subnet: string): string {
  const octets = subnet.split('/')[0]?.split('.').map(Number) ?? []
  return [...octets.slice(0, 3), (octets[3] ?? 0) + 1].join('.')
}

function admissionConfiguration(config: MachineConfig): object {
  return {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'AdmissionConfiguration',
    plugins: clusterDocument(config).apiServer?.admissionControl ?? [],
  }
}

function encryptionConfiguration(config: MachineConfig): object {
  const secret = config.secretboxEncryptionSecret
  const secretbox = secret ? [{ secretbox: { keys: [{ name: 'key2', secret }] } }] : []
  return {
    apiVersion: 'apiserver.config.k8s.io/v1',
    kind: 'EncryptionConfiguration',
    resources: [{ resources: ['secrets'], providers: [...secretbox, { identity: {} }] }],
  }
}

function schedulerConfiguration(spec: LabSpec, config: MachineConfig): object {
  return {
    apiVersion: 'kubescheduler.config.k8s.io/v1',
    kind: 'KubeSchedulerConfiguration',
    ...clusterDocument(config).scheduler?.config,
    clientConnection: { kubeconfig: join(controlPlaneDir(spec.dir), 'scheduler.kubeconfig'), qps: 200, burst: 400 },
    leaderElection: { leaderElect: false },
  }
}

/**
 * kwok plays four pods at once by default (v0.8.0), which makes hundreds of pods wait for each other. Whoever gives one
 * of these numbers has to give all: the others are zero then, and the node controller doesn't start.
 */
const kwokConfiguration = {
  apiVersion: 'config.kwok.x-k8s.io/v1alpha1',
  kind: 'KwokConfiguration',
  options: {
    podPlayStageParallelism: 16,
    nodePlayStageParallelism: 6,
    nodeLeaseParallelism: 6,
    podsOnNodeSyncParallelism: 6,
  },
}

function pairOf(ca: { crt: string; key?: string } | undefined, name: string, config: MachineConfig): KeyPair {
  if (!ca?.key) throw new Error(`the config of ${config.hostname} holds no ${name} with its key`)
  return { crt: ca.crt, key: ca.key }
}

/** JSON is YAML, and needs no library. */
const json = (value: object) => `${JSON.stringify(value, undefined, 2)}\n`
