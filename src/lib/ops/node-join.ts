/** `k8sops node add` and `node replace`: a machine in maintenance mode becomes a node of a running cluster. */
import { etcdHealthy, storesHealthy } from '../gates/lifecycle-sets.ts'
import type { Basis, Check, Cluster, ClusterNode, Plan, Step } from '../types.ts'
import { check } from './bootstrap-input.ts'
import { firstConfig, generateConfigs } from './bootstrap-machines.ts'
import { machineRunbook, planOf } from './machine-plan.ts'
import { type RemoveInput, removeSteps } from './node-remove.ts'
import { secretsChecks } from './talos-files.ts'

export interface JoinInput {
  cluster: Cluster
  ageKey: string
  node: ClusterNode
  /** How long the machine may take to install, boot and join, each time it is waited for. */
  nodeTimeoutSec: number
}

export function planAdd(input: JoinInput, basis: Basis): Plan {
  const { cluster, node, nodeTimeoutSec } = input
  const params = { node: node.hostname, address: node.address, nodeTimeoutSec }
  return planOf({ operation: 'node.add', cluster: cluster.name, params }, basis, [
    preflight(input),
    ...joinSteps(input),
  ])
}

/** Out, and in again under the same name and address: other hardware, or the same wiped. */
export function planReplace(leaving: RemoveInput, joining: JoinInput, basis: Basis): Plan {
  const { cluster, node, gone, userVolumes } = leaving
  const params = { node: node.hostname, ...(gone ? { gone } : { userVolumes }) }
  const steps = [...removeSteps(leaving), machineWaits(joining), ...joinSteps(joining)]
  return planOf({ operation: 'node.replace', cluster: cluster.name, params }, basis, steps)
}

/** What is there already has to be well: a control plane that joins makes etcd need one more for its majority. */
function preflight({ cluster, node }: JoinInput): Step {
  const others = { ...cluster, nodes: cluster.nodes.filter(({ hostname }) => hostname !== node.hostname) }
  return {
    id: 'preflight',
    title: `Check tools, secrets, the cluster, and that ${node.hostname} can be configured`,
    // In the cluster already, it counts as a member itself.
    orUnless: [isOurs(node)],
    action: { kind: 'wait' },
    require: [
      ...secretsChecks(others.nodes),
      etcdHealthy(others),
      check('nodes-ready', { names: others.nodes.map(({ hostname }) => hostname).join(',') }),
      check('node-state', { nodes: node.address, in: 'maintenance' }),
    ],
    verify: [],
    interrupt: 'now',
    timeoutSec: 120,
    runbook: machineRunbook,
  }
}

const isOurs = ({ address }: ClusterNode): Check => check('node-state', { nodes: address, in: 'ours' })

function machineWaits({ node, nodeTimeoutSec }: JoinInput): Step {
  return {
    id: `${node.hostname}/new-machine`,
    title: `Wait for a machine in maintenance mode at ${node.address}`,
    unless: [isOurs(node)],
    action: { kind: 'wait' },
    verify: [check('node-state', { nodes: node.address, in: 'maintenance' })],
    interrupt: 'now',
    timeoutSec: nodeTimeoutSec,
    runbook: machineRunbook,
  }
}

function joinSteps({ cluster, ageKey, node, nodeTimeoutSec }: JoinInput): Step[] {
  const port = new URL(cluster.endpoint).port || '443'
  const wait = { action: { kind: 'wait' as const }, interrupt: 'now' as const, runbook: machineRunbook }
  return [
    generateConfigs({ cluster, ageKey }),
    firstConfig({ cluster, nodeTimeoutSec }, node),
    {
      id: `${node.hostname}/join`,
      title: `Wait until ${node.hostname} has joined the cluster`,
      verify: [
        check('machines-ready', { nodes: node.address }),
        check('nodes-ready', { names: node.hostname }),
        ...(node.controlPlane
          ? [etcdHealthy(cluster), check('api-ready', { servers: `https://${node.address}:${port}` })]
          : []),
      ],
      timeoutSec: nodeTimeoutSec,
      ...wait,
    },
    {
      id: `${node.hostname}/settle`,
      title: `Wait until what runs on ${node.hostname} is well`,
      verify: [
        check('nodes-schedulable', { names: node.hostname }),
        check('pods-ready-on-node', { name: node.hostname }),
        ...storesHealthy(cluster),
      ],
      timeoutSec: 1800,
      ...wait,
    },
  ]
}
