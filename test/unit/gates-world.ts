/** A world in a JSON file: what the Kubernetes and Talos APIs and this machine would say to a gate. */

import { valueAt } from '../../src/lib/gates/conditions.ts'
import type { GateSources } from '../../src/lib/gates/evaluate.ts'
import type { DecryptFailure, GatePorts, TalosSecrets } from '../../src/lib/gates/ports.ts'
import { createProbes } from '../../src/lib/gates/probes/index.ts'
import type {
  Alert,
  AlertSilence,
  Cluster,
  EtcdStatus,
  KubeObject,
  KubePort,
  NodeState,
  Problem,
  Result,
  TalosPort,
  TalosResource,
} from '../../src/lib/types.ts'

type Failure = Extract<Result<never>, { ok: false }>

export interface World {
  params?: Record<string, string>
  /** Must be part of the verdict's detail or of one of its waiting lines. */
  reason: string
  /** Lists by `apiVersion/Kind`; what isn't there is not served. */
  kube?: Record<string, KubeObject[] | Failure>
  /** Bodies by path, or by server and path. */
  raw?: Record<string, string | Failure>
  machines?: Record<
    string,
    {
      state?: NodeState | Failure
      /** PEM that it shows. */
      certificate?: string
      members?: { id: string; hostname: string; learner: boolean }[] | Failure
      etcd?: EtcdStatus | Failure
      alarms?: { member: string; alarm: string }[] | Failure
      /** By path. */
      files?: Record<string, string>
      resources?: Record<string, TalosResource[] | Failure>
      /** What is on its disks, while it waits for its first config. */
      volumes?: TalosResource[] | Failure
    }
  >
  problems?: Problem[]
  confirm?: Problem[]
  tools?: Record<string, { pinned?: string; path?: string; onPath?: string }>
  signedIn?: string | Failure
  /** Values by reference. */
  items?: Record<string, string | Failure>
  /** By pod, then by path. */
  fileDigests?: Record<string, Record<string, string> | Failure>
  secrets?: TalosSecrets | { why: DecryptFailure; detail: string }
  staleConfigs?: string[] | Failure
  configFaults?: Record<string, string>
  context?: { server: string; ca: string } | null | Failure
  /** Digests by image. */
  images?: Record<string, string | Failure>
  /** RFC 3339 by path; null for a file that is damaged. */
  snapshots?: Record<string, string | null>
  /** By address. */
  configEffects?: Record<string, 'nothing' | 'no-reboot' | 'reboot' | Failure>
  /** Days from now by file. */
  certificates?: Record<string, string> | Failure
  /** What fires in the Alertmanager, which runs in infra. */
  alerts?: Alert[] | Failure
  silences?: AlertSilence[] | Failure
  /** The machine's clock, RFC 3339. */
  now?: string
  /** Ids of checks at GitHub. */
  checks?: string[] | Failure
  /** What git prints, by its arguments; what isn't there fails. */
  git?: Record<string, string>
}

const isFailure = (value: unknown): value is Failure => (value as Failure | undefined)?.ok === false
const answer = <T>(value: T | Failure): Result<T> => (isFailure(value) ? value : { ok: true, value })
const unreachable = (detail: string): Failure => ({ ok: false, why: 'unreachable', detail })

function fieldOf(object: KubeObject, selector: string): boolean {
  const [path = '', value] = selector.split('=')
  return String(valueAt(object, path)) === value
}

export function kubeOf(world: World): KubePort {
  return {
    async list(ref) {
      const found = world.kube?.[`${ref.apiVersion}/${ref.kind}`]
      if (found === undefined) return { ok: false, why: 'not-found', detail: `the API server serves no ${ref.kind}` }
      if (isFailure(found)) return found
      const labels = new Map(
        (ref.labelSelector ?? '')
          .split(',')
          .filter(Boolean)
          .map((pair): [string, string | undefined] => [pair.split('=')[0] ?? '', pair.split('=')[1]]),
      )
      return {
        ok: true,
        value: found
          .filter(({ metadata }) => !ref.name || metadata.name === ref.name)
          .filter(({ metadata }) => !ref.namespace || metadata.namespace === ref.namespace)
          .filter((object) => !ref.fieldSelector || fieldOf(object, ref.fieldSelector))
          .filter(({ metadata }) =>
            // Without a value it is about whether the label is there.
            [...labels].every(([key, value]) =>
              value === undefined ? metadata.labels?.[key] !== undefined : metadata.labels?.[key] === value,
            ),
          )
          .map((object) => ({ ...object, apiVersion: ref.apiVersion, kind: ref.kind })),
      }
    },
    async watch(ref, signal, onChange) {
      onChange(await this.list(ref, signal))
    },
    async raw(path, options = {}) {
      const found = world.raw?.[`${options.server ?? ''}${path}`] ?? world.raw?.[path]
      return found === undefined ? unreachable(`${options.server ?? ''}: connect ECONNREFUSED`) : answer(found)
    },
  }
}

export function talosOf(world: World): TalosPort {
  const machine = (node: string) => world.machines?.[node] ?? {}
  return {
    state: async (node) => answer(machine(node).state ?? 'down'),
    discoveredVolumes: async (node) => answer(machine(node).volumes ?? unreachable(`${node}: connection refused`)),
    get: async (node, type) => answer(machine(node).resources?.[type] ?? unreachable(`${node}: connection refused`)),
    etcdMembers: async (node) => answer(machine(node).members ?? unreachable(`${node}: connection refused`)),
    etcdStatus: async (node) => answer(machine(node).etcd ?? unreachable(`${node}: connection refused`)),
    etcdAlarms: async (node) => answer(machine(node).alarms ?? unreachable(`${node}: connection refused`)),
    bootId: async (node) => {
      const read = answer(
        machine(node).files?.['/proc/sys/kernel/random/boot_id'] ?? unreachable(`${node}: connection refused`),
      )
      return read.ok ? { ok: true, value: read.value.trim() } : read
    },
    read: async (node, path) => answer(machine(node).files?.[path] ?? unreachable(`${node}: connection refused`)),
  }
}

const nowOf = (world: World) => (world.now === undefined ? Date.now() : Date.parse(world.now))

export const cluster = (confirm: Problem[] = []): Cluster => ({
  name: 'apps',
  nodes: [
    { hostname: 'apps-cp1', address: '10.25.13.11', controlPlane: true },
    { hostname: 'apps-cp2', address: '10.25.13.12', controlPlane: true },
    { hostname: 'apps-cp3', address: '10.25.13.13', controlPlane: true },
    { hostname: 'apps-w1', address: '10.25.13.14', controlPlane: false },
  ],
  vip: '10.25.13.10',
  endpoint: 'https://10.25.13.10:6443',
  talosVersion: 'v1.12.11',
  kubernetesVersion: 'v1.35.4',
  settings: {},
  context: 'apps',
  follows: 'release',
  gates: {
    ceph: { clusters: 1, tolerate: [] },
    cnpg: { clusters: 1 },
    volsync: { sources: 1 },
    daemonsets: ['kube-system/cilium'],
    deployments: ['kube-system/coredns'],
  },
  confirm,
})

export function portsOf(world: World): GatePorts {
  return {
    target: {
      cluster: 'apps',
      root: '/repository',
      kubeconfig: '/home/operator/.kube/config',
      context: 'apps',
      talosconfig: 'talos/apps/clusterconfig/talosconfig',
      env: {},
      stateDir: '/repository/.k8sops',
      snapshotDir: '/snapshots',
      timeScale: 1,
    },
    cluster: cluster(world.confirm),
    problems: async () => world.problems ?? [],
    tools: (names) => names.map((name) => ({ name, path: undefined, ...world.tools?.[name] })),
    signedIn: async () => answer(world.signedIn ?? unreachable('account is not signed in')),
    secretValue: async (reference) => answer(world.items?.[reference] ?? unreachable('account is not signed in')),
    fileDigests: async ({ pod }) => answer(world.fileDigests?.[pod] ?? unreachable('exec: no such container')),
    async talosSecrets() {
      const secrets = world.secrets ?? { why: 'missing-file' as const, detail: 'the file does not exist' }
      return 'why' in secrets ? { ok: false, ...secrets } : { ok: true, value: secrets }
    },
    staleConfigs: async () => answer(world.staleConfigs ?? []),
    configFault: async (file) => ({ ok: true, value: world.configFaults?.[file] }),
    async imageManifest(image) {
      const found = world.images?.[image] ?? { ok: false, why: 'not-found', detail: 'the registry answers 404' }
      return typeof found === 'string' ? { ok: true, value: { digest: found } } : (found as Failure)
    },
    async etcdSnapshot(path) {
      const taken = world.snapshots?.[path]
      if (taken)
        return { ok: true, value: { takenAt: new Date(taken), bytes: 20_000_032, sha256: `digest of ${taken}` } }
      return { ok: false, why: 'not-found', detail: `${path} ${taken === null ? 'is damaged' : 'does not exist'}` }
    },
    configEffect: async (address) => answer(world.configEffects?.[address] ?? unreachable(`${address}: refused`)),
    async clientCertificates() {
      const { certificates = {} } = world
      if (isFailure(certificates)) return certificates
      return { ok: true, value: Object.entries(certificates).map(([file, pem]) => ({ file, pem })) }
    },
    async alerts() {
      const { alerts = unreachable('observability/vmalertmanager in infra: connection refused') } = world
      return isFailure(alerts) ? alerts : { ok: true, value: { alerts, home: 'infra' } }
    },
    silences: async () =>
      answer(world.silences ?? unreachable('observability/vmalertmanager in infra: connection refused')),
    git: async (args) => {
      const stdout = world.git?.[args.join(' ')]
      return stdout === undefined
        ? { exitCode: 1, stdout: '', stderr: 'fatal: could not read from remote repository' }
        : { exitCode: 0, stdout, stderr: '' }
    },
    checks: async () => answer(world.checks ?? unreachable('https://api.github.com: fetch failed')),
    peer: async () => undefined,
    now: () => nowOf(world),
    talconfigNames: async (hostname) => cluster().nodes.some((node) => node.hostname === hostname),
    machineCertificate: async (node) =>
      answer(world.machines?.[node]?.certificate ?? unreachable('connection refused')),
    kubeContext: async () => answer(world.context ?? undefined) as Awaited<ReturnType<GatePorts['kubeContext']>>,
  }
}

export function sourcesOf(world: World): GateSources {
  const [kube, talos] = [kubeOf(world), talosOf(world)]
  return {
    kube,
    talos,
    probes: async (...reads) => createProbes(portsOf(world), ...reads),
    timeScale: 1,
    now: () => nowOf(world),
  }
}
