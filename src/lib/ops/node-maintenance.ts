/**
 * Takes one node out of service, acts on it and brings it back. Every operation that restarts a machine goes this way: upgrade,
 * reboot, a config that needs a restart, removal. Facts: reference talos.md 2.4, B and C; order and reasons: docs/adr/0023.
 *
 * What makes it safe to be cut off anywhere: who took the node out stands on the Node itself (`k8sops.dev/cordoned-by`), every
 * step finds out for itself whether it is done, and no step acts on a machine that is not running.
 */
import { afterNode, beforeNode, type LifecycleFacts, nodeIsBack, othersInService } from '../gates/lifecycle-sets.ts'
import { cordonArgs, uncordonArgs } from '../tools/kubectl.args.ts'
import { forfeitLeadershipArgs } from '../tools/talosctl.args.ts'
import type { Check, ClusterNode, Step, Target } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import { machineRunbook } from './machine-plan.ts'
import { drainSteps } from './node-drain.ts'

export interface MaintenanceInput extends LifecycleFacts {
  target: Pick<Target, 'context' | 'talosconfig'>
  drainTimeoutSec: number
  /** How long a node may take until it is well again, and then everything that runs on it. */
  settleTimeoutSec: number
  /** Stands on the nodes that are out, and is unmistakable: `<operation>/<something of this plan>`. */
  operation: string
}

/**
 * Gates B, forfeit-leadership, cordon, drain, detach, `act`, gates C, uncordon, and the workloads' gates once they are back.
 * @param act its `unless` says that the node needs nothing (any more): then it is left in peace. What it requires is asked
 *   for before the node is taken out as well
 */
export function maintenanceSteps(input: MaintenanceInput, node: ClusterNode, act: Step[]): Step[] {
  const [first, ...rest] = act
  // A machine is acted on only while it runs: one that restarts already is waited for, and then looked at again.
  const guarded = first
    ? [{ ...first, require: [...othersInService(input, node), ...(first.require ?? [])] }, ...rest]
    : []
  return [...takeOutSteps(input, node, act), ...guarded, ...bringBackSteps(input, node, act)]
}

/** A node is out that this operation took out. */
export const underWay = (operation: string): Check => check('maintenance-under-way', { by: operation })

const outByUs = (input: MaintenanceInput, node: ClusterNode): Check =>
  check('node-cordoned', { node: node.hostname, by: input.operation })

/** Until nothing is on the node any more that would be hurt. */
export function takeOutSteps(input: MaintenanceInput, node: ClusterNode, act: Step[]): Step[] {
  const { hostname } = node
  const { cluster, target, operation, drainTimeoutSec, settleTimeoutSec } = input
  const needed = { skipWith: `${hostname}/check`, runbook: machineRunbook }
  return [
    {
      id: `${hostname}/check`,
      title: `Check whether ${hostname} can be taken out`,
      ...unlessDone(act),
      // Out already: what is checked here held then, and can't while the node is out.
      orUnless: [outByUs(input, node)],
      action: { kind: 'wait' },
      verify: [
        ...beforeNode(input, node),
        check('machines-ready', { nodes: node.address }),
        check('node-schedulable', { node: hostname }),
        ...act.flatMap(({ require }) => require ?? []),
      ],
      interrupt: 'now',
      timeoutSec: settleTimeoutSec,
      runbook: machineRunbook,
    },
    ...(node.controlPlane && hasOtherMember(input) ? [forfeitLeadership(input, node)] : []),
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
    ...drainSteps(
      { cluster, target, drainTimeoutSec, patienceSec: settleTimeoutSec },
      node,
      othersInService(input, node),
    ).map((step) => ({ ...step, ...needed })),
  ]
}

/** Until the node and what runs on it are well. A node that does not come back stays cordoned. */
export function bringBackSteps(input: MaintenanceInput, node: ClusterNode, act: Step[]): Step[] {
  const { hostname } = node
  const { cluster, target, operation, settleTimeoutSec } = input
  // Uncordoned by somebody else, it still carries our name, and goes all the way.
  const inService = [check('node-released', { node: hostname, by: operation })]
  const common = { runbook: machineRunbook, timeoutSec: settleTimeoutSec, interrupt: 'now' as const }
  return [
    {
      id: `${hostname}/settle`,
      title: `Wait until ${hostname} is well`,
      // In service again, it has been here already; by now another node may be out.
      unless: [...(unlessDone(act).unless ?? []), ...inService],
      action: { kind: 'wait' },
      verify: nodeIsBack(input, node),
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
      verify: afterNode(input, node),
      ...common,
    },
  ]
}

function forfeitLeadership({ target, settleTimeoutSec }: MaintenanceInput, node: ClusterNode): Step {
  const elsewhere = [check('etcd-leader-elsewhere', { node: node.address })]
  return {
    id: `${node.hostname}/forfeit-leadership`,
    title: `Let another member than ${node.hostname} lead etcd`,
    skipWith: `${node.hostname}/check`,
    orUnless: elsewhere,
    require: [check('machines-ready', { nodes: node.address })],
    action: { kind: 'exec', pipeline: [forfeitLeadershipArgs(target.talosconfig, node.address)] },
    verify: elsewhere,
    interrupt: 'now',
    timeoutSec: settleTimeoutSec,
    runbook: machineRunbook,
  }
}

/** The only member of an etcd can't but lead it. */
const hasOtherMember = ({ cluster }: MaintenanceInput) =>
  cluster.nodes.filter(({ controlPlane }) => controlPlane).length > 1

function unlessDone(act: Step[]): Pick<Step, 'unless'> {
  const unless = act.flatMap((step) => step.unless ?? [])
  return unless.length > 0 ? { unless } : {}
}
