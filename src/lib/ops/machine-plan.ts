/** What the plans of the small operations on machines and nodes have in common. */
import { layout } from '../repo/layout.ts'
import type { Basis, Json, Plan, Step } from '../types.ts'

export const machineRunbook = 'docs/runbooks/talos.md'

/** All that such a plan takes from the repository: names, addresses and roles. */
export const machinePaths = (cluster: string): string[] => [layout.repositoryFile, layout.talconfig(cluster)]

export interface PlanHead {
  /** Words of the command with dots, `node.reboot`. */
  operation: string
  cluster: string
  params: { [name: string]: Json }
  /** Default: `cluster`, so that nothing else changes the cluster meanwhile. */
  scope?: string
}

export function planOf({ operation, cluster, params, scope = 'cluster' }: PlanHead, basis: Basis, steps: Step[]): Plan {
  return { apiVersion: 'k8sops.dev/v1', kind: 'Plan', operation, cluster, params, basis, scope, steps }
}

/** `node.reboot/20261124T115502Z-3f9c`: who took a node out, on the node itself. */
export function operationToken(operation: string, at: Date): string {
  const stamp = at.toISOString().replace(/[-:]|\.\d+/g, '')
  const random = Math.floor(Math.random() * 0x10000).toString(16)
  return `${operation}/${stamp}-${random.padStart(4, '0')}`
}
