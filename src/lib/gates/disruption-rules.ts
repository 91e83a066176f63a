/** What a drain may take from a node, and which disruption budgets stand in its way. Pure: gates and the forecast share it. */
import type { KubeObject } from '../types.ts'

type Fields = { [key: string]: unknown }
const fields = (value: unknown): Fields => (typeof value === 'object' && value !== null ? (value as Fields) : {})

export interface Owner {
  kind: string
  name: string
  uid?: string
  controller?: boolean
}

export const ownersOf = (object: KubeObject): Owner[] =>
  (object.metadata as { ownerReferences?: Owner[] }).ownerReferences ?? []

/** As kubectl drain sees it: what a DaemonSet puts back, static pods and pods that have ended stay. */
export function isEvictable(pod: KubeObject): boolean {
  const stays = ownersOf(pod).some(({ kind }) => kind === 'DaemonSet' || kind === 'Node')
  const mirror = pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined
  return !stays && !mirror && !['Succeeded', 'Failed'].includes(String(pod.status?.phase))
}

/**
 * Budgets that say no until their operator has moved what they guard, which it does once the node is cordoned: CloudNativePG
 * switches the primary over, Rook replaces its budget (whether Ceph can spare the OSD is what ceph-healthy asks).
 */
export function isManaged(budget: KubeObject, databases: KubeObject[]): boolean {
  const { namespace, name } = budget.metadata
  if (name === 'rook-ceph-osd') return true
  const labels = fields(fields(budget.spec?.selector).matchLabels)
  if (labels['cnpg.io/instanceRole'] !== 'primary') return false
  return databases.some(
    (database) =>
      database.metadata.namespace === namespace &&
      database.metadata.name === labels['cnpg.io/cluster'] &&
      instancesOf(database) > 1,
  )
}

export const instancesOf = (database: KubeObject): number => Number(database.spec?.instances ?? 0)

/** Why a budget allows no disruption now; undefined when it allows one. */
export function budgetReason(budget: KubeObject): string | undefined {
  const { generation } = budget.metadata
  const status = budget.status ?? {}
  if (generation === undefined || status.observedGeneration !== generation)
    return 'the controller has not counted its pods yet'
  if (typeof status.disruptionsAllowed === 'number' && status.disruptionsAllowed > 0) return undefined
  return `allows no disruption (${status.currentHealthy ?? '?'} healthy, ${status.desiredHealthy ?? '?'} needed)`
}

interface Selector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

/** Label selectors of policy/v1: an empty one selects every pod of the namespace, a missing one none. */
export function covers(budget: KubeObject, pod: KubeObject): boolean {
  const selector = budget.spec?.selector as Selector | undefined
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
