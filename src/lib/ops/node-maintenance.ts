/**
 * Takes one node out of service, acts on it and brings it back. Every operation that restarts a machine goes this way: upgrade,
 * reboot, a config that needs a restart, removal. Facts: reference talos.md 2.4, B and C; order and reasons: docs/adr/0023.
 *
 * What makes it safe to be cut off anywhere: who took the node out stands on the Node itself (`k8sops.dev/cordoned-by`), every
 * step finds out for itself whether it is done, and no step acts on a machine that is not running.
 */
import { cordonArgs, drainArgs, uncordonArgs } from '../tools/kubectl.args.ts'
import { forfeitLeadershipArgs } from '../tools/talosctl.args.ts'
import type { Check, Cluster, ClusterNode, Step, Target } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'

export interface MaintenanceInput {
  cluster: Cluster
  target: Pick<Target, 'context' | 'talosconfig'>
  /** Of k8sops.yaml: how many objects of a kind there have to be, and what is tolerated. */
  gates: { ceph: { clusters: number; tolerate: string[] }; cnpg: { clusters: number } }
  drainTimeoutSec: number
  /** How long a node may take until it is well again, and then everything that runs on it. */
  settleTimeoutSec: number
  /** Stands on the nodes that are out, and is unmistakable: `<operation>/<something of this plan>`. */
  operation: string
  /** Nodes that are meant to be out at the same time as this one. */
  together?: ClusterNode[]
  /** What a node must show after `act`, beside being well. */
  afterwards?: (node: ClusterNode) => Check[]
}

export const maintenanceRunbook = 'docs/runbooks/talos.md'

/**
 * Gates B, forfeit-leadership, cordon, drain, detach, `act`, gates C, uncordon, and the workloads' gates once they are back.
 * @param act its `unless` says that the node needs nothing (any more): then it is left in peace. What it requires is asked
 *   for before the node is taken out as well
 */
export function maintenanceSteps(input: MaintenanceInput, node: ClusterNode, act: Step[]): Step[] {
  return [...takeOutSteps(input, node, act), ...act, ...bringBackSteps(input, node, act)]
}

/** A machine is acted on only while it runs: one that restarts is waited for, and then looked at again. */
export const machineRuns = (node: ClusterNode): Check => check('machines-ready', { nodes: node.address })

/** A node is out that this operation took out. */
export const underWay = (operation: string): Check => check('maintenance-under-way', { by: operation })

const outByUs = (input: MaintenanceInput, node: ClusterNode): Check =>
  check('node-cordoned', { node: node.hostname, by: input.operation })

/** Until nothing is on the node any more that would be hurt. */
export function takeOutSteps(input: MaintenanceInput, node: ClusterNode, act: Step[]): Step[] {
  const { hostname } = node
  const { cluster, target, operation, drainTimeoutSec, settleTimeoutSec } = input
  const needed = { ...unlessDone(act), runbook: maintenanceRunbook }
  const drained = [check('node-drained', { node: hostname })]
  return [
    {
      id: `${hostname}/check`,
      title: `Check whether ${hostname} can be taken out`,
      ...needed,
      // Out already: what is checked here held then, and can't while the node is out.
      orUnless: [outByUs(input, node)],
      action: { kind: 'wait' },
      verify: [...gatesBefore(input, node), ...act.flatMap(({ require }) => require ?? [])],
      interrupt: 'now',
      timeoutSec: settleTimeoutSec,
    },
    ...(node.controlPlane ? [forfeitLeadership(input, node, act)] : []),
    {
      id: `${hostname}/cordon`,
      title: `Cordon ${hostname}`,
      ...needed,
      orUnless: [outByUs(input, node)],
      action: {
        kind: 'exec',
        pipeline: [cordonArgs(target.context, hostname, operation)],
        retry: whileApiIsAway(cluster.endpoint),
      },
      verify: [outByUs(input, node)],
      interrupt: 'now',
      timeoutSec: settleTimeoutSec,
    },
    {
      id: `${hostname}/drain`,
      title: `Drain ${hostname}`,
      ...needed,
      orUnless: drained,
      // CNPG moves a primary away from a cordoned node by itself; evicted before, it would be an outage of its database.
      require: [check('cnpg-primaries-elsewhere', { node: hostname })],
      action: {
        kind: 'exec',
        pipeline: [drainArgs(target.context, hostname, drainTimeoutSec)],
        retry: whileApiIsAway(cluster.endpoint),
      },
      verify: drained,
      interrupt: 'after',
      // kubectl ends by itself, and names the pods that are left; the rest is for what is waited for before and after.
      timeoutSec: drainTimeoutSec + settleTimeoutSec,
    },
    {
      id: `${hostname}/detach`,
      title: `Wait until no volume is attached to ${hostname}`,
      ...needed,
      action: { kind: 'wait' },
      verify: [check('volumes-detached', { node: hostname })],
      interrupt: 'now',
      timeoutSec: drainTimeoutSec,
    },
  ]
}

/** Until the node and what runs on it are well. A node that does not come back stays cordoned. */
export function bringBackSteps(input: MaintenanceInput, node: ClusterNode, act: Step[]): Step[] {
  const { hostname } = node
  const { cluster, target, operation, settleTimeoutSec } = input
  const inService = [check('node-schedulable', { node: hostname })]
  const common = { runbook: maintenanceRunbook, timeoutSec: settleTimeoutSec, interrupt: 'now' as const }
  return [
    {
      id: `${hostname}/settle`,
      title: `Wait until ${hostname} is well`,
      // In service again, it has been here already; by now another node may be out.
      unless: [...(unlessDone(act).unless ?? []), ...inService],
      action: { kind: 'wait' },
      verify: [...gatesAfter(input, node), ...(input.afterwards?.(node) ?? [])],
      ...common,
    },
    {
      id: `${hostname}/uncordon`,
      title: `Bring ${hostname} back into service`,
      unless: inService,
      action: {
        kind: 'exec',
        pipeline: [uncordonArgs(target.context, hostname, operation)],
        retry: whileApiIsAway(cluster.endpoint),
      },
      verify: inService,
      ...common,
    },
    {
      id: `${hostname}/recover`,
      title: `Wait until what runs on ${hostname} is well`,
      // With the next node out, this one was well; what can't be well now is looked at when that one is back.
      unless: [underWay(operation)],
      action: { kind: 'wait' },
      // Only now: pods that are bound to the node (Ceph's OSDs, databases on local volumes) can't run on a cordoned one.
      verify: [...workloadGates(input), check('pods-ready-on-node', { name: hostname })],
      ...common,
    },
  ]
}

function forfeitLeadership({ target, settleTimeoutSec }: MaintenanceInput, node: ClusterNode, act: Step[]): Step {
  const elsewhere = [check('etcd-leader-elsewhere', { node: node.address })]
  return {
    id: `${node.hostname}/forfeit-leadership`,
    title: `Let another member than ${node.hostname} lead etcd`,
    ...unlessDone(act),
    orUnless: elsewhere,
    require: [machineRuns(node)],
    action: { kind: 'exec', pipeline: [forfeitLeadershipArgs(target.talosconfig, node.address)] },
    verify: elsewhere,
    interrupt: 'now',
    timeoutSec: settleTimeoutSec,
    runbook: maintenanceRunbook,
  }
}

function unlessDone(act: Step[]): Pick<Step, 'unless'> {
  const unless = act.flatMap((step) => step.unless ?? [])
  return unless.length > 0 ? { unless } : {}
}

const addresses = (nodes: ClusterNode[]) => nodes.map(({ address }) => address).join(',')
const hostnames = (nodes: ClusterNode[]) => nodes.map(({ hostname }) => hostname).join(',')

function gatesBefore(input: MaintenanceInput, node: ClusterNode): Check[] {
  const { nodes } = input.cluster
  const others = (input.together ?? []).filter(({ hostname }) => hostname !== node.hostname)
  const inService = nodes.filter(({ hostname }) => !others.some((other) => other.hostname === hostname))
  return [
    check('machines-ready', { nodes: addresses(nodes) }),
    etcdHealthy(input.cluster),
    check('nodes-schedulable', { names: hostnames(inService) }),
    ...workloadGates(input),
    check('pdbs-allow', { node: node.hostname }),
  ]
}

function gatesAfter({ cluster }: MaintenanceInput, node: ClusterNode): Check[] {
  const port = new URL(cluster.endpoint).port || '443'
  return [
    machineRuns(node),
    check('nodes-ready', { names: node.hostname }),
    ...(node.controlPlane
      ? [etcdHealthy(cluster), check('api-ready', { servers: `https://${node.address}:${port}` })]
      : []),
  ]
}

function etcdHealthy({ nodes }: Cluster): Check {
  const controlPlanes = nodes.filter(({ controlPlane }) => controlPlane)
  return check('etcd-healthy', { nodes: addresses(controlPlanes), members: hostnames(controlPlanes) })
}

function workloadGates({ gates }: MaintenanceInput): Check[] {
  return [
    check('ceph-healthy', { expect: String(gates.ceph.clusters), tolerate: gates.ceph.tolerate.join(',') }),
    check('cnpg-healthy', { expect: String(gates.cnpg.clusters) }),
  ]
}
