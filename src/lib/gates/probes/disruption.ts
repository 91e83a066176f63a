/** Probes of what a drain would meet on a node. */
import type { KubeObject, KubePort, Verdict } from '../../types.ts'
import { titleOf, valueAt } from '../conditions.ts'
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

/** As kubectl drain sees it: what a DaemonSet puts back, static pods and pods that have ended stay. */
function isEvictable(pod: KubeObject): boolean {
  const owners = (valueAt(pod, 'metadata.ownerReferences') ?? []) as { kind: string }[]
  const stays = owners.some(({ kind }) => kind === 'DaemonSet' || kind === 'Node')
  const mirror = pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined
  return !stays && !mirror && !['Succeeded', 'Failed'].includes(String(valueAt(pod, 'status.phase')))
}

/**
 * Budgets that say no until their operator has moved what they guard, which it does once the node is cordoned: CloudNativePG
 * switches the primary over, Rook replaces its budget (whether Ceph can spare the OSD is what ceph-healthy asks).
 */
function isManaged(budget: KubeObject, databases: KubeObject[]): boolean {
  const { namespace, name } = budget.metadata
  if (name === 'rook-ceph-osd') return true
  const labels = (valueAt(budget, 'spec.selector.matchLabels') ?? {}) as Record<string, string>
  if (labels['cnpg.io/instanceRole'] !== 'primary') return false
  return databases.some(
    (database) =>
      database.metadata.namespace === namespace &&
      database.metadata.name === labels['cnpg.io/cluster'] &&
      instancesOf(database) > 1,
  )
}

const instancesOf = (database: KubeObject) => Number(valueAt(database, 'spec.instances') ?? 0)

function budgetReason(budget: KubeObject): string | undefined {
  const { generation } = budget.metadata
  if (generation === undefined || valueAt(budget, 'status.observedGeneration') !== generation)
    return 'the controller has not counted its pods yet'
  const allowed = valueAt(budget, 'status.disruptionsAllowed')
  if (typeof allowed === 'number' && allowed > 0) return undefined
  const [healthy, wanted] = ['currentHealthy', 'desiredHealthy'].map(
    (field) => valueAt(budget, `status.${field}`) ?? '?',
  )
  return `allows no disruption (${healthy} healthy, ${wanted} needed)`
}

interface Selector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

/** Label selectors of policy/v1: an empty one selects every pod of the namespace, a missing one none. */
function covers(budget: KubeObject, pod: KubeObject): boolean {
  const selector = valueAt(budget, 'spec.selector') as Selector | undefined
  if (!selector || budget.metadata.namespace !== pod.metadata.namespace) return false
  const labels = pod.metadata.labels ?? {}
  const equal = Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value)
  return equal && (selector.matchExpressions ?? []).every((expression) => meets(labels, expression))
}

function meets(
  labels: Record<string, string>,
  expression: { key: string; operator: string; values?: string[] },
): boolean {
  const { key, operator, values = [] } = expression
  const value = labels[key]
  if (operator === 'Exists') return value !== undefined
  if (operator === 'DoesNotExist') return value === undefined
  if (operator === 'NotIn') return value === undefined || !values.includes(value)
  // An operator that we don't know may well select the pod.
  return operator === 'In' ? value !== undefined && values.includes(value) : true
}

const failed = (lines: string[]): Exclude<Verdict, { status: 'pass' }> => ({
  status: 'fail',
  detail: lines.join('; '),
  waitingFor: lines,
})
