/** Nodes that an operator takes out of service on purpose, and brings back: a hold with owner, reason and time. */
import { GateError } from '../errors.ts'
import { type Hold, holdNodeArgs, releaseNodeArgs } from '../tools/kubectl-node.args.ts'
import type { Basis, Cluster, ClusterNode, Plan, Step, Target } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import { machineRunbook, planOf } from './machine-plan.ts'
import { drainSteps } from './node-drain.ts'
import type { NodeView } from './node-view.ts'

export interface HoldInput {
  cluster: Cluster
  target: Pick<Target, 'context'>
  nodes: ClusterNode[]
  hold: Hold
}

/** A small operation on one node, which a running upgrade of another doesn't block; the Node itself says who holds it. */
const scopeOf = (nodes: ClusterNode[]) => `node/${nodes.map(({ hostname }) => hostname).join('-')}`

/** `k8sops node cordon`. */
export function planCordon(input: HoldInput, basis: Basis): Plan {
  const { cluster, nodes, hold } = input
  const params = { nodes: nodes.map(({ hostname }) => hostname), reason: hold.reason, by: hold.by }
  const head = { operation: 'node.cordon', cluster: cluster.name, params, scope: scopeOf(nodes) }
  return planOf(
    head,
    basis,
    nodes.map((node) => cordonStep(input, node)),
  )
}

function cordonStep({ cluster, target, hold }: HoldInput, { hostname }: ClusterNode): Step {
  const held = [check('node-cordoned', { node: hostname, by: hold.by })]
  return {
    id: `${hostname}/cordon`,
    title: `Cordon ${hostname}`,
    unless: held,
    // A node that an upgrade has taken out would be lost to it.
    require: [check('node-not-held', { node: hostname, by: hold.by })],
    action: {
      kind: 'exec',
      pipeline: [holdNodeArgs(target.context, hostname, hold)],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: held,
    interrupt: 'now',
    timeoutSec: 60,
    runbook: machineRunbook,
  }
}

/** `k8sops node drain`: cordon, then eviction that honours PodDisruptionBudgets. The node stays out. */
export function planDrain(input: HoldInput, drainTimeoutSec: number, basis: Basis): Plan {
  const { cluster, target, nodes, hold } = input
  const params = { nodes: nodes.map(({ hostname }) => hostname), reason: hold.reason, by: hold.by, drainTimeoutSec }
  const steps = nodes.flatMap((node) => [
    cordonStep(input, node),
    ...drainSteps({ cluster, target, drainTimeoutSec, patienceSec: 120 }, node, [
      check('pdbs-allow', { node: node.hostname }),
    ]),
  ])
  // Two drains at a time would meet in the budgets and in Ceph: this one excludes everything else that changes the cluster.
  return planOf({ operation: 'node.drain', cluster: cluster.name, params }, basis, steps)
}

export interface ReleaseInput {
  cluster: Cluster
  target: Pick<Target, 'context'>
  /** As they were seen when the plan was made. */
  nodes: NodeView[]
  /** Names under which this operator holds nodes. */
  mine: string[]
  /** Also those that somebody else holds. */
  force: boolean
}

/** Under which an operator holds nodes, by command. */
export const holderName = (operation: 'node.cordon' | 'node.drain', operator: string) => `${operation}/${operator}`

/**
 * `k8sops node uncordon`.
 * @throws GateError for nodes that somebody else holds, all in one
 */
export function planUncordon(input: ReleaseInput, basis: Basis): Plan {
  const { cluster, target, nodes, mine, force } = input
  const foreign = nodes.filter(({ schedulable, holder }) => !schedulable && !mine.includes(holder ?? ''))
  if (foreign.length > 0 && !force) {
    throw new GateError('somebody else has taken these nodes out of service', {
      output: foreign
        .map(({ name, holder, reason }) => `${name}: by ${holder}${reason ? `: ${reason}` : ''}`)
        .join('\n'),
      next: 'a run that was stopped goes on with k8sops run resume; otherwise find out why, then add --force',
      runbook: machineRunbook,
    })
  }
  const names = nodes.map(({ name }) => name)
  const head = {
    operation: 'node.uncordon',
    cluster: cluster.name,
    params: { nodes: names, force },
    scope: `node/${names.join('-')}`,
  }
  const steps = nodes.map(({ name, resourceVersion }): Step => {
    const inService = [check('node-schedulable', { node: name })]
    return {
      id: `${name}/uncordon`,
      title: `Bring ${name} back into service`,
      unless: inService,
      action: {
        kind: 'exec',
        pipeline: [releaseNodeArgs(target.context, name, resourceVersion)],
        retry: whileApiIsAway(cluster.endpoint),
      },
      verify: inService,
      interrupt: 'now',
      timeoutSec: 60,
      runbook: machineRunbook,
    }
  })
  return planOf(head, basis, steps)
}
