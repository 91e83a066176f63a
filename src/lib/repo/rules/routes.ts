// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** What is served: under the cluster's own domain, over TLS, by images of registries that are trusted. */

import { dig, leaves, listAt, listsNamed, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { servicePorts } from './addresses.ts'
import { matches } from './monitors.ts'
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
    id: 'route-is-admitted',
    demands: 'A gateway’s listener admits the routes that attach to it: their namespace, and one of their hosts',
    why: 'The gateway takes no notice of any other; only the route’s status says so',
    fix: 'allowedRoutes of the listener (Same without it), or a host below the listener’s',
    source: 'Gateway API',
    scope: 'any',
    check: each(turnedAway),
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
    id: 'route-backend-port',
    demands: 'A backend of a route says which port of its Service, and the Service has it',
    why: 'The API server refuses a route to a Service without a port; one to a port that is not there answers every request with 500',
    fix: 'port: <the port of the Service>, not that of its pods',
    source: 'Gateway API',
    scope: 'any',
    check: each((cluster) => {
      const services = servicePorts(cluster)
      return ofKind(cluster, 'HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute', 'UDPRoute').flatMap((one) =>
        listAt(one.object(), 'spec.rules').flatMap((rule, index) =>
          listAt(rule, 'backendRefs').flatMap((backend, at): Finding[] => {
            if ((textAt(backend, 'kind') ?? 'Service') !== 'Service') return []
            const [name, port] = [textAt(backend, 'name'), textAt(backend, 'port')]
            const path = ['spec', 'rules', index, 'backendRefs', at]
            if (port === undefined) return [about(one, `names no port of Service ${name}`, path)]
            const ports = services.get(`${textAt(backend, 'namespace') ?? one.namespace}/${name}`) ?? []
            if (ports.length === 0 || ports.includes(port)) return []
            return [about(one, `Service ${name} has no port ${port}`, [...path, 'port'])]
          }),
        ),
      )
    }),
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
    demands: 'A gateway with a listener for HTTP has a route that redirects it to HTTPS, for good',
    why: 'Who types a name without https:// would find nothing, or plain text',
    fix: 'An HTTPRoute on that listener with a RequestRedirect filter to https, statusCode: 301',
    source: 'issue 5',
    scope: 'house',
    check: each((cluster) => {
      const redirects = ofKind(cluster, 'HTTPRoute').filter((one) => isRedirect(one) && isForGood(one))
      return ofKind(cluster, 'Gateway')
        .filter((one) =>
          listAt(one.object(), 'spec.listeners').some((listener) => textAt(listener, 'protocol') === 'HTTP'),
        )
        .filter(
          (one) => !redirects.some((route) => parents(route).some((parent) => textAt(parent, 'name') === one.name)),
        )
        .map((one) => about(one, 'listens for HTTP and nothing redirects it for good', ['spec', 'listeners']))
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

/** What browsers keep, so that they don't ask in plain text again. */
const isForGood = (one: RenderedObject): boolean =>
  listAt(one.object(), 'spec.rules').every((rule) =>
    listAt(rule, 'filters').some((filter) => /^30[18]$/.test(textAt(filter, 'requestRedirect.statusCode') ?? '')),
  )

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

function turnedAway(cluster: ClusterView): Finding[] {
  const gateways = new Map(
    ofKind(cluster, 'Gateway.gateway.networking.k8s.io').map((one) => [`${one.namespace}/${one.name}`, one]),
  )
  const labels = new Map(ofKind(cluster, 'Namespace').map((one) => [one.name, one.object().metadata.labels ?? {}]))
  return ofKind(cluster, 'HTTPRoute', 'GRPCRoute', 'TLSRoute').flatMap((one) => {
    const hosts = listAt(one.object(), 'spec.hostnames').map(String)
    return parents(one).flatMap((parent, index): Finding[] => {
      const [name, section] = [textAt(parent, 'name'), textAt(parent, 'sectionName')]
      const gateway = gateways.get(`${textAt(parent, 'namespace') ?? one.namespace}/${name}`)
      if (!gateway) return []
      const attached = listAt(gateway.object(), 'spec.listeners').filter(
        (listener) => section === undefined || textAt(listener, 'name') === section,
      )
      const isIn = (listener: unknown) => {
        const from = textAt(listener, 'allowedRoutes.namespaces.from') ?? 'Same'
        if (from === 'Selector')
          return matches(dig(listener, 'allowedRoutes.namespaces.selector'), labels.get(one.namespace ?? '') ?? {})
        return from === 'All' || one.namespace === gateway.namespace
      }
      const path = ['spec', 'parentRefs', index]
      const admitting = attached.filter(isIn)
      // A listener that is not there another rule tells of.
      if (attached.length > 0 && admitting.length === 0)
        return [about(one, `Gateway ${name} admits no route of namespace ${one.namespace}`, path)]
      const isServed = (listener: unknown) => {
        const served = textAt(listener, 'hostname')
        return served === undefined || hosts.length === 0 || hosts.some((host) => meet(host, served))
      }
      return attached.length === 0 || admitting.some(isServed)
        ? []
        : [about(one, `Gateway ${name} serves none of ${hosts.join(', ')}`, path)]
    })
  })
}

/** Whether two hosts of the Gateway API have a name in common: `*.a.b` stands for all below. */
function meet(one: string, other: string): boolean {
  const isBelow = (host: string, wildcard: string) => wildcard.startsWith('*.') && host.endsWith(wildcard.slice(1))
  return one === other || isBelow(one, other) || isBelow(other, one)
}
