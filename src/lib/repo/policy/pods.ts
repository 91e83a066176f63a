/** The pods that a cluster's manifests make, with the labels that policies select them by. */
import { dig, type Fields, isFields, leaves, listAt, mapAt, textAt } from '../fields.ts'
import type { ClusterView, RenderedObject } from '../rules/view.ts'
import type { Endpoint, Labels } from './model.ts'
import { namespaceKey, namespaceLabels } from './selector.ts'

export interface PodTemplate {
  namespace: string
  name: string
  labels: Record<string, string>
  hostNetwork: boolean
  serviceAccount: string | undefined
  ports: ReadonlyMap<string, number>
  /** Rendered, or known from a record of a chart or of an operator. */
  from: 'manifest' | 'record'
  /** The workload that makes them. */
  of: RenderedObject
}

const workloads = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Job', 'CronJob', 'Pod'])

export function podTemplates({ objects, recorded }: ClusterView): PodTemplate[] {
  return [
    ...objects.map((one) => ({ one, from: 'manifest' as const })),
    ...recorded.map((one) => ({ one, from: 'record' as const })),
  ]
    .filter(({ one }) => workloads.has(one.kind))
    .map(({ one, from }) => templateOf(one, from))
}

function templateOf(one: RenderedObject, from: PodTemplate['from']): PodTemplate {
  const at =
    one.kind === 'Pod'
      ? []
      : one.kind === 'CronJob'
        ? ['spec', 'jobTemplate', 'spec', 'template']
        : ['spec', 'template']
  const found = dig(one.object(), at)
  const template: Fields = isFields(found) ? found : {}
  const labels = Object.fromEntries(
    Object.entries(mapAt(template, 'metadata.labels')).map(([key, value]) => [key, String(value)]),
  )
  const ports = listAt(template, 'spec.containers').flatMap((container) =>
    listAt(container, 'ports').flatMap((port) => {
      const name = textAt(port, 'name')
      return name === undefined ? [] : [[name, Number(textAt(port, 'containerPort'))] as const]
    }),
  )
  return {
    namespace: one.namespace ?? 'default',
    name: one.name,
    labels: { ...labels, ...(from === 'record' && one.release ? labelsOfValues(one, labels) : {}) },
    hostNetwork: dig(template, 'spec.hostNetwork') === true,
    serviceAccount: textAt(template, 'spec.serviceAccountName'),
    ports: new Map(ports),
    from,
    of: one,
  }
}

/** `podLabels` of a release whose chart could not be rendered: of all its pods, or of the part under whose name they stand. */
function labelsOfValues({ name, release }: RenderedObject, labels: Record<string, string>): Record<string, string> {
  const part = labels['app.kubernetes.io/component'] ?? labels.component
  const given = leaves(release?.values).flatMap(({ path, value }) => {
    if (path.at(-2) !== 'podLabels') return []
    const above = path.slice(0, -2).filter((key) => key !== 'global')
    const isOurs = above.every((key) => key === part || name.endsWith(`-${key}`))
    return isOurs ? [[String(path.at(-1)), String(value)] as const] : []
  })
  return Object.fromEntries(given)
}

/** Labels of namespaces as manifests give them; those that every cluster has are there without one. */
export function namespacesOf({ objects }: ClusterView): Map<string, Record<string, string>> {
  const declared = objects
    .filter(({ kind, group }) => kind === 'Namespace' && group === '')
    .map((one) => [one.name, one.object().metadata.labels ?? {}] as const)
  const builtIn = ['default', 'kube-system', 'kube-public', 'kube-node-lease'].map((name) => [name, {}] as const)
  return new Map(
    [...builtIn, ...declared].map(([name, labels]) => [name, { ...labels, 'kubernetes.io/metadata.name': name }]),
  )
}

export interface PodIdentity {
  namespace: string
  labels: Record<string, string>
  serviceAccount?: string | undefined
}

/** As Cilium labels the pod's identity. */
export function podLabels(
  { namespace, labels, serviceAccount }: PodIdentity,
  ofNamespace: Record<string, string>,
): Labels {
  return new Map([
    ...Object.entries(labels).map(([key, value]) => [`k8s:${key}`, value] as const),
    ...Object.entries(ofNamespace).map(([key, value]) => [`${namespaceLabels}${key}`, value] as const),
    [namespaceKey, namespace] as const,
    ...(serviceAccount === undefined ? [] : [['k8s:io.cilium.k8s.policy.serviceaccount', serviceAccount] as const]),
  ])
}

const nodeVariants: Record<string, string[][]> = {
  node: [['host'], ['remote-node']],
  host: [['host']],
  'remote-node': [['remote-node']],
  'kube-apiserver': [
    ['kube-apiserver', 'host'],
    ['kube-apiserver', 'remote-node'],
  ],
}

export const nodeWords = Object.keys(nodeVariants)

/** A node, or what runs in its network: to pods on it the host, to all others a remote node. */
export const nodeEndpoint = (word: string, text = word): Endpoint => ({
  kind: 'node',
  text,
  variants: (nodeVariants[word] ?? [['host'], ['remote-node']]).map(
    (names) => new Map(names.map((name) => [`reserved:${name}`, ''])),
  ),
})

export const worldEndpoint = (text: string, known: { address?: string; hostname?: string } = {}): Endpoint => ({
  kind: 'world',
  text,
  variants: [new Map([['reserved:world', '']])],
  ...known,
})
