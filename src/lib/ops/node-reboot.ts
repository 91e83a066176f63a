/** `k8sops node reboot`: one node after the other, out of service, restarted, read back, and in service again. */
import { type RebootMode, rebootArgs } from '../tools/talosctl.args.ts'
import type { Basis, ClusterNode, Plan, Step } from '../types.ts'
import { check } from './bootstrap-input.ts'
import { machineRunbook, planOf } from './machine-plan.ts'
import { type MaintenanceInput, maintenanceSteps } from './node-maintenance.ts'

export interface RebootInput extends MaintenanceInput {
  /** In the order that they are restarted in, each with its boot id as it was seen when the plan was made. */
  reboots: { node: ClusterNode; bootId: string }[]
  mode: RebootMode
  /** How long talosctl follows one restart. */
  rebootTimeoutSec: number
}

export function planReboot(input: RebootInput, basis: Basis): Plan {
  const { cluster, reboots, mode, drainTimeoutSec } = input
  const params = { nodes: reboots.map(({ node }) => node.hostname), mode, drainTimeoutSec }
  const steps = reboots.flatMap(({ node, bootId }) => maintenanceSteps(input, node, [rebootStep(input, node, bootId)]))
  return planOf({ operation: 'node.reboot', cluster: cluster.name, params }, basis, steps)
}

/** Done when the machine has another boot id: exit code 0 can also mean that talosctl was interrupted while it waited. */
function rebootStep({ target, mode, rebootTimeoutSec }: RebootInput, node: ClusterNode, bootId: string): Step {
  const rebooted = [check('machine-rebooted', { node: node.address, bootId })]
  return {
    id: `${node.hostname}/reboot`,
    title: `Restart ${node.hostname}`,
    unless: rebooted,
    action: {
      kind: 'exec',
      pipeline: [rebootArgs(target.talosconfig, node.address, { mode, timeoutSec: rebootTimeoutSec })],
    },
    verify: rebooted,
    interrupt: 'after',
    timeoutSec: rebootTimeoutSec + 60,
    runbook: machineRunbook,
  }
}
