/** Label selectors over Cilium's labels, which have a source before their key. */
import { isFields, listAt, mapAt, textAt } from '../fields.ts'
import type { Answer, Labels, Requirement, Selector } from './model.ts'

export const namespaceKey = 'k8s:io.kubernetes.pod.namespace'
export const namespaceLabels = 'k8s:io.cilium.k8s.namespace.labels.'
/** Known to the agent, and to no manifest of a pod. */
const untold = /^(k8s:|any:)?io\.cilium\.k8s\.policy\./

/** `app` and `any:app` are a label of whatever source. */
function valueIn(labels: Labels, key: string): string | undefined {
  if (/^(k8s|reserved|cidr|fqdn):/.test(key)) return labels.get(key)
  const bare = key.replace(/^any:/, '')
  return labels.get(`k8s:${bare}`) ?? labels.get(`reserved:${bare}`)
}

/** Whether a key with or without its source is this one. */
const isKey = (key: string, wanted: string) => `k8s:${key.replace(/^(k8s|any):/, '')}` === wanted

export function selects(selector: Selector, labels: Labels): Answer {
  let answer: Answer = 'yes'
  for (const requirement of selector) {
    const one = meets(requirement, labels)
    if (one === 'no') return 'no'
    if (one === 'maybe') answer = 'maybe'
  }
  return answer
}

function meets({ key, operator, values }: Requirement, labels: Labels): Answer {
  const value = valueIn(labels, key)
  const isPod = labels.has(namespaceKey)
  if (value === undefined && isPod && untold.test(key)) return 'maybe'
  const yes = (holds: boolean): Answer => (holds ? 'yes' : 'no')
  if (operator === 'Exists') return yes(value !== undefined)
  if (operator === 'DoesNotExist') return yes(value === undefined)
  if (operator === 'In') return yes(value !== undefined && values.includes(value))
  return yes(value === undefined || !values.includes(value))
}

/** The requirements of a LabelSelector; an operator that there is not selects nothing that is known, and is left for the schema to refuse. */
export function requirementsOf(selector: unknown): Requirement[] {
  if (!isFields(selector)) return []
  const labels = Object.entries(mapAt(selector, 'matchLabels')).map(
    ([key, value]): Requirement => ({ key, operator: 'In', values: [String(value)] }),
  )
  const expressions = listAt(selector, 'matchExpressions').map(
    (one): Requirement => ({
      key: textAt(one, 'key') ?? '',
      operator: (textAt(one, 'operator') ?? 'In') as Requirement['operator'],
      values: listAt(one, 'values').map(String),
    }),
  )
  return [...labels, ...expressions]
}

const isIn = (namespace: string): Requirement => ({ key: namespaceKey, operator: 'In', values: [namespace] })
const isSomePod: Requirement = { key: namespaceKey, operator: 'Exists', values: [] }

/**
 * What a Cilium policy's peer selects: pods of the policy's own namespace, unless the selector speaks of namespaces itself; for a
 * cluster-wide policy pods of every namespace; and no pod at all where it names a reserved label (pkg/k8s/apis/cilium.io/utils).
 */
export function peerSelector(selector: unknown, namespace: string | undefined): Selector {
  const own = requirementsOf(selector)
  if (own.some(({ key }) => key.startsWith('reserved:') || key.startsWith('reserved.'))) return own
  if (own.some(({ key }) => isKey(key, namespaceKey))) return own
  if (namespace === undefined) return [...own, isSomePod]
  if (own.some(({ key }) => `k8s:${key.replace(/^(k8s|any):/, '')}`.startsWith(namespaceLabels))) return own
  return [...own, isIn(namespace)]
}

/** What a policy applies to: in a namespace never anything outside of it; cluster-wide whatever has the labels. */
export const subjectSelector = (selector: unknown, namespace: string | undefined): Selector =>
  namespace === undefined
    ? requirementsOf(selector)
    : [...requirementsOf(selector).filter(({ key }) => !isKey(key, namespaceKey)), isIn(namespace)]

/** Of a NetworkPolicy: keys are those of Kubernetes, whatever they look like. */
export const kubernetesSelector = (selector: unknown, prefix = 'k8s:'): Requirement[] =>
  requirementsOf(selector).map((one) => ({ ...one, key: `${prefix}${one.key}` }))

export const inNamespace = isIn
export const somePod = isSomePod
