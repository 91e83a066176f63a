/** An etcd snapshot, kept outside the repository with its digest: a command of its own, and the first step of what may harm etcd. */
import { join } from 'node:path'
import { ConfigError } from '../errors.ts'
import { keepSnapshotArgs } from '../tools/filters.args.ts'
import { etcdSnapshotArgs } from '../tools/talosctl.args.ts'
import type { Basis, Cluster, ClusterNode, Plan, Step, Target } from '../types.ts'
import { check } from './bootstrap-input.ts'

export interface EtcdSnapshotInput {
  cluster: Cluster
  target: Pick<Target, 'talosconfig'>
  /** The control plane that is asked; its own database is copied, so it needs no quorum. */
  node: ClusterNode
  /** Absolute path that the snapshot is kept under. */
  file: string
  /** How many of this cluster's snapshots stay in that directory. */
  keep: number
  /** A snapshot under that path is done when it is not older than this. */
  maxAgeSec: number
}

export const etcdRunbook = 'docs/runbooks/talos.md'
/** Where talosctl writes to: in the state directory, which is there while a run is. */
const draft = '.k8sops/etcd-snapshot.db'
export const defaultKeep = 10

/** `<snapshotDir>/apps-20261124T115500Z.db`: names in order of time. */
export function snapshotFile(directory: string, cluster: string, at: Date): string {
  return join(directory, `${cluster}-${at.toISOString().replace(/[-:]|\.\d+/g, '')}.db`)
}

/** Step `etcd/snapshot`. A run that goes on later takes a new one under the same name when the old one has got too old. */
export function etcdSnapshotStep(input: EtcdSnapshotInput): Step {
  const { target, node, file, keep, maxAgeSec } = input
  const fresh = [check('etcd-snapshot-fresh', { path: file, maxAgeSec: String(maxAgeSec) })]
  return {
    id: 'etcd/snapshot',
    title: `Keep a snapshot of etcd, taken from ${node.hostname}`,
    unless: fresh,
    require: [check('node-state', { nodes: node.address, in: 'ours' })],
    action: {
      kind: 'exec',
      pipeline: [etcdSnapshotArgs(target.talosconfig, node.address, draft), keepSnapshotArgs(draft, file, keep)],
      retry: { while: ['code = Unavailable', 'connection refused'], everySec: 2 },
    },
    verify: fresh,
    interrupt: 'now',
    timeoutSec: 300,
    runbook: etcdRunbook,
  }
}

/** `k8sops talos etcd snapshot`. It has a lock of its own, so that a running upgrade doesn't keep anybody from a backup. */
export function planEtcdSnapshot(input: EtcdSnapshotInput, basis: Basis): Plan {
  const { cluster, node, file, keep } = input
  return {
    apiVersion: 'k8sops.dev/v1',
    kind: 'Plan',
    operation: 'talos.etcd.snapshot',
    cluster: cluster.name,
    params: { node: node.hostname, file, keep },
    basis,
    scope: 'etcd/snapshot',
    steps: [etcdSnapshotStep(input)],
  }
}

/**
 * The control plane to take it from: the first whose own etcd answers, else the first of talconfig.yaml.
 * @param answering addresses of the control planes that answered just now
 */
export function snapshotNode(cluster: Cluster, answering: string[]): ClusterNode {
  const controlPlanes = cluster.nodes.filter(({ controlPlane }) => controlPlane)
  const [first] = controlPlanes
  if (!first) throw new ConfigError('talconfig.yaml has no control plane')
  return controlPlanes.find(({ address }) => answering.includes(address)) ?? first
}
