/** What is scraped: monitors select something, and a port of it. */
import { dig, isFields, listAt, mapAt, textAt } from '../fields.ts'
import type { Finding, YamlPath } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const monitorRules: Rule[] = [
  {
    id: 'monitor-selects-port',
    demands: 'Every ServiceMonitor, PodMonitor and VMServiceScrape selects a port of something that is there',
    why: 'A monitor that selects nothing is not an error anywhere: the alert on it never fires',
    fix: 'Correct the selector or the port’s name',
    source: 'issue 5',
    scope: 'house',
    check: each(blindMonitors),
  },
]

const monitors = ['ServiceMonitor', 'PodMonitor', 'VMServiceScrape', 'VMPodScrape']

interface Watched {
  one: RenderedObject
  namespace: string | undefined
  labels: Record<string, string>
  /** Of a Service that only a record tells of, its labels are not known: they have words of these. */
  words?: ReadonlySet<string>
  ports: (string | number)[]
}

/** A monitor of ours, with the Services or workloads that it selects. */
export interface Watch {
  one: RenderedObject
  selected: Watched[]
  endpoints: { port: string | undefined; path: YamlPath }[]
}

export function watches(cluster: ClusterView): Watch[] {
  const [allPods, allServices] = [pods(cluster), services(cluster)]
  return ofKind(cluster, ...monitors)
    .filter(({ release }) => !release)
    .map((one) => {
      const spec = mapAt(one.object(), 'spec')
      const candidates = one.kind.includes('Pod') ? allPods : allServices
      const inNamespace = candidates.filter(({ namespace }) => selectsNamespace(spec, one.namespace, namespace))
      const selected = inNamespace.filter(({ labels, words }) =>
        words ? couldMatch(mapAt(spec, 'selector'), words) : matches(mapAt(spec, 'selector'), labels),
      )
      const key = Array.isArray(spec.endpoints) ? 'endpoints' : 'podMetricsEndpoints'
      const endpoints = listAt(spec, key).map((endpoint, index) => ({
        port: textAt(endpoint, 'port') ?? textAt(endpoint, 'targetPort'),
        path: ['spec', key, index],
      }))
      return { one, selected, endpoints }
    })
}

function blindMonitors(cluster: ClusterView): Finding[] {
  return watches(cluster).flatMap(({ one, selected, endpoints }) => {
    if (selected.length === 0)
      return [
        about(one, `selects no ${one.kind.includes('Pod') ? 'pod' : 'Service'} that is known`, ['spec', 'selector']),
      ]
    return endpoints.flatMap(({ port, path }) => {
      if (port === undefined || selected.some(({ ports }) => ports.map(String).includes(port))) return []
      return [about(one, `port ${port} is none of what it selects`, path)]
    })
  })
}

function services({ objects, recorded }: ClusterView): Watched[] {
  const isService = ({ kind, group }: RenderedObject) => kind === 'Service' && group === ''
  const portsOf = (one: RenderedObject) =>
    listAt(one.object(), 'spec.ports').flatMap((port) =>
      [textAt(port, 'name'), textAt(port, 'targetPort'), textAt(port, 'port')].filter((text) => text !== undefined),
    )
  return [
    ...objects.filter(isService).map((one) => ({
      one,
      namespace: one.namespace,
      labels: one.object().metadata.labels ?? {},
      ports: portsOf(one),
    })),
    ...recorded.filter(isService).map((one) => ({
      one,
      namespace: one.namespace,
      labels: {},
      words: wordsOf(one, recorded),
      ports: portsOf(one),
    })),
  ]
}

/** What a chart or an operator writes in labels: names of its own, and what it labels its pods with. */
function wordsOf(service: RenderedObject, recorded: readonly RenderedObject[]): ReadonlySet<string> {
  const { name, namespace, release, manifest } = service
  const pods = recorded.filter(
    (one) => /^(Deployment|StatefulSet|DaemonSet)$/.test(one.kind) && one.manifest.file === manifest.file,
  )
  return new Set([
    name,
    ...(namespace ? [namespace] : []),
    ...(release ? [release.releaseName, release.chartName] : []),
    ...pods.flatMap((one) => [
      one.name,
      ...Object.values(mapAt(one.object(), 'spec.template.metadata.labels')).map(String),
    ]),
  ])
}

const couldMatch = (selector: unknown, words: ReadonlySet<string>): boolean =>
  Object.values(mapAt(selector, 'matchLabels')).every((value) => words.has(String(value)))

const pods = ({ objects, recorded }: ClusterView): Watched[] =>
  [...objects, ...recorded]
    .filter(({ kind }) => /^(Deployment|StatefulSet|DaemonSet)$/.test(kind))
    .map((one) => ({
      one,
      namespace: one.namespace,
      labels: mapAt(one.object(), 'spec.template.metadata.labels') as Record<string, string>,
      ports: listAt(one.object(), 'spec.template.spec.containers').flatMap((container) =>
        listAt(container, 'ports').flatMap((port) =>
          [textAt(port, 'name'), textAt(port, 'containerPort')].filter((text) => text !== undefined),
        ),
      ),
    }))

function selectsNamespace(spec: unknown, own: string | undefined, namespace: string | undefined): boolean {
  if (dig(spec, 'namespaceSelector.any') === true) return true
  const names = listAt(spec, 'namespaceSelector.matchNames')
  return names.length > 0 ? names.includes(namespace ?? '') : own === namespace
}

/** Whether a LabelSelector selects labels. */
export function matches(selector: unknown, labels: Record<string, string>): boolean {
  const equal = dig(selector, 'matchLabels')
  if (isFields(equal) && !Object.entries(equal).every(([key, value]) => labels[key] === value)) return false
  return listAt(selector, 'matchExpressions').every((expression) => {
    const value = labels[textAt(expression, 'key') ?? '']
    const values = listAt(expression, 'values').map(String)
    switch (textAt(expression, 'operator')) {
      case 'In':
        return value !== undefined && values.includes(value)
      case 'NotIn':
        return value === undefined || !values.includes(value)
      case 'Exists':
        return value !== undefined
      default:
        return value === undefined
    }
  })
}
