/**
 * Seams between the lab's parts. A lab is one rehearsal cluster: one supervisor process that holds the simulated
 * machines, the registry, the proxy, the source server and the small operators, and owns every child process.
 */
import type { Json } from '../types.ts'

export interface LabSpec {
  /** The operator's name for it (`--lab-name`, K8SOPS_LAB_NAME; default `default`). */
  name: string
  cluster: string
  /** 1..250; unique on this machine; the third octet of every address (127.13.<number>.x). */
  number: number
  /** State directory of this lab, outside the repository. */
  dir: string
  /** `<dir>/repo`: the materialised copy of the repository (a git repository of its own). */
  root: string
  /** 127.13.<number>.1: API server, etcd, proxy, registry listen here; machines have .11, .12 ... */
  base: string
  vip: string
  machines: MachineSpec[]
  /** Versions read from talconfig. */
  talosVersion: string
  kubernetesVersion: string
  /** Absolute paths of the binaries the lab itself starts. */
  tools: Record<string, string>
  /** Factor on every simulated duration: 1 as lively as a demo (a boot takes seconds), 0.1 for tests. */
  pace: number
}

/** Hardware only: hostname and role come with the machine config. */
export interface MachineSpec {
  /** The address that is dialled, 127.13.<number>.11. */
  address: string
  /** The address that Kubernetes objects show, 10.25.13.11 (never dialled). */
  nodeAddress: string
  disks: { path: string; size: number; model: string; serial: string; transport: string }[]
  links: { name: string; hardwareAddress: string; driver: string }[]
}

export interface ActiveFault {
  name: string
  node?: string
  params?: Record<string, string>
}

/** Faults as the parts see them; ids and meaning stand in lab/faults.yaml. */
export interface Faults {
  /** The active fault, when there is one for this node (or for no particular node). */
  active(name: string, node?: string): ActiveFault | undefined
  list(): ActiveFault[]
  onChange(listener: () => void): () => void
}

export interface ChildOptions {
  env?: Record<string, string>
  /** `nice`: how far it stands back where the lab's processes want more than there is. */
  nice?: number
}

export interface ChildProcess {
  name: string
  pid: number
  /** Resolves when it ended, whatever the reason. */
  exited: Promise<{ code: number | null; signal: string | null }>
  kill(signal?: NodeJS.Signals): void
}

/** What every part of the lab gets. Implemented by src/lib/lab/supervisor.ts. */
export interface Lab {
  spec: LabSpec
  faults: Faults
  /** Starts a child that dies with the supervisor (pdeathsig), carries K8SOPS_LAB_ID=<id> and logs to <dir>/logs/<name>.log. */
  spawn(name: string, path: string, args: string[], options?: ChildOptions): ChildProcess
  log(part: string, message: string): void
  /** Kubeconfig of the lab's own administrator, dialling https://<base>:6443 directly (past the API faults). */
  adminKubeconfig: string
  /** Called each time the API server becomes ready (at bootstrap, after a restart of the lab). */
  onApiUp(listener: () => void): void
  readonly apiUp: boolean
}

/** A part that runs inside the supervisor. */
export interface Part {
  name: string
  /** For `lab status`: what is real, what is simulated, what it does now. */
  status(): Json
  stop(): Promise<void>
}

// ---- the machine (src/lib/lab/talos) and the cluster it belongs to (src/lib/lab/control-plane) ----

/** talosctl's stages, as MachineStatus shows them. */
export type Stage =
  | 'maintenance'
  | 'installing'
  | 'booting'
  | 'running'
  | 'rebooting'
  | 'shutting down'
  | 'resetting'
  | 'upgrading'

/** A simulated machine as the cluster side sees it. Implemented by src/lib/lab/talos/machine.ts; persisted in <dir>/machines/. */
export interface Machine {
  spec: MachineSpec
  stage: Stage
  ready: boolean
  bootId: string
  /** Running Talos version, `v1.12.x`. */
  version: string
  /** Factory schematic id of the installed image, with the extensions it names. */
  schematic: string
  /** Present once a config is applied. */
  config?: MachineConfig
  /** Version of the COSI resource that a static pod was made from: its annotation `talos.dev/config-version`. */
  configVersion?(component: string): number
}

/** What the lab needs of an applied (multi-document) machine config. */
export interface MachineConfig {
  /** The bytes as applied. */
  source: string
  hostname: string
  role: 'controlplane' | 'worker'
  installImage: string
  kubernetesVersion: string
  clusterName: string
  endpoint: string
  vip?: string
  podSubnets: string[]
  serviceSubnets: string[]
  /** PEM, of every CA in the config. Keys are present on control planes. */
  ca: {
    talos: { crt: string; key?: string }
    kubernetes: { crt: string; key?: string }
    aggregator?: { crt: string; key?: string }
    etcd?: { crt: string; key?: string }
  }
  serviceAccountKey?: string
  secretboxEncryptionSecret?: string
  /** The whole parsed first document, for what is not listed. */
  document: { [key: string]: unknown }
}

export interface ServiceState {
  id: string
  state: 'Preparing' | 'Waiting' | 'Running' | 'Failed' | 'Finished'
  healthy: boolean
  /** healthy is not known yet (Talos shows `?`). */
  unknown: boolean
  message: string
}

/** Where a real etcd member answers (JSON gateway over mTLS). */
export interface EtcdMember {
  /** `https://127.13.N.1:23xx` */
  clientUrl: string
  ca: string
  cert: string
  key: string
}

/** A snapshot that a new etcd cluster begins with. */
export interface Recovery {
  file: string
  /** A copy of the database itself, taken without `etcd snapshot`, has no hash. */
  skipHashCheck: boolean
}

/** What machines ask of the cluster around them. Implemented by src/lib/lab/control-plane/. */
export interface ClusterSide {
  /** The machine booted with a config: kubelet registers its node, a control plane's etcd joins if there is a cluster. */
  machineUp(machine: Machine): Promise<void>
  /** The machine goes away: its node stops reporting, its etcd member and API forwarder stop, the VIP moves. */
  machineDown(machine: Machine, why: 'reboot' | 'shutdown' | 'reset' | 'upgrade'): Promise<void>
  /** Machine was reset: its etcd data and node are gone for good. */
  machineWiped(machine: Machine): Promise<void>
  /** A new config took effect without a reboot: the Node and the static pods follow it. */
  configChanged?(machine: Machine): Promise<void>
  /** The machine's etcd member was removed on its own wish (`talosctl etcd leave`, graceful reset): its etcd stops, its data go. */
  etcdLeft?(machine: Machine): Promise<void>
  /** etcd data directory of this machine is not empty (AlreadyExists). */
  hasEtcdData(machine: Machine): boolean
  /** The Bootstrap RPC: this machine's etcd starts a new cluster, then the control plane comes up. Resolves at once. */
  bootstrapEtcd(machine: Machine, recovery?: Recovery): Promise<void>
  etcdMember(machine: Machine): EtcdMember | undefined
  services(machine: Machine): ServiceState[]
  /** Admin kubeconfig whose server is the cluster endpoint (as mapped: https://127.13.N.10:6443). Undefined before bootstrap. */
  kubeconfig(): Promise<string | undefined>
}
