/** Gates are data: what to look at and what must be true of it. The vocabulary is closed; a probe is the last resort. */
import type { ObjectRef } from '../types.ts'

/**
 * One sentence about one object. Paths are dotted; a segment in brackets is taken as it stands (`metadata.labels[a.b/c]`).
 * Values are compared as text.
 */
export type Condition =
  /** `status.conditions` has this type with this status; `for` the current generation if the condition says which. */
  | { condition: string; is: 'True' | 'False' }
  /** The controller has seen the current spec: `status.observedGeneration` is `metadata.generation`. */
  | { observed: true }
  | { path: string; in: string[] }
  /** Also holds when there is nothing at the path. */
  | { path: string; notIn: string[] }
  /** The number at `path` is at least the one at `atLeastPath` (missing counts as 0), and that one at least 1. */
  | { path: string; atLeastPath: string }
  /** The object at `path` has every one of these keys, none of them empty; `$keys` is a comma list. */
  | { path: string; has: string }

export interface Expectation {
  /** Zero objects never pass unless somebody wrote a 0 here. */
  atLeast: number
  /** `$names`: a comma list of `name` or `namespace/name` that must all be there; only these are looked at. */
  named?: string
  /** `$names`: these must be among the objects, and all objects are looked at. */
  including?: string
  /** Only objects with one of `values` (a comma list) at `path` are looked at, and there must be one for each value. */
  covering?: { path: string; values: string }
  every: Condition[]
}

export type ProbeName =
  | 'api-ready'
  | 'cluster-identity'
  | 'config-sound'
  | 'context-not-foreign'
  | 'etcd-absent'
  | 'etcd-bootstrapped'
  | 'etcd-quorum'
  | 'kubeconfig-merged'
  | 'machine-configured'
  | 'no-confirm-left'
  | 'node-state'
  | 'op-signed-in'
  | 'release-in-place'
  | 'releases-settled'
  | 'talos-config-current'
  | 'talos-config-valid'
  | 'talsecret-absent'
  | 'talsecret-decrypts'
  | 'tools-present'

export type Look =
  /** Kubernetes objects: watched. */
  | { object: ObjectRef; expect: Expectation }
  /** A resource of the Talos API on each of `nodes` (a comma list of addresses): asked every `everySec`. */
  | { talos: { nodes: string; type: string; id?: string }; expect: Expectation }
  /** What no object tells: asked every `everySec`. */
  | { probe: ProbeName }

export type Gate = Look & {
  /** What holds when it passes, with `$slots`. */
  title: string
  /** Parameters that a check must give. */
  params: string[]
  /** It must hold this long without a break (scaled by the target's clock). */
  stableSec?: number
  /** What an operator can do when it does not hold, with `$slots`; a probe that knows better says so itself. */
  next?: string
  /** Between two looks, for what can't be watched. */
  everySec?: number
  runbook: string
}
