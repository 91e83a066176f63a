/** Drain and detach: the part of taking a node out that a hold and every kind of maintenance share. */
import { drainArgs } from '../tools/kubectl.args.ts'
import type { Check, Cluster, ClusterNode, Step, Target } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import { machineRunbook } from './machine-plan.ts'

export interface DrainInput {
  cluster: Cluster
  target: Pick<Target, 'context'>
  drainTimeoutSec: number
  /** How long the drain's own requirements may be waited for, beside the drain. */
  patienceSec: number
}

/** @param require beside what every drain requires */
export function drainSteps(
  input: DrainInput,
  { hostname }: ClusterNode,
  require: Check[],
): [drain: Step, detach: Step] {
  const { cluster, target, drainTimeoutSec, patienceSec } = input
  const away = whileApiIsAway(cluster.endpoint)
  const drained = [check('node-drained', { node: hostname })]
  return [
    {
      id: `${hostname}/drain`,
      title: `Drain ${hostname}`,
      unless: drained,
      // CNPG moves a primary away from a cordoned node by itself; evicted before, it would be an outage of its database.
      require: [...require, check('cnpg-primaries-elsewhere', { node: hostname })],
      // Right after another node's drain Rook (1.19) holds the budget for all OSDs beside those that it had for the time, and the API
      // evicts nothing that two budgets select.
      action: {
        kind: 'exec',
        pipeline: [drainArgs(target.context, hostname, drainTimeoutSec)],
        retry: { ...away, while: [...away.while, 'has more than one PodDisruptionBudget'] },
      },
      verify: drained,
      interrupt: 'after',
      // kubectl ends by itself, and names the pods that are left; the rest is for what is waited for before and after.
      timeoutSec: drainTimeoutSec + patienceSec,
      runbook: machineRunbook,
    },
    {
      id: `${hostname}/detach`,
      title: `Wait until no volume is attached to ${hostname}`,
      action: { kind: 'wait' },
      verify: [check('volumes-detached', { node: hostname })],
      interrupt: 'now',
      timeoutSec: drainTimeoutSec,
      runbook: machineRunbook,
    },
  ]
}
