/** The sets of gates by name, for those who ask about them rather than run through them. */
import type { Check, ClusterNode } from '../types.ts'
import { afterNode, afterUpgrade, beforeNode, beforeUpgrade, type LifecycleFacts } from './lifecycle-sets.ts'

export const setNames = ['before-upgrade', 'before-node', 'after-node', 'after-upgrade'] as const
export type SetName = (typeof setNames)[number]

/** Those of the sets that stand around one node are asked once for each of `nodes`. */
export const isPerNode = (set: SetName): boolean => set === 'before-node' || set === 'after-node'

export function checksOf(set: SetName, facts: LifecycleFacts, nodes: ClusterNode[]): Check[] {
  const scoped = { ...facts, nodes }
  if (set === 'before-upgrade') return beforeUpgrade(scoped)
  if (set === 'after-upgrade') return afterUpgrade(scoped)
  return nodes.flatMap((node) => (set === 'before-node' ? beforeNode(scoped, node) : afterNode(scoped, node)))
}

/** Which sets each gate is in, whatever the cluster. */
export function setsByGate(): Map<string, SetName[]> {
  const sets = new Map<string, SetName[]>()
  for (const set of setNames) {
    const ids = [sample(true), sample(false)].flatMap((facts) => checksOf(set, facts, facts.cluster.nodes))
    for (const id of new Set(ids.map(({ gate }) => gate))) sets.set(id, [...(sets.get(id) ?? []), set])
  }
  return sets
}

/** A cluster that has one of everything, upgraded or not. */
function sample(upgraded: boolean): LifecycleFacts {
  const node = (hostname: string, controlPlane: boolean): ClusterNode => ({ hostname, address: hostname, controlPlane })
  const nodes = [node('cp', true), node('w', false)]
  const target = { version: 'v1.0.0', schematic: 's', image: 'i', extensions: [], bootId: 'b' }
  const rebuilt = { version: 'v1.0.0', schematic: 's', image: 'i', extensions: [] }
  return {
    cluster: {
      name: '',
      nodes,
      vip: '',
      endpoint: 'https://cp:6443',
      talosVersion: '',
      kubernetesVersion: '',
      settings: {},
      context: '',
      follows: '',
      gates: {
        ceph: { clusters: 1, tolerate: [] },
        cnpg: { clusters: 1 },
        volsync: { sources: 1 },
        daemonsets: ['n/d'],
        deployments: ['n/d'],
      },
      confirm: [],
    },
    ...(upgraded ? { targets: { cp: target, w: rebuilt }, snapshot: { path: 'p', maxAgeSec: 1 } } : {}),
  }
}
