/**
 * `k8sops node remove`: a node leaves for good. What would lose data with it is looked at first; then it goes out of service,
 * leaves etcd, is wiped, and Kubernetes forgets it. Facts: reference talos.md 3; a graceful reset only logs that leaving etcd
 * failed, so membership is read back, and what is left of it is taken out from another control plane.
 *
 * Every step knows the machine, the Node and the member that were meant: one that joined again under the same name is let be.
 */

import { GateError } from '../errors.ts'
import { etcdHealthy, storesHealthy } from '../gates/lifecycle-sets.ts'
import { layout } from '../repo/layout.ts'
import { editTalconfigArgs } from '../tools/filters.args.ts'
import { deleteNodeArgs } from '../tools/kubectl-node.args.ts'
import { removeEtcdMemberArgs } from '../tools/talosctl-etcd.args.ts'
import { resetArgs } from '../tools/talosctl-node.args.ts'
import type { Basis, Check, Cluster, ClusterNode, Plan, Step } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import { machineRunbook, planOf } from './machine-plan.ts'
import { type MaintenanceInput, takeOutSteps } from './node-maintenance.ts'

export interface RemoveInput extends MaintenanceInput {
  node: ClusterNode
  /** As they were seen when the plan was made; `unknown` passes no gate. */
  bootId: string
  uid: string
  /** Of a control plane: its id in etcd, 16 hex digits. */
  etcdMember?: string
  /** It is dead and does not come back: nothing is asked of the machine itself. */
  gone: boolean
  /** User volumes that are wiped as well, by their names in talconfig.yaml. */
  userVolumes: string[]
  /** Take it out of talconfig.yaml at the end. */
  write: boolean
  resetTimeoutSec: number
}

/** @throws GateError when etcd would be left without a majority */
export function planRemove(input: RemoveInput, basis: Basis): Plan {
  const { cluster, node, gone, userVolumes, write } = input
  refuseLossOfQuorum(cluster, node)
  const params = {
    node: node.hostname,
    ...(gone ? { gone } : { wipes: wipedLabels(userVolumes) }),
    ...(write ? { write } : {}),
  }
  const steps = [...removeSteps(input), othersWell(cluster, node), ...(write ? [editTalconfig(cluster, node)] : [])]
  return planOf({ operation: 'node.remove', cluster: cluster.name, params }, basis, steps)
}

/** Until nobody knows the node any more and the machine, if there is one, waits for a first config. */
export function removeSteps(input: RemoveInput): Step[] {
  const { node, gone } = input
  const leave = [...(node.controlPlane ? [leaveEtcd(input)] : []), deleteNode(input)]
  if (gone) return [isGone(input), ...leave]
  const reset = resetStep(input)
  return [nothingIsLost(input), ...takeOutSteps(input, node, [reset]), reset, ...leave]
}

/** Two members have no majority without each other: the next failure of any kind would stop the cluster. */
function refuseLossOfQuorum({ name, nodes }: Cluster, node: ClusterNode): void {
  const left = nodes.filter(({ controlPlane, hostname }) => controlPlane && hostname !== node.hostname)
  if (!node.controlPlane || left.length >= 2) return
  throw new GateError(`${name} would be left with ${left.length} control plane${left.length === 1 ? '' : 's'}`, {
    next: 'add a control plane first: k8sops node add NAME',
    runbook: machineRunbook,
  })
}

const wipedLabels = (userVolumes: string[]) => ['STATE', 'EPHEMERAL', ...userVolumes.map((name) => `u-${name}`)]

/** The machine that was meant is no more: it waits for a first config, or has been booted since. */
const left = ({ node, bootId }: RemoveInput): Check => check('machine-left', { node: node.address, bootId })

function nothingIsLost(input: RemoveInput): Step {
  const { cluster, node } = input
  return {
    id: `${node.hostname}/data`,
    title: `Check that no data is left on ${node.hostname}`,
    unless: [left(input)],
    action: { kind: 'wait' },
    require: [
      check('ceph-osds-absent', { node: node.hostname }),
      check('local-volumes-absent', { node: node.hostname }),
      check('node-not-held', { node: node.hostname, by: input.operation }),
      ...(node.controlPlane ? [etcdHealthy(cluster)] : []),
    ],
    verify: [],
    interrupt: 'now',
    // Nothing here goes away by waiting.
    timeoutSec: 10,
    runbook: machineRunbook,
  }
}

function resetStep(input: RemoveInput): Step {
  const { target, node, userVolumes, resetTimeoutSec } = input
  const options = { graceful: true, wipe: wipedLabels(userVolumes), timeoutSec: resetTimeoutSec }
  return {
    id: `${node.hostname}/reset`,
    title: `Wipe ${node.hostname}`,
    unless: [left(input)],
    require: [check('machines-ready', { nodes: node.address })],
    action: { kind: 'exec', pipeline: [resetArgs(target.talosconfig, node.address, options)] },
    verify: [check('node-state', { nodes: node.address, in: 'maintenance' })],
    interrupt: 'after',
    timeoutSec: resetTimeoutSec + 120,
    runbook: machineRunbook,
  }
}

/** A machine that still answers is not gone: it would come back with the data of a member that etcd has forgotten. */
function isGone({ node }: RemoveInput): Step {
  return {
    id: `${node.hostname}/gone`,
    title: `Check that ${node.hostname} does not answer`,
    action: { kind: 'wait' },
    require: [check('node-state', { nodes: node.address, in: 'down,maintenance' })],
    verify: [],
    interrupt: 'now',
    timeoutSec: 30,
    runbook: machineRunbook,
  }
}

/** Asked of the members that stay. */
function leaveEtcd({ cluster, target, node, etcdMember = '' }: RemoveInput): Step {
  const others = cluster.nodes.filter(({ controlPlane, hostname }) => controlPlane && hostname !== node.hostname)
  const nodes = others.map(({ address }) => address).join(',')
  const absent = [check('etcd-member-absent', { nodes, member: etcdMember })]
  return {
    id: `${node.hostname}/leave-etcd`,
    title: `See that ${node.hostname} has left etcd`,
    unless: absent,
    action: {
      kind: 'exec',
      pipeline: [removeEtcdMemberArgs(target.talosconfig, others[0]?.address ?? '', etcdMember)],
      // It left by itself while we asked.
      accept: ['member not found'],
    },
    verify: absent,
    interrupt: 'after',
    timeoutSec: 120,
    runbook: machineRunbook,
  }
}

function deleteNode({ cluster, target, node, uid }: RemoveInput): Step {
  const absent = [check('node-absent', { node: node.hostname, uid })]
  return {
    id: `${node.hostname}/delete-node`,
    title: `Let Kubernetes forget ${node.hostname}`,
    unless: absent,
    // A machine that still runs would register itself again.
    require: [check('node-state', { nodes: node.address, in: 'maintenance,down' })],
    action: {
      kind: 'exec',
      pipeline: [deleteNodeArgs(target.context, node.hostname)],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: absent,
    interrupt: 'now',
    timeoutSec: 120,
    runbook: machineRunbook,
  }
}

/** What stays is as well as before. */
function othersWell(cluster: Cluster, node: ClusterNode): Step {
  const rest = { ...cluster, nodes: cluster.nodes.filter(({ hostname }) => hostname !== node.hostname) }
  return {
    id: 'cluster/check',
    title: 'Check that the cluster is well without it',
    action: { kind: 'wait' },
    verify: [
      etcdHealthy(rest),
      check('nodes-schedulable', { names: rest.nodes.map(({ hostname }) => hostname).join(',') }),
      ...storesHealthy(cluster),
    ],
    interrupt: 'now',
    timeoutSec: 1800,
    runbook: machineRunbook,
  }
}

function editTalconfig(cluster: Cluster, node: ClusterNode): Step {
  const edited = [check('talconfig-lacks', { node: node.hostname })]
  return {
    id: 'talconfig/remove',
    title: `Take ${node.hostname} out of talconfig.yaml`,
    unless: edited,
    action: { kind: 'exec', pipeline: [editTalconfigArgs(layout.talconfig(cluster.name), ['remove', node.hostname])] },
    verify: edited,
    interrupt: 'now',
    timeoutSec: 30,
    runbook: machineRunbook,
  }
}
