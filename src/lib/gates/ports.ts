/** What probes look through, beside the Kubernetes and Talos APIs. All of it reads; src/gates.ts fills it in. */
import type { ContainerPlace } from '../tools/kubectl-secrets.args.ts'
import type { Alert, AlertSilence, Cluster, KubePort, Problem, Result, Target } from '../types.ts'

/** A tool of the pinned chain, on this machine. */
export interface ToolState {
  name: string
  /** Undefined for a tool that isn't of the chain (`op`, `git`): any version will do. */
  pinned?: string
  /** Undefined when this machine has no binary of the pinned version. */
  path: string | undefined
  /** The version of another binary of that name on PATH. */
  onPath?: string
}

/** The secrets of a cluster, decrypted in memory. */
export interface TalosSecrets {
  /** PEM of the CA that signs the API server's certificate. */
  kubernetesCa: string
  /** PEM of the CA that signs the machines' certificates. */
  talosCa: string
  /** NFR10: without it Kubernetes Secrets lie in etcd as they are. */
  hasSecretbox: boolean
}

export type DecryptFailure =
  /** `op` isn't signed in, or there is no such item. */
  | 'no-key'
  | 'missing-file'
  /** The key isn't a recipient, or the file was tampered with. */
  | 'undecryptable'
  | 'incomplete'

export interface GatePorts {
  target: Target
  cluster: Cluster
  /** Everything that is wrong in the repository. */
  problems: () => Promise<Problem[]>
  tools: (names: string[]) => ToolState[]
  /** Who is signed in at 1Password. */
  signedIn: (signal: AbortSignal) => Promise<Result<string>>
  /** What stands at a reference in 1Password now, asked anew each time. Compared by digest, never shown. */
  secretValue: (reference: string, signal: AbortSignal) => Promise<Result<string>>
  /** Digests (sha256, hex) of files in a running container, by path. */
  fileDigests: (at: ContainerPlace, paths: string[], signal: AbortSignal) => Promise<Result<Record<string, string>>>
  talosSecrets: (
    signal: AbortSignal,
  ) => Promise<{ ok: true; value: TalosSecrets } | { ok: false; why: DecryptFailure; detail: string }>
  /** Whether talos/<cluster>/clusterconfig is what genconfig would write now; the names of files that differ. */
  staleConfigs: (signal: AbortSignal) => Promise<Result<string[]>>
  /** What `talosctl validate` says against one generated file; undefined when it is valid. */
  configFault: (file: string, signal: AbortSignal) => Promise<Result<string | undefined>>
  /** Asks an image's registry for its manifest; `not-found` when the registry answers that there is none. */
  imageManifest: (image: string, signal: AbortSignal) => Promise<Result<{ digest: string }>>
  /** A whole etcd snapshot, its checksum verified; a path that isn't absolute is relative to the target's root. */
  etcdSnapshot: (path: string, signal: AbortSignal) => Promise<Result<{ takenAt: Date; bytes: number; sha256: string }>>
  /** What applying its generated config would do to the machine at `address`, as the machine itself says. */
  configEffect: (address: string, signal: AbortSignal) => Promise<Result<'nothing' | 'no-reboot' | 'reboot'>>
  /** The certificates (PEM) that we show to the APIs, by the file they are in. None for a kubeconfig that has another way in. */
  clientCertificates: () => Promise<Result<{ file: string; pem: string }[]>>
  /** Every alert that fires in the Alertmanager that the cluster's alerts go to, those of other clusters included. */
  alerts: (
    signal: AbortSignal,
  ) => Promise<Result<{ alerts: Alert[] /** The cluster that it runs in. */; home: string }>>
  /** What is held there, ended silences left out. */
  silences: (signal: AbortSignal) => Promise<Result<AlertSilence[]>>
  /** git in the target's root; it reads. A git that can't be started has no exit code. */
  git: (args: string[], signal: AbortSignal) => Promise<{ exitCode: number | null; stdout: string; stderr: string }>
  /** Ids of the checks that GitHub shows on a commit; `denied` without a token. */
  checks: (repository: string, commit: string, signal: AbortSignal) => Promise<Result<string[]>>
  /** The API of another cluster of the repository; undefined when it can't be opened from here. */
  peer: (cluster: string) => Promise<KubePort | undefined>
  /** Milliseconds since 1970. */
  now: () => number
  /** Whether the cluster's talconfig.yaml names the node, read anew: a run may have edited it. */
  talconfigNames: (hostname: string) => Promise<boolean>
  /** The certificate (PEM) that a machine's API shows to anybody; `unreachable` when nobody answers. */
  machineCertificate: (node: string, signal: AbortSignal) => Promise<Result<string>>
  /** The CA (PEM) and server of the target's context in the operator's kubeconfig; undefined when there is no such context. */
  kubeContext: () => Promise<Result<{ server: string; ca: string } | undefined>>
}
