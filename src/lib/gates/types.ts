/** Gates are data: what to look at and what must be true of it. The vocabulary is closed; a probe is the last resort. */
import type { ObjectRef, TalosResourceType } from '../types.ts'

/**
 * One sentence about one object. Paths are dotted; a segment in brackets is taken as it stands (`metadata.labels[a.b/c]`).
 * Values are compared as text. Where a list of texts is wanted, each may be a comma list, which is how `$slots` bring several.
 */
export type Condition =
  /** `status.conditions` has this type with this status; `for` the current generation if the condition says which. */
  | { condition: string; is: 'True' | 'False' }
  /** The controller has seen the current spec: `status.observedGeneration` is `metadata.generation`. */
  | { observed: true }
  | { path: string; in: string[]; tolerating?: Tolerance }
  /** Also holds when there is nothing at the path. */
  | { path: string; notIn: string[] }
  /** The number at `path` is at least the one at `atLeastPath` (missing counts as 0), and that one at least 1. */
  | { path: string; atLeastPath: string }
  /** The number at `path` is at least this; a missing one is not. */
  | { path: string; atLeast: number }
  /** Something stands at `path`, and the same at `equalsPath`. */
  | { path: string; equalsPath: string }
  /** The time at `path` is at most this many seconds ago. A time from the future by more than that is no better. */
  | { path: string; youngerThanSec: number }
  /** The time at `path` is this one or a later one (RFC 3339). */
  | { path: string; notBefore: string }
  /** The time at `path` is yet to come, or at most this many seconds ago: what is due then has not been forgotten. */
  | { path: string; dueForSec: number }
  /** Nothing stands at the path, or an empty list or map. */
  | { path: string; empty: true }
  /** The object at `path` has every one of these keys, none of them empty; `$keys` is a comma list. */
  | { path: string; has: string }

/**
 * A worse value that will do as long as every reason for it is among the named ones (a comma list): `HEALTH_WARN` with
 * `OSDMAP_FLAGS` while an operation has set `noout`. Without a reason it won't do.
 */
export interface Tolerance {
  value: string
  /** Where the reasons stand, as the keys of a map. */
  reasons: string
  named: string
}

export interface Expectation {
  /**
   * Zero objects never pass unless somebody wrote a 0 here, in the catalogue or (`$expect`) in k8sops.yaml; then the kind
   * need not be served either.
   */
  atLeast: number | string
  /** For gates about what must be gone. */
  atMost?: 0
  /** Only objects that meet these are looked at and counted. */
  where?: Condition[]
  /** `$names`: a comma list of `name` or `namespace/name` that must all be there; only these are looked at. */
  named?: string
  /** `$names`: these must be among the objects, and all objects are looked at. */
  including?: string
  /** Only objects with one of `values` (a comma list) at `path` are looked at, and there must be one for each value. */
  covering?: { path: string; values: string }
  every: Condition[]
}

export type ProbeName =
  | 'alerts-quiet'
  | 'alerts-silenced'
  | 'api-ready'
  | 'attested'
  | 'branch-advances'
  | 'branch-at'
  | 'ceph-disk-clear'
  | 'ceph-job-done'
  | 'ceph-node-unasked'
  | 'ceph-osd-expendable'
  | 'check-on-commit'
  | 'claim-unused'
  | 'client-certificates-valid'
  | 'cluster-identity'
  | 'cnpg-applied-by-flux'
  | 'cnpg-backed-up'
  | 'cnpg-predecessor-gone'
  | 'cnpg-primaries-elsewhere'
  | 'cnpg-recovered'
  | 'commit-live'
  | 'config-sound'
  | 'connectivity-not-failed'
  | 'connectivity-recorded'
  | 'context-not-foreign'
  | 'disks-unused'
  | 'drill-answered'
  | 'drill-proven'
  | 'drill-recorded'
  | 'drill-restored'
  | 'etcd-absent'
  | 'etcd-bootstrapped'
  | 'etcd-healthy'
  | 'etcd-leader-elsewhere'
  | 'etcd-member-absent'
  | 'etcd-quorum'
  | 'etcd-snapshot-fresh'
  | 'etcd-snapshot-whole'
  | 'installer-image'
  | 'item-field-changed'
  | 'inventory-matches'
  | 'kubeconfig-merged'
  | 'kubernetes-path'
  | 'machine-configs-applied'
  | 'machine-configured'
  | 'machine-left'
  | 'machine-rebooted'
  | 'machines-not-foreign'
  | 'no-confirm-left'
  | 'node-state'
  | 'node-upgraded'
  | 'not-rolled-back'
  | 'op-signed-in'
  | 'pdbs-allow'
  | 'probes-answered'
  | 'release-in-place'
  | 'releases-settled'
  | 'rollout-unwritten'
  | 'secret-changed'
  | 'secret-in-pods'
  | 'silence-ended'
  | 'talconfig-lacks'
  | 'talos-config-current'
  | 'talos-config-valid'
  | 'talsecret-absent'
  | 'talsecret-decrypts'
  | 'tools-present'
  | 'version-path'
  | 'volsync-synced'
  | 'within-window'

/** Kubernetes objects: watched. */
export type ObjectLook = { object: ObjectRef; expect: Expectation }
/** A resource of the Talos API on each of `nodes` (a comma list of addresses): asked every `everySec`. */
export type TalosLook = { talos: { nodes: string; type: TalosResourceType; id?: string }; expect: Expectation }

export type Look =
  | ObjectLook
  | TalosLook
  /** Several of them, and all must hold. */
  | { all: (ObjectLook | TalosLook)[] }
  /** What no object tells: asked every `everySec`. */
  | { probe: ProbeName }

export type Gate = Look & {
  /** What holds when it passes, with `$slots`. */
  title: string
  /** Parameters that a check must give. */
  params: string[]
  /** Those that may be an empty text; with any other one a slot would stand for nothing, and the gate would look past it. */
  mayBeEmpty?: string[]
  /** It must hold this long without a break (scaled by the target's clock). */
  stableSec?: number
  /** What an operator can do when it does not hold, with `$slots`; a probe that knows better says so itself. */
  next?: string
  /** Between two looks, for what can't be watched; for watched objects, when time alone changes what is true of them. */
  everySec?: number
  /** Waiting can't change that it doesn't hold: what was asked for is wrong (exit code 2). */
  final?: 'configuration'
  runbook: string
}
