/**
 * A command is data: one file in src/commands/<topic>/<verb>.ts exports one `defineCommand({...})`, one line in
 * src/commands/index.ts lists it. The adapter (adapter.ts) turns it into commander commands, adds the shared options
 * by `effect`, and prints what `read` returns or executes what `plan` returns.
 */

import type { Repository } from '../config/load.ts'
import type { GateReader } from '../engine/ports.ts'
import type { StoredRun } from '../engine/runs.ts'
import type { Exec } from '../exec/types.ts'
import type { Peer } from '../tools/monitoring.ts'
import type { Cluster, Json, KubePort, Plan, Result, TalosPort, Target } from '../types.ts'
import type { Colours } from '../ui/colours.ts'
import type { Screen } from '../ui/screen.ts'
import type { View } from '../ui/view.ts'
import type { Questions } from './ask.ts'

export interface OptionSpec {
  /** commander's flags, `--until <step>`. */
  flags: string
  description: string
  default?: string | boolean | string[]
  choices?: string[]
  /** Names for shell completion; called with the resolved repository when there is one. */
  complete?: (repository: Repository) => string[]
}

/** Of one option: what the command line, the environment or the default says. */
export type OptionValue = string | boolean | string[] | undefined

/** An option's value when it is text; an empty one (`K8SOPS_REPO=`) is none. */
export const textOption = (value: OptionValue): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined

/** What a command is given. Everything lazy: asking for it loads it. */
export interface CommandContext {
  args: Record<string, string>
  /** Variadic arguments by name. */
  rest: Record<string, string[]>
  /** Option values by camelCase name, environment (K8SOPS_*) already applied. */
  options: Record<string, OptionValue>
  env: NodeJS.ProcessEnv
  cwd: string
  signal: AbortSignal
  /** Milliseconds since 1970. */
  now: () => number
  /** Data for stdout; commands that return their data never need it. */
  out: (text: string) => void
  /** Progress and notes for stderr. */
  note: (text: string) => void
  /** k8sops.yaml found from --repo or upwards from cwd. Throws ConfigError with every problem. */
  repository: () => Promise<Repository>
  /** The one cluster of --cluster / K8SOPS_CLUSTER / current context / defaultCluster. */
  cluster: () => Promise<Cluster>
  target: () => Promise<Target>
  kube: () => Promise<KubePort>
  talos: () => Promise<TalosPort>
  /** The gates of the resolved cluster, for what a plan observes. */
  gates: () => Promise<GateReader>
  /** Runs tools in the target's root with the target's environment; outside a plan only for reads and local files. */
  exec: () => Promise<Exec>
  /** Asks on the terminal; undefined where nobody answers: without a terminal, and in CI. */
  ask?: Questions['ask'] | undefined
  /** Shows progress on stderr as a run's is shown; whoever opens it closes it. */
  view: () => Promise<View>
  /** A terminal's screen for what stays and changes, if stdout is one. Whoever opens it closes it. */
  live: () => Promise<Live>
  /** The name of the one cluster, which is not opened: its target may be away. */
  clusterName: () => Promise<string>
  /** Another cluster of the repository, to look at. Throws as the target's resolution does. */
  another: (name: string) => Promise<{
    cluster: Cluster
    target: Target
    kube: () => Promise<KubePort>
    talos: () => Promise<TalosPort>
    /** @param through reads that the gates share with whoever asks, in place of the cluster's own */
    gates: (through?: { kube: KubePort; talos: TalosPort }) => Promise<GateReader>
    exec: () => Promise<Exec>
  }>
  /** That cluster, then the others of the repository: where a service of all of them may run. */
  peers: (first: string) => Promise<Peer[]>
  /** See Services; the kubeconfig is the environment's. */
  postRaw: (kubeContext: string, path: string, body: string) => Promise<Result<string>>
  /** The targets of all clusters that there are (with --lab: that are up). */
  targets: () => Promise<Target[]>
}

export interface Live {
  screen: Screen | undefined
  colours: Colours
  /** -o json: an object a line. */
  json: boolean
}

export interface Column {
  title: string
  value: (row: { [key: string]: Json }) => string
  /** Shown only with -o wide. */
  wide?: boolean
}

/** The cell of a column that shows one field as it is. */
export const cell =
  (field: string) =>
  (row: { [key: string]: Json }): string =>
    String(row[field] ?? '')

export interface Data {
  /** e.g. `DoctorReport`; printed as `kind` in JSON, with apiVersion k8sops.dev/v1. */
  kind: string
  items?: { [key: string]: Json }[]
  columns?: Column[]
  /** The text for humans when it is no table. */
  text?: string
  /** Everything was printed while it came, and nothing is left to print. */
  streamed?: true
  /** Fields beside `items` in JSON. */
  fields?: { [key: string]: Json }
  /** 0 unless something was found (3) or is broken (1). */
  exitCode?: number
}

/** A Tab has to be answered in milliseconds: reading directories below `root` is cheap, loading the repository is not. */
export interface CompletionSource {
  /** Root of the repository that the shell stands in, if it does. */
  root: string | undefined
  repository: () => Promise<Repository | undefined>
}

interface Common {
  /** Words as typed, `flux suspend`. */
  path: string
  summary: string
  /** More about it, for --help. */
  description?: string
  /** `{ app: 'name of the app' }`; a name ending in `...` is variadic, one ending in `?` optional. */
  args?: Record<string, string>
  /** Names for the shell completion of an argument, by the argument's name. */
  completeArgs?: Record<string, (source: CompletionSource) => string[] | Promise<string[]>>
  options?: OptionSpec[]
  /** Everything after the first argument belongs to the arguments, even `-x` (`lab exec kubectl get pods -A`). */
  passThrough?: true
  examples: string[]
  runbook?: string
}

/** Prints data; changes nothing anywhere. Gets -o, --cluster where `scope` is cluster. */
export interface ReadCommand extends Common {
  effect: 'read'
  scope: 'none' | 'repository' | 'cluster'
  read: (context: CommandContext) => Promise<Data>
}

/** Changes a cluster: gets --cluster --lab --dry-run --plan-out --yes --timeout -o, and goes through the engine. */
export interface WriteCommand extends Common {
  effect: 'write'
  /** Observes (reads only) and returns the plan; everything it could not observe stands as `unknown` in basis.observed. */
  plan: (context: CommandContext) => Promise<Plan>
  /** An answer in place of a plan, when the options ask for one (`--forecast`): it changes nothing, and no run begins. */
  instead?: (context: CommandContext) => Promise<Data | undefined>
  /** It says what is wrong with the repository itself, together with what else is: `repository()` does not throw for it. */
  saysProblems?: true
  /** The question for destructive verbs, asked unless --yes. */
  confirm?: (plan: Plan) => string | undefined
  /** For what can't be undone: the name that has to be typed under the question, or given with --confirm. --yes is not enough. */
  confirmName?: (plan: Plan) => string | undefined
}

/** Changes files or processes of this machine only (lab up, completion). No plan, no lock. */
export interface LocalCommand extends Common {
  effect: 'local'
  scope: 'none' | 'repository' | 'cluster'
  run: (context: CommandContext) => Promise<Data | undefined>
}

/** Runs a plan that was made before: a stored run that goes on, or a plan file. Gets the options of a write. */
export interface RunCommand extends Common {
  effect: 'run'
  source: (context: CommandContext) => Promise<RunSource>
}

export type RunSource = { plan: Plan } | { stored: StoredRun }

export type CommandSpec = ReadCommand | WriteCommand | LocalCommand | RunCommand

export const defineCommand = <T extends CommandSpec>(command: T): T => command
