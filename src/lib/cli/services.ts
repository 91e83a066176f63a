/** What the command line needs of the rest of the program. src/main.ts fills it in, lazily; tests fill in their own. */
import type { Repository } from '../config/load.ts'
import type { BasisPort, GateReader, LeasePort, SilencePort } from '../engine/ports.ts'
import type { Exec, ProcessPort, Redactor } from '../exec/types.ts'
import type { Peer } from '../tools/monitoring.ts'
import type { Cluster, KubePort, Result, TalosPort, Target } from '../types.ts'
import type { CommandEntry } from './registry.ts'

/** One cluster, resolved: where its commands go and what stands in its files there. */
export interface OpenedCluster {
  repository: Repository
  cluster: Cluster
  target: Target
}

export interface TargetChoice {
  lab: boolean
  labName?: string
  env: NodeJS.ProcessEnv
}

export interface Services {
  /** The repository at `path`, or found upwards from `cwd`, with every problem that it has. */
  openRepository: (cwd: string, path?: string) => Promise<Repository>
  openTarget: (repository: Repository, cluster: string, choice: TargetChoice) => Promise<OpenedCluster>
  kube: (opened: OpenedCluster) => Promise<KubePort>
  talos: (opened: OpenedCluster, exec: Exec) => Promise<TalosPort>
  gates: (
    opened: OpenedCluster,
    ports: { kube: KubePort; talos: TalosPort; exec: Exec; redactor: Redactor; peers: () => Promise<Peer[]> },
  ) => Promise<GateReader>
  /** The filter of plans that writes through the API server's proxy to a Service. */
  postRaw: (
    target: { kubeconfig: string; context: string },
    path: string,
    body: string,
    signal: AbortSignal,
  ) => Promise<Result<string>>
  lease: (opened: OpenedCluster) => Promise<LeasePort>
  /** Undefined where the target has no Alertmanager. */
  silences: (opened: OpenedCluster) => Promise<SilencePort | undefined>
  /** @param note told what is being built, when a tool is missing on this machine */
  exec: (opened: OpenedCluster, options: ExecOptions) => Promise<Exec>
  processes: () => Promise<ProcessPort>
  redactor: () => Promise<Redactor>
  basis: (opened: OpenedCluster) => BasisPort
  /** The server of a context in a kubeconfig file; undefined when there is no such context. */
  contextServer: (kubeconfig: string, context: string) => Promise<string | undefined>
  /** Milliseconds since 1970; the machine's clock without it. */
  now?: () => number
}

export interface ExecOptions {
  redactor: Redactor
  env: NodeJS.ProcessEnv
  note: (text: string) => void
  signal: AbortSignal
  runId?: string
}

/** The world around one invocation; `process` in the program, strings in tests. */
export interface Invocation {
  version: string
  entries: CommandEntry[]
  /** Summary of every word or words with verbs below them, by path. */
  topics: Record<string, string>
  services: Services
  env: NodeJS.ProcessEnv
  cwd: string
  stdout: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
  stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number }
  stdin: NodeJS.ReadableStream & { isTTY?: boolean }
  /** Where SIGINT and SIGTERM are heard. */
  signals: NodeJS.EventEmitter
}
