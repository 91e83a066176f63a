/**
 * `k8sops talos etcd restore`: the cluster goes back to a snapshot, and everything that Kubernetes was told since is lost. All
 * control planes lose their etcd at the same time, because one that came back while another still has data would join that
 * one again; then the first of talconfig.yaml starts a new etcd from the snapshot. Facts: reference talos.md 1.3 and 3.
 */

import { ConfigError } from '../errors.ts'
import { etcdHealthy } from '../gates/lifecycle-sets.ts'
import { recoverEtcdArgs } from '../tools/talosctl-etcd.args.ts'
import { resetArgs } from '../tools/talosctl-node.args.ts'
import type { Basis, Check, Cluster, ClusterNode, Plan, Step, Target } from '../types.ts'
import { check } from './bootstrap-input.ts'
import { tooEarly } from './bootstrap-machines.ts'
import { machineRunbook, planOf } from './machine-plan.ts'

export interface RestoreInput {
  cluster: Cluster
  target: Pick<Target, 'talosconfig'>
  /** Absolute path. */
  snapshot: { path: string; sha256: string; takenAt: Date }
  /** Every control plane with its boot id and its id in etcd as they were seen when the plan was made. */
  controlPlanes: { node: ClusterNode; bootId: string; member: string }[]
  /** Of the state that goes, when there still is one to be kept. */
  before?: Step
  nodeTimeoutSec: number
}

export function planRestore(input: RestoreInput, basis: Basis): Plan {
  const { cluster, snapshot, controlPlanes, before, nodeTimeoutSec } = input
  const [first] = controlPlanes
  if (!first) throw new ConfigError('talconfig.yaml has no control plane')
  const takenAt = snapshot.takenAt.toISOString()
  const params = {
    from: snapshot.path,
    takenAt,
    lost: `everything that was written to Kubernetes after ${takenAt}`,
    nodeTimeoutSec,
  }
  const steps = [
    preflight(input),
    ...(before ? [before] : []),
    ...controlPlanes.map((one) => wipeStep(input, one)),
    recover(input, first),
    ...afterwards(input),
  ]
  // The API server goes away with etcd, and the lock that it keeps with it.
  return { ...planOf({ operation: 'talos.etcd.restore', cluster: cluster.name, params }, basis, steps), endsApi: true }
}

const addresses = ({ controlPlanes }: RestoreInput) => controlPlanes.map(({ node }) => node.address).join(',')
const snapshotWhole = ({ snapshot: { path, sha256 } }: RestoreInput) => check('etcd-snapshot-whole', { path, sha256 })

/** A control plane that does not answer can't be wiped, and would come back with the etcd of before. */
function preflight(input: RestoreInput): Step {
  return {
    id: 'preflight',
    title: 'Check the snapshot, and that every control plane can be wiped',
    action: { kind: 'wait' },
    require: [snapshotWhole(input), check('node-state', { nodes: addresses(input), in: 'ours' })],
    verify: [],
    interrupt: 'now',
    timeoutSec: 60,
    runbook: machineRunbook,
  }
}

/**
 * The first control plane's etcd is the new one: it knows nobody by the id that another member had before. Its own id tells
 * nothing, since etcd makes it of name and address alone; those that join get theirs of the time as well.
 */
function isNew({ controlPlanes: [first, second] }: RestoreInput): Check {
  return check('etcd-member-absent', { nodes: first?.node.address ?? '', member: second?.member ?? 'none' })
}

/** Neither drained nor asked to leave etcd: there may be no majority to leave. */
function wipeStep(input: RestoreInput, { node, bootId }: RestoreInput['controlPlanes'][0]): Step {
  const { target, nodeTimeoutSec } = input
  const { address, hostname } = node
  const options = { graceful: false, wipe: ['EPHEMERAL'], timeoutSec: nodeTimeoutSec }
  const rebooted = check('machine-rebooted', { node: address, bootId })
  // Restarted by somebody else it would have its data still; booted anew and without etcd it has been wiped.
  const empty = [rebooted, check('etcd-absent', { nodes: address })]
  return {
    id: `${hostname}/wipe-etcd`,
    title: `Wipe etcd on ${hostname}`,
    unless: empty,
    // Recovered already: nothing of it must be wiped again.
    orUnless: [rebooted, isNew(input)],
    action: { kind: 'exec', pipeline: [resetArgs(target.talosconfig, address, options)] },
    verify: empty,
    interrupt: 'after',
    timeoutSec: nodeTimeoutSec + 60,
    group: 'wipe-etcd',
    runbook: machineRunbook,
  }
}

function recover(input: RestoreInput, { node: first, bootId }: RestoreInput['controlPlanes'][0]): Step {
  const { target, snapshot, nodeTimeoutSec } = input
  const recovered = [check('machine-rebooted', { node: first.address, bootId }), isNew(input)]
  return {
    id: 'etcd/recover',
    title: `Start etcd on ${first.hostname} from the snapshot`,
    unless: recovered,
    require: [
      snapshotWhole(input),
      check('etcd-absent', { nodes: addresses(input) }),
      check('time-synced', { node: first.address }),
    ],
    action: {
      kind: 'exec',
      pipeline: [recoverEtcdArgs(target.talosconfig, first.address, snapshot.path)],
      retry: { while: tooEarly, everySec: 2 },
      accept: ['code = AlreadyExists'],
    },
    verify: recovered,
    interrupt: 'after',
    timeoutSec: nodeTimeoutSec,
    runbook: machineRunbook,
  }
}

function afterwards({ cluster, controlPlanes, nodeTimeoutSec }: RestoreInput): Step[] {
  const port = new URL(cluster.endpoint).port || '443'
  const servers = [...controlPlanes.map(({ node }) => `https://${node.address}:${port}`), cluster.endpoint].join(',')
  const names = cluster.nodes.map(({ hostname }) => hostname).join(',')
  const wait = (id: string, title: string, verify: Step['verify']): Step => ({
    id,
    title,
    action: { kind: 'wait' },
    verify,
    interrupt: 'now',
    timeoutSec: nodeTimeoutSec,
    runbook: machineRunbook,
  })
  return [
    wait('etcd/quorum', 'Wait until all control planes are healthy members of one etcd', [etcdHealthy(cluster)]),
    wait('api/ready', 'Wait until the API server is ready everywhere', [check('api-ready', { servers })]),
    wait('nodes/ready', `Wait until all ${cluster.nodes.length} nodes are Ready`, [
      check('machines-ready', { nodes: cluster.nodes.map(({ address }) => address).join(',') }),
      check('nodes-ready', { names }),
    ]),
  ]
}
