/** Probes of what a drain would meet on a node. */
import type { KubePort, Verdict } from '../../types.ts'
import { titleOf, valueAt } from '../conditions.ts'
import { budgetReason, covers, instancesOf, isEvictable, isManaged } from '../disruption-rules.ts'
import type { Probe } from '../evaluate.ts'
import { unreadable } from '../unreadable.ts'

type DisruptionProbe = 'cnpg-primaries-elsewhere' | 'pdbs-allow'

const cnpgCluster = { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster' }

export function disruptionProbes(kube: KubePort): Record<DisruptionProbe, Probe> {
  const read = async (node: string, signal: AbortSignal) => {
    const [nodes, pods, clusters] = await Promise.all([
      kube.list({ apiVersion: 'v1', kind: 'Node', name: node }, signal),
      kube.list({ apiVersion: 'v1', kind: 'Pod', fieldSelector: `spec.nodeName=${node}` }, signal),
      kube.list(cnpgCluster, signal),
    ])
    if (!nodes.ok || !pods.ok) return unreadable(...[nodes, pods].filter((one) => !one.ok))
    // Without the CRD there is no database to look after.
    if (!clusters.ok && clusters.why !== 'not-found') return unreadable(clusters)
    if (nodes.value.length === 0) return failed([`Node ${node}: not there`])
    return { pods: pods.value, databases: clusters.ok ? clusters.value : [] }
  }

  return {
    async 'pdbs-allow'({ node = '' }, signal): Promise<Verdict> {
      const [found, budgets] = await Promise.all([
        read(node, signal),
        kube.list({ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' }, signal),
      ])
      if ('status' in found) return found
      if (!budgets.ok) return unreadable(budgets)
      const evicted = found.pods.filter(isEvictable)
      const lines = budgets.value.flatMap((budget) => {
        const pods = evicted.filter((pod) => covers(budget, pod))
        if (pods.length === 0 || isManaged(budget, found.databases)) return []
        const reason = budgetReason(budget)
        return reason
          ? [`${titleOf(budget)}: ${reason}, and ${pods.map(({ metadata }) => metadata.name).join(', ')} is under it`]
          : []
      })
      if (lines.length > 0) return failed(lines)
      return { status: 'pass', detail: `${evicted.length} pods of ${node} may be evicted` }
    },

    async 'cnpg-primaries-elsewhere'({ node = '' }, signal): Promise<Verdict> {
      const found = await read(node, signal)
      if ('status' in found) return found
      // A database of one instance has nowhere to go; whether it may be evicted is what its budget says.
      const switching = found.databases.filter((database) => instancesOf(database) > 1)
      const lines = switching.flatMap((database) => {
        const primary = String(valueAt(database, 'status.currentPrimary') ?? '')
        if (primary === '') return [`${titleOf(database)}: has no primary`]
        const here = found.pods.some(
          ({ metadata }) => metadata.name === primary && metadata.namespace === database.metadata.namespace,
        )
        return here ? [`${titleOf(database)}: its primary ${primary} is on ${node}`] : []
      })
      if (lines.length > 0) return failed(lines)
      return { status: 'pass', detail: `no primary of ${switching.length} databases is on ${node}` }
    },
  }
}

const failed = (lines: string[]): Exclude<Verdict, { status: 'pass' }> => ({
  status: 'fail',
  detail: lines.join('; '),
  waitingFor: lines,
})
