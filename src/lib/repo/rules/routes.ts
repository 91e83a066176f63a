// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** What is served: under the cluster's own domain, over TLS, by images of registries that are trusted, watched at ports that exist. */
import { dig, isFields, listAt, mapAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { mergeValues } from '../releases.ts'
import { holds } from './charts.ts'
import { imagesOf } from './pins.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, type KnownRelease, ofKind, type RenderedObject } from './view.ts'

export const routeRules: Rule[] = [
  {
    id: 'route-in-domain',
    demands: 'Every host of a route and of a certificate is in the cluster’s domain',
    why: 'Nobody else’s zone can be written to, and the wildcard does not cover it',
    fix: 'name.${CLUSTER_DOMAIN}',
    source: 'design section 8',
    scope: 'house',
    check: each((cluster) => {
      const domain = cluster.settings.CLUSTER_DOMAIN ?? ''
      return ofKind(cluster, 'HTTPRoute', 'GRPCRoute', 'TLSRoute').flatMap((one) =>
        listAt(one.object(), 'spec.hostnames')
          .map(String)
          .flatMap((host, index) =>
            host === domain || host.endsWith(`.${domain}`)
              ? []
              : [about(one, `${host} is not in ${domain}`, ['spec', 'hostnames', index])],
          ),
      )
    }),
  },
  {
    id: 'route-over-tls',
    demands: 'A route is attached to a listener with TLS; over plain HTTP there is only the redirect',
    why: 'All communication is over TLS',
    fix: 'parentRefs: [{name: …, sectionName: https}]',
    source: 'NFR11, NFR12',
    scope: 'house',
    check: each(plainRoutes),
  },
  {
    id: 'gateway-redirects',
    demands: 'A gateway with a listener for HTTP has a route that redirects it to HTTPS',
    why: 'Who types a name without https:// would find nothing, or plain text',
    fix: 'An HTTPRoute on that listener with a RequestRedirect filter to https',
    source: 'issue 5',
    scope: 'house',
    check: each((cluster) => {
      const redirects = ofKind(cluster, 'HTTPRoute').filter(isRedirect)
      return ofKind(cluster, 'Gateway')
        .filter((one) =>
          listAt(one.object(), 'spec.listeners').some((listener) => textAt(listener, 'protocol') === 'HTTP'),
        )
        .filter(
          (one) => !redirects.some((route) => parents(route).some((parent) => textAt(parent, 'name') === one.name)),
        )
        .map((one) => about(one, 'listens for HTTP and nothing redirects it', ['spec', 'listeners']))
    }),
  },
  {
    id: 'trusted-registry',
    demands: 'Images come from registries that are trusted',
    why: 'A registry that nobody keeps an eye on can hand out anything under a name',
    fix: 'Use ghcr.io, quay.io, registry.k8s.io or Harbor, or add the registry to k8sops.yaml (trustedRegistries) with a reason',
    source: 'NFR15',
    scope: 'house',
    check: ({ clusters, registries }) => {
      const isTrusted = (image: string) => registries.some((prefix) => fullName(image).startsWith(prefix))
      return clusters.flatMap((cluster) =>
        imagesOf(cluster)
          .filter(({ image }) => !image.startsWith('(image of the chart)') && !isTrusted(image))
          .map(({ image, at }) => ({
            ...at(`image ${image} is of none of the trusted registries`),
            cluster: cluster.name,
          })),
      )
    },
  },
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

/** Docker's own spelling, `name` for `docker.io/library/name`. */
function fullName(image: string): string {
  const [host = '', ...rest] = image.split('/')
  if (rest.length === 0) return `docker.io/library/${image}`
  return /[.:]/.test(host) || host === 'localhost' ? image : `docker.io/${image}`
}

const parents = (one: RenderedObject) => listAt(one.object(), 'spec.parentRefs')

const isRedirect = (one: RenderedObject): boolean => {
  const rules = listAt(one.object(), 'spec.rules')
  const redirects = (rule: unknown) =>
    listAt(rule, 'filters').some((filter) => textAt(filter, 'requestRedirect.scheme') === 'https') &&
    listAt(rule, 'backendRefs').length === 0
  return rules.length > 0 && rules.every(redirects)
}

function plainRoutes(cluster: ClusterView): Finding[] {
  const listeners = new Map(ofKind(cluster, 'Gateway').map((one) => [one.name, listAt(one.object(), 'spec.listeners')]))
  return ofKind(cluster, 'HTTPRoute', 'GRPCRoute')
    .filter((one) => !isRedirect(one))
    .flatMap((one) =>
      parents(one).flatMap((parent, index): Finding[] => {
        const known = listeners.get(textAt(parent, 'name') ?? '')
        const section = textAt(parent, 'sectionName')
        const attached =
          known?.filter((listener) => section === undefined || textAt(listener, 'name') === section) ?? []
        const path = ['spec', 'parentRefs', index]
        if (known && attached.length === 0)
          return [about(one, `Gateway ${textAt(parent, 'name')} has no listener ${section}`, path)]
        const isPlain = (listener: unknown) => textAt(listener, 'protocol') === 'HTTP'
        if (!attached.some(isPlain)) return []
        return [
          about(
            one,
            `is served in plain HTTP by Gateway ${textAt(parent, 'name')}${section ? '' : ' (no sectionName)'}`,
            path,
          ),
        ]
      }),
    )
}

const monitors = ['ServiceMonitor', 'PodMonitor', 'VMServiceScrape', 'VMPodScrape']

interface Watched {
  namespace: string | undefined
  labels: Record<string, string> | undefined
  ports: (string | number)[]
}

function blindMonitors(cluster: ClusterView): Finding[] {
  return ofKind(cluster, ...monitors)
    .filter(({ release }) => !release)
    .flatMap((one) => {
      const ofPods = one.kind.includes('Pod')
      const spec = mapAt(one.object(), 'spec')
      const candidates = [
        ...(ofPods ? [...pods(cluster), ...operatorPods(cluster)] : services(cluster)),
        ...cluster.releases.flatMap((known) => ofChart(known, ofPods)),
      ]
      const inNamespace = candidates.filter(({ namespace }) => selectsNamespace(spec, one.namespace, namespace))
      const selected = inNamespace.filter(
        ({ labels }) => labels === undefined || matches(mapAt(spec, 'selector'), labels),
      )
      const key = Array.isArray(spec.endpoints) ? 'endpoints' : 'podMetricsEndpoints'
      if (selected.length === 0)
        return [about(one, `selects no ${ofPods ? 'pod' : 'Service'} that is known`, ['spec', 'selector'])]
      return listAt(spec, key).flatMap((endpoint, index) => {
        const port = textAt(endpoint, 'port') ?? textAt(endpoint, 'targetPort')
        if (port === undefined || selected.some(({ ports }) => ports.map(String).includes(port))) return []
        return [about(one, `port ${port} is none of what it selects`, ['spec', key, index])]
      })
    })
}

const services = (cluster: ClusterView): Watched[] =>
  ofKind(cluster, 'Service').map((one) => ({
    namespace: one.namespace,
    labels: one.object().metadata.labels ?? {},
    ports: listAt(one.object(), 'spec.ports').flatMap((port) =>
      [textAt(port, 'name'), textAt(port, 'targetPort'), textAt(port, 'port')].filter((text) => text !== undefined),
    ),
  }))

const pods = (cluster: ClusterView): Watched[] =>
  ofKind(cluster, 'Deployment', 'StatefulSet', 'DaemonSet').map((one) => ({
    namespace: one.namespace,
    labels: mapAt(one.object(), 'spec.template.metadata.labels') as Record<string, string>,
    ports: listAt(one.object(), 'spec.template.spec.containers').flatMap((container) =>
      listAt(container, 'ports').flatMap((port) =>
        [textAt(port, 'name'), textAt(port, 'containerPort')].filter((text) => text !== undefined),
      ),
    ),
  }))

/** Pods that operators make: of a Kafka brokers, controllers and the exporter (Strimzi 0.47), of a registry the API (Apicurio 3.2). */
const operatorPods = (cluster: ClusterView): Watched[] => [
  ...ofKind(cluster, 'Kafka').map(({ namespace, name }) => ({
    namespace,
    labels: { 'strimzi.io/cluster': name, 'strimzi.io/kind': 'Kafka' },
    ports: ['tcp-prometheus'],
  })),
  ...ofKind(cluster, 'ApicurioRegistry3').map(({ namespace, name }) => ({
    namespace,
    labels: { app: name, 'app.kubernetes.io/component': 'app', 'app.kubernetes.io/name': 'apicurio-registry' },
    ports: ['http', 'management'],
  })),
]

/** Of a chart that was not rendered the ports are known, but not every label: then the port decides. */
function ofChart({ release, facts, rendered }: KnownRelease, ofPods: boolean): Watched[] {
  if (rendered || !facts) return []
  const values = mergeValues(facts.defaults ?? {}, release.values)
  const isThere = ({ when = [] }: { when?: string[] }) => when.every((condition) => holds(condition, values))
  const ports = ofPods
    ? (facts.workloads ?? [])
        .filter(isThere)
        .flatMap(({ containers }) =>
          containers.flatMap((container) => (container.ports ?? []).flatMap(({ name, port }) => [name, port])),
        )
    : (facts.services ?? [])
        .filter(isThere)
        .flatMap((service) => service.ports.flatMap(({ name, port, targetPort }) => [name, port, targetPort]))
  return [{ namespace: release.releaseNamespace, labels: undefined, ports }]
}

function selectsNamespace(spec: unknown, own: string | undefined, namespace: string | undefined): boolean {
  if (dig(spec, 'namespaceSelector.any') === true) return true
  const names = listAt(spec, 'namespaceSelector.matchNames')
  return names.length > 0 ? names.includes(namespace ?? '') : own === namespace
}

function matches(selector: unknown, labels: Record<string, string>): boolean {
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
