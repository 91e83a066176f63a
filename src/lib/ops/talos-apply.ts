/**
 * `k8sops talos apply`: new machine configs. Each machine was asked beforehand whether it has to restart for its own; those
 * that have to go out of service first, as for an upgrade, the others take it as they run.
 */
import { type ApplyMode, applyConfigArgs } from '../tools/talosctl-node.args.ts'
import type { Basis, Check, ClusterNode, Plan, Step } from '../types.ts'
import { check } from './bootstrap-input.ts'
import { configFile, generateConfigs } from './bootstrap-machines.ts'
import { machineRunbook, planOf } from './machine-plan.ts'
import { type MaintenanceInput, maintenanceSteps } from './node-maintenance.ts'
import { secretsChecks } from './talos-files.ts'

export interface ApplyNode {
  node: ClusterNode
  /** What the machine said that applying would do; `unknown` when it could not be asked. */
  effect: 'nothing' | 'no-reboot' | 'reboot' | 'unknown'
  /** As it was seen when the plan was made. */
  bootId: string
}

export interface ApplyInput extends MaintenanceInput {
  ageKey: string
  nodes: ClusterNode[]
  applies: ApplyNode[]
  rebootTimeoutSec: number
}

/** Nodes without a change get a step as well: what was seen once may have changed until it is its turn. */
export function planApply(input: ApplyInput, basis: Basis): Plan {
  const { cluster, applies, drainTimeoutSec } = input
  const names = (effect: ApplyNode['effect']) =>
    applies.filter((one) => one.effect === effect).map(({ node }) => node.hostname)
  const params = {
    unchanged: names('nothing'),
    withoutReboot: names('no-reboot'),
    withReboot: names('reboot'),
    ...(names('unknown').length > 0 ? { unknown: names('unknown') } : {}),
    drainTimeoutSec,
  }
  // What takes no restart comes first: whatever is wrong with the change shows where it costs least.
  const calm = inOrder(applies.filter(({ effect }) => effect !== 'reboot'))
  const restarting = inOrder(applies.filter(({ effect }) => effect === 'reboot'))
  const steps = [
    preflight(input),
    generateConfigs(input),
    ...calm.map(({ node }) => applyStep(input, node, 'no-reboot', applied(node))),
    ...restarting.flatMap(({ node, bootId }) =>
      maintenanceSteps(input, node, [
        applyStep(input, node, 'reboot', [...applied(node), check('machine-rebooted', { node: node.address, bootId })]),
      ]),
    ),
    {
      id: 'cluster/check',
      title: 'Check that every machine runs the config that Git names',
      action: { kind: 'wait' as const },
      verify: [check('machine-configs-applied', { nodes: applies.map(({ node }) => node.address).join(',') })],
      interrupt: 'now' as const,
      timeoutSec: 300,
      runbook: machineRunbook,
    },
  ]
  return planOf({ operation: 'talos.apply', cluster: cluster.name, params }, basis, steps)
}

export const applied = ({ address }: ClusterNode): Check[] => [check('machine-configs-applied', { nodes: address })]

/** Workers first, control planes after them; within a role as in talconfig.yaml. */
const inOrder = (applies: ApplyNode[]): ApplyNode[] =>
  applies.toSorted((a, b) => Number(a.node.controlPlane) - Number(b.node.controlPlane))

function preflight({ cluster, applies }: ApplyInput): Step {
  return {
    id: 'preflight',
    title: 'Check tools, secrets and whose machines they are',
    action: { kind: 'wait' },
    require: [
      ...secretsChecks(cluster.nodes),
      check('machines-ready', { nodes: applies.map(({ node }) => node.address).join(',') }),
    ],
    verify: [],
    interrupt: 'now',
    timeoutSec: 120,
    runbook: machineRunbook,
  }
}

/**
 * A machine that changed its mind meanwhile refuses `no-reboot`, so that it never restarts undrained.
 * @param done what shows that it is done; the part about the config alone says that it need not be begun
 */
export function applyStep(
  { cluster, target, rebootTimeoutSec = 120 }: Pick<ApplyInput, 'cluster' | 'target'> & { rebootTimeoutSec?: number },
  node: ClusterNode,
  mode: ApplyMode,
  done: Check[],
): Step {
  return {
    id: `${node.hostname}/apply-config`,
    title: `Give ${node.hostname} its new config${mode === 'reboot' ? ', with a restart' : ''}`,
    unless: applied(node),
    action: {
      kind: 'exec',
      pipeline: [applyConfigArgs(target.talosconfig, node.address, configFile(cluster.name, node), mode)],
    },
    verify: done,
    interrupt: 'after',
    timeoutSec: mode === 'reboot' ? rebootTimeoutSec : 120,
    runbook: machineRunbook,
  }
}
