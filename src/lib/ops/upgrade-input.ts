/** What the plan of a Talos upgrade is made from. */
import type { NodeTarget } from '../gates/lifecycle-sets.ts'
import type { MaintenanceWindow } from '../gates/maintenance-window.ts'
import type { RebootMode } from '../tools/talosctl.args.ts'
import type { Cluster, ClusterNode, Silence, Target } from '../types.ts'

export type UpgradeOrder = 'workers-first' | 'control-planes-first'

export interface UpgradeParams {
  /** `--to`: instead of talconfig.yaml's talosVersion. */
  to?: string
  /** `--node`: hostnames; without it the whole cluster. */
  nodes?: string[]
  /** `--now --reason`: why neither soak nor window is waited for. */
  now?: string
  order: UpgradeOrder
  /** How many workers may be out at a time, once the first one has shown that it works. */
  maxUnavailable: number
  stage: boolean
  rebootMode: RebootMode
  /** A lower version is meant. */
  downgrade: boolean
  drainTimeoutSec: number
  /** How long talosctl follows one machine. */
  upgradeTimeoutSec: number
  settleTimeoutSec: number
}

/** What a machine runs, as it was seen when the plan was made. */
export interface RunningSystem {
  /** `v1.12.11` */
  version: string
  /** Empty for an image that is not of the image factory. */
  schematic: string
  bootId: string
}

export interface UpgradeNode {
  node: ClusterNode
  target: NodeTarget
  /** `unknown`: the machine could not be asked. Then nothing is left out, and no gate passes on it. */
  runs: RunningSystem | 'unknown'
}

export interface UpgradeInput {
  cluster: Cluster
  target: Pick<Target, 'context' | 'talosconfig'>
  /** In the order of talconfig.yaml; those of `--node` when it was given. */
  nodes: UpgradeNode[]
  /** Hostname of the control plane that leads etcd. */
  leader?: string
  /** 1Password reference of the age key, for the machine configs. */
  ageKey: string
  /** Marks the nodes that this plan takes out: `talos.upgrade/<unique>`. */
  operation: string
  /** Absolute path that etcd's snapshot is kept under. */
  snapshotFile: string
  /** Of k8sops.yaml; left out with `--now`. */
  window?: MaintenanceWindow
  /** Alerts that are not to wake anybody meanwhile. */
  silence?: Silence
  params: UpgradeParams
}

export const defaultUpgradeParams: UpgradeParams = {
  order: 'workers-first',
  maxUnavailable: 1,
  stage: false,
  rebootMode: 'default',
  downgrade: false,
  drainTimeoutSec: 600,
  upgradeTimeoutSec: 1200,
  settleTimeoutSec: 1800,
}

/** It needs no upgrade: the image is the target's, as far as that can be seen. */
export function isAtTarget({ runs, target }: UpgradeNode): boolean {
  return runs !== 'unknown' && runs.version === target.version && runs.schematic === target.schematic
}
