// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** What is served: under the cluster's own domain, over TLS, by images of registries that are trusted, watched at ports that exist. */

import type { Json } from '../../types.ts'
import { dig, isFields, leaves, listAt, mapAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { imagesOf } from './pins.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const routeRules: Rule[] = [
  {
    id: 'route-in-domain',
    demands: 'Every host of a route and of a certificate is in the cluster’s domain',
    why: 'Nobody else’s zone can be written to, and the wildcard does not cover it',
    fix: 'name.${CLUSTER_DOMAIN}',
    source: 'design section 8',
    scope: 'house',
    looksAt: 'itself',
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
    id: 'route-matches',
    demands: 'A match of a route says which path it is about',
    why: 'Without a value it is /, and the rule takes every request of the host',
    fix: 'path: {type: PathPrefix, value: /api}',
    source: 'Gateway API',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'HTTPRoute').flatMap((one) =>
        listAt(one.object(), 'spec.rules').flatMap((rule, index) =>
          listAt(rule, 'matches').flatMap((match, at) =>
            dig(match, 'path') === undefined || textAt(match, 'path.value') !== undefined
              ? []
              : [about(one, `rule ${index}: a path without a value`, ['spec', 'rules', index, 'matches', at])],
          ),
        ),
      ),
    ),
  },
  {
    id: 'route-target-published',
    demands: 'The name that routes become CNAMEs of is published itself: by a Service, a gateway or a DNSEndpoint',
    why: 'Every host behind it would be a name that leads nowhere',
    fix: 'external-dns.alpha.kubernetes.io/hostname with the same name, or a DNSEndpoint',
    source: 'FR51',
    scope: 'house',
    check: each((cluster) => {
      const published = new Set(
        cluster.objects
          .filter(({ release, kind }) => !release && kind !== 'CustomResourceDefinition')
          .flatMap((one) => leaves(one.object()))
          .filter(
            ({ path }) => path.at(-1) === 'external-dns.alpha.kubernetes.io/hostname' || path.at(-1) === 'dnsName',
          )
          .map(({ value }) => String(value)),
      )
      const key = 'external-dns.alpha.kubernetes.io/target'
      return cluster.objects.flatMap((one) => {
        const target = one.object().metadata?.annotations?.[key]
        if (target === undefined || published.has(target) || /^[\d.:]+$/.test(target)) return []
        return [about(one, `nothing publishes ${target}`, ['metadata', 'annotations', key])]
      })
    }),
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
    looksAt: 'itself',
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
  const routes = ofKind(cluster, 'HTTPRoute', 'GRPCRoute').filter((one) => !isRedirect(one))
  const attached = [
    ...routes.map((one) => ({ one, base: ['spec', 'parentRefs'], refs: parents(one) })),
    // Of a chart's route the values have the same list.
    ...ofKind(cluster, 'HelmRelease').flatMap((one) =>
      listsNamed('parentRefs', dig(one.object(), 'spec.values'), ['spec', 'values']).map(({ list, path }) => ({
        one,
        base: path,
        refs: list,
      })),
    ),
  ]
  return attached.flatMap(({ one, base, refs }) =>
    refs.flatMap((parent, index): Finding[] => {
      const known = listeners.get(textAt(parent, 'name') ?? '')
      const section = textAt(parent, 'sectionName')
      const matching = known?.filter((listener) => section === undefined || textAt(listener, 'name') === section) ?? []
      const path = [...base, index]
      if (known && matching.length === 0)
        return [about(one, `Gateway ${textAt(parent, 'name')} has no listener ${section}`, path)]
      const isPlain = (listener: unknown) => textAt(listener, 'protocol') === 'HTTP'
      if (!matching.some(isPlain)) return []
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

function listsNamed(
  name: string,
  value: unknown,
  path: (string | number)[],
): { list: Json[]; path: (string | number)[] }[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => listsNamed(name, item, [...path, index]))
  if (!isFields(value)) return []
  return Object.entries(value).flatMap(([key, below]) =>
    key === name && Array.isArray(below)
      ? [{ list: below, path: [...path, key] }]
      : listsNamed(name, below, [...path, key]),
  )
}

const monitors = ['ServiceMonitor', 'PodMonitor', 'VMServiceScrape', 'VMPodScrape']

interface Watched {
  namespace: string | undefined
  labels: Record<string, string> | undefined
  ports: (string | number)[]
}

function blindMonitors(cluster: ClusterView): Finding[] {
  const [allPods, allServices] = [pods(cluster), services(cluster)]
  return ofKind(cluster, ...monitors)
    .filter(({ release }) => !release)
    .flatMap((one) => {
      const ofPods = one.kind.includes('Pod')
      const spec = mapAt(one.object(), 'spec')
      const candidates = ofPods ? allPods : allServices
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

/** Of a Service that only a record tells of, the labels are not known: then the port decides. */
const services = ({ objects, recorded }: ClusterView): Watched[] =>
  [...objects, ...recorded.map((one) => ({ ...one, isRecorded: true }))]
    .filter(({ kind }) => kind === 'Service')
    .map((one) => ({
      namespace: one.namespace,
      labels: 'isRecorded' in one ? undefined : (one.object().metadata.labels ?? {}),
      ports: listAt(one.object(), 'spec.ports').flatMap((port) =>
        [textAt(port, 'name'), textAt(port, 'targetPort'), textAt(port, 'port')].filter((text) => text !== undefined),
      ),
    }))

const pods = ({ objects, recorded }: ClusterView): Watched[] =>
  [...objects, ...recorded]
    .filter(({ kind }) => /^(Deployment|StatefulSet|DaemonSet)$/.test(kind))
    .map((one) => ({
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
