/** The nouns of k8sops. Types only: everything may import this file, and it brings nothing along. */
export type { Condition, KubeObject, KubePort, ManagedFields, ObjectRef, RawOptions } from './types.kube.ts'
export type { Alert, AlertSilence } from './types.monitoring.ts'
export type { RolloutPolicy, SoakLabel } from './types.rollout.ts'
export type { RunEvent, RunResult, StepResult } from './types.runs.ts'
export type { EtcdMember, EtcdStatus, NodeState, TalosPort, TalosResource, TalosResourceType } from './types.talos.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** Binaries that a plan may call. `k8sops` is this program itself, used as a filter in a pipeline. */
export type ToolName =
  | 'age'
  | 'cilium'
  | 'flate'
  | 'flux'
  | 'git'
  | 'helm'
  | 'helmfile'
  | 'k8sops'
  | 'kubectl'
  | 'kustomize'
  | 'op'
  | 'sops'
  | 'talhelper'
  | 'talosctl'

/** One process: the tool and its argv. Paths in `args` are relative to the target's root, so the line can be pasted there. */
export interface Command {
  tool: ToolName
  args: string[]
  /** Extra environment by name. Values must not be secret; secrets come from `secretEnv`. */
  env?: Record<string, string>
  /** Environment variables filled from 1Password at the moment of the call, name -> `op://` reference. Never printed, never journalled. */
  secretEnv?: Record<string, string>
}

/** A gate with its parameters filled in. `params` replace `$name` slots in the gate's definition. */
export interface Check {
  gate: string
  params?: Record<string, string>
  /** It must hold this long without a break, whatever the gate itself asks for (scaled by the target's clock). */
  stableSec?: number
}

export type Action =
  /** Processes connected by pipes, as a shell would with `set -o pipefail`. */
  | {
      kind: 'exec'
      pipeline: Command[]
      retry?: {
        /** Try again until the step's timeout while output matches one of these (source text, case-insensitive). */ while: string[]
        everySec: number
      }
      /** Ended when it has printed nothing for so long, and started again; it must go on where it stopped. */
      stall?: { afterSec: number /** Starts in all. */; attempts: number }
      /** A failure whose output matches one of these says that the work is done already: `verify` decides. */
      accept?: string[]
    }
  /** Nothing to do but to wait until the step's `verify` holds. */
  | { kind: 'wait' }

export interface Step {
  /** Stable across re-plans: `<subject>/<verb>` or `<verb>`, e.g. `apps-cp1/apply-config`. */
  id: string
  title: string
  action: Action
  /**
   * Already true (all of them): skip. Probed first, and again once `require` holds, just before the action: what was waited
   * for (a machine that was upgrading already) may have made it true.
   */
  unless?: Check[]
  /** Another way to be done already (all of these): skip as well. */
  orUnless?: Check[]
  /** Id of an earlier step. Skipped together with it when its `unless` held a moment ago: that isn't looked at once more. */
  skipWith?: string
  /**
   * Must become true before the action when an earlier process of this run started it and did not live to say how it ended
   * (an upgrade that may have been rolled back). It is told once: a run that is resumed after that failure tries again.
   */
  onceBegun?: Check[]
  /** Must become true before the action, all of it at one time (polled until the timeout); all failures are reported together. */
  require?: Check[]
  /** Must become true after the action. Exit code 0 is never enough. */
  verify: Check[]
  /** Ctrl-C while it runs: `now` ends the child, `after` lets the step finish first. */
  interrupt: 'now' | 'after'
  /** What it waits for is what the run is to find out: that it does not come about is an answer (exit 3), and no stop half way. */
  finding?: true
  /** Done even when a step before it failed or the run was interrupted, once anything was changed: what takes away what the others made. */
  always?: true
  timeoutSec: number
  /** Neighbouring steps with the same group run side by side. */
  group?: string
  runbook?: string
}

/** What a plan was made from; `run exec FILE` refuses (exit 3) when it moved. */
export interface Basis {
  commit: string
  /** sha256 over the files the plan uses and the pinned tool versions. */
  digest: string
  /** What `digest` is over, so that it can be computed again: paths relative to the root (default: all of the cluster's). */
  paths?: string[]
  /** Pinned versions by tool name, as they went into `digest`. */
  tools?: Record<string, string>
  /** What was observed, by name; what could not be observed stands as the string `unknown`. */
  observed: { [name: string]: Json }
}

/** Alerts that nobody is woken by. */
export interface Silence {
  /** All of them must fit an alert: `cluster="apps"`, `severity=~"warning|info"`. */
  matchers: string[]
}

export interface Plan {
  apiVersion: 'k8sops.dev/v1'
  kind: 'Plan'
  /** e.g. `bootstrap`. */
  operation: string
  cluster: string
  params: { [name: string]: Json }
  basis: Basis
  /** `cluster`, or `app/<name>` or `namespace/<name>` for small operations. */
  scope: string
  /** How long the whole may take by the requirements (NFR2); the report holds the run against it, nothing enforces it. */
  targetSec?: number
  /** The API server goes away with what is done, and with it the Lease: it keeps others out at the beginning, the lock file to the end. */
  endsApi?: true
  /** From its first change on, while it lives; where the target has an Alertmanager. */
  silence?: Silence
  steps: Step[]
}

export type Verdict =
  | {
      status: 'pass'
      detail: string
      /** When what it is about last changed, as the objects themselves say (RFC 3339). */
      since?: string
    }
  | {
      status: 'fail' | 'unknown'
      detail: string /** What is still waited for, one line each (`Kustomization flux-system/apps: dependency not ready`). */
      waitingFor?: string[]
      since?: string
      next?: string
      /** Decides the exit code of a run that ends on this verdict before its first change: 2 or 4; without it 3. */
      cause?: 'configuration' | 'unreachable'
      /** Nothing is known to be amiss: controllers are at work on it, and will have said in a moment how it is. */
      settling?: true
      /** Waiting can't change it (a wrong file, a foreign PKI): a wait ends at once. */
      final?: true
      /** With cause `configuration`: every problem, with file and line. */
      problems?: Problem[]
    }

export type Result<T> =
  | { ok: true; value: T }
  | { ok: false; why: 'unreachable' | 'denied' | 'not-found' | 'bad-output' | 'failed'; detail: string }

/** A machine of a cluster as talconfig.yaml names it. */
export interface ClusterNode {
  hostname: string
  /** The address that is dialled (loopback in the lab's copy of the repository). */
  address: string
  controlPlane: boolean
}

/**
 * What belongs to a cluster, so that its absence is noticed (`clusters.<name>.gates` in k8sops.yaml): a gate over zero
 * objects passes only where a 0 stands here.
 */
export interface ClusterGates {
  ceph: {
    /** How many CephClusters there are, at least. */
    clusters: number
    /** Ceph health checks that are no reason to stop, e.g. `OSDMAP_FLAGS`. */
    tolerate: string[]
  }
  /** How many CloudNativePG Clusters there are, at least. */
  cnpg: { clusters: number }
  /** How many VolSync ReplicationSources there are, at least. */
  volsync: { sources: number }
  /** Node services without which no node works, `namespace/name`. */
  daemonsets: string[]
  /** Services without which no pod works, `namespace/name`. */
  deployments: string[]
}

/** A cluster's facts, read from `talos/<name>/talconfig.yaml` and `kubernetes/clusters/<name>/cluster-settings.yaml`. */
export interface Cluster {
  name: string
  nodes: ClusterNode[]
  vip: string
  /** `https://<vip>:6443` */
  endpoint: string
  talosVersion: string
  kubernetesVersion: string
  settings: Record<string, string>
  /** kube context name. */
  context: string
  /** Git ref that the cluster follows: `main` or `release`. */
  follows: string
  gates: ClusterGates
  /** Where its alerts go, and which of them are silenced while it is worked on. */
  alertmanager?: Silence & { url: string }
  /** `# CONFIRM:` marks that are left in the cluster's files. */
  confirm: Problem[]
}

/** One thing wrong (or to be confirmed) in a file. */
export interface Problem {
  file: string
  line: number
  message: string
}

/**
 * Where a cluster's commands go. Everything that differs between the real cluster and the lab stands here and nowhere
 * else; only src/lib/config/target.ts and src/lib/lab know which it is.
 */
export interface Target {
  cluster: string
  /** Repository root that files are taken from and commands run in (with --lab the lab's materialised copy). */
  root: string
  kubeconfig: string
  context: string
  /** Path of talosconfig, relative to root. */
  talosconfig: string
  /** Added to the environment of every child (PATH, proxy, cache directories). */
  env: Record<string, string>
  /** `<root>/.k8sops`: runs and lock files. */
  stateDir: string
  /** Absolute path of the directory for this cluster's etcd snapshots: outside the repository, for this machine's operator only. */
  snapshotDir: string
  /** URL of the Alertmanager whose alerts may be silenced. */
  alertmanager?: string
  /** 1 for real clusters; the lab shortens stable-for windows by this factor. */
  timeScale: number
}
