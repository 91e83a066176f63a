/**
 * Connections that manifests ask for, and network policies have to leave open: from a gateway to the backends of its routes, from what scrapes to
 * what is watched, from whoever is given a Service's address to that Service. Decided from manifests alone (ADR 0035).
 */
import { leaves, listAt, mapAt, textAt } from '../fields.ts'
import type { Finding, YamlPath } from '../locate.ts'
import { once } from '../once.ts'
import { clusterPolicies, isPolicy } from '../policy/cluster-policies.ts'
import { podEndpoint } from '../policy/endpoints.ts'
import { explain } from '../policy/evaluate.ts'
import type { Endpoint, PolicySet } from '../policy/model.ts'
import { namespacesOf, type PodTemplate, podTemplates, worldEndpoint } from '../policy/pods.ts'
import type { SchemaTables } from '../schema-tables.ts'
import { anyOf } from '../words.ts'
import { addressesIn } from './addresses.ts'
import { watches } from './monitors.ts'
import { about, each, type Rule } from './rule.ts'
import { takings } from './taken.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const flowRules: Rule[] = [
  {
    id: 'flow-is-open',
    demands:
      'Policies leave open what manifests ask for: a gateway reaches the backends of its routes, what scrapes reaches what is watched, and whoever is given the address of a Service, or of a host outside that policies name, reaches it',
    why: 'The connection times out, long after everybody has looked away from the commit',
    fix: '`k8sops netpol explain FROM TO PORT` says which policy closes it; the label or the policy that was meant to open it',
    source: 'NFR9',
    scope: 'house',
    check: (view) => each((cluster) => closedFlows(cluster, view.schemas))(view),
  },
]

/** One that is asked for: from some of these to each of those. */
interface Flow {
  one: RenderedObject
  path: YamlPath
  from: PodTemplate[]
  to: PodTemplate[]
  /** Number or name of the pods' port. */
  port: string
}

function closedFlows(cluster: ClusterView, schemas: SchemaTables): Finding[] {
  const { set } = clusterPolicies(cluster)
  const namespaces = namespacesOf(cluster)
  const pods = podTemplates(cluster)
  const endpointOf = once((template: PodTemplate) => podEndpoint(template, namespaces))
  const readers = readersIn(cluster, pods, schemas)
  const inside = [...routed(cluster, pods), ...scraped(cluster, pods), ...addressed(cluster, pods, readers)].flatMap(
    ({ one, path, from, to, port }) =>
      to.flatMap((target): Finding[] => {
        const number = /^\d+$/.test(port) ? Number(port) : target.ports.get(port)
        if (number === undefined || from.length === 0) return []
        const closed = from.map((source) =>
          explain(set, endpointOf(source), endpointOf(target), { number, protocol: 'TCP' }),
        )
        if (closed.some(({ verdict }) => verdict !== 'denied')) return []
        const [source] = from
        const [found] = closed
        const side = found?.egress.verdict === 'denied' ? found.egress : found?.ingress
        const message = `${source?.namespace}/${source?.name} may not reach ${target.namespace}/${target.name}:${number} (${side?.direction}: ${side?.why})`
        return [about(one, message, path)]
      }),
  )
  return [...inside, ...closedOutside(cluster, set, endpointOf, readers)]
}

const servicesOf = once((cluster: ClusterView) => {
  const services = [...cluster.objects, ...cluster.recorded].filter(
    ({ kind, group }) => kind === 'Service' && group === '',
  )
  return Map.groupBy(services, ({ namespace, name }) => `${namespace}/${name}`)
})

const serviceAt = (cluster: ClusterView, namespace: string | undefined, name: string | undefined) =>
  servicesOf(cluster).get(`${namespace}/${name}`)?.[0]

/** The pods behind a Service, and which of their ports one of its is; none where that is not known. */
function behind(service: RenderedObject | undefined, port: string | undefined, pods: PodTemplate[]) {
  const selector = Object.entries(mapAt(service?.object(), 'spec.selector'))
  const isBehind = ({ namespace, labels, name, of }: PodTemplate): boolean => {
    if (!service || namespace !== service.namespace) return false
    if (selector.length > 0) return selector.every(([key, value]) => labels[key] === value)
    // An operator calls the Services of what it makes after it.
    return of.manifest.file === service.manifest.file && service.name.startsWith(name)
  }
  const found = listAt(service?.object(), 'spec.ports').find((one) =>
    [textAt(one, 'port'), textAt(one, 'name')].includes(port),
  )
  return {
    to: pods.filter(isBehind),
    port: found === undefined ? undefined : (textAt(found, 'targetPort') ?? textAt(found, 'port')),
  }
}

function routed(cluster: ClusterView, pods: PodTemplate[]): Flow[] {
  return ofKind(cluster, 'HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute').flatMap((one) =>
    listAt(one.object(), 'spec.rules').flatMap((rule, index) =>
      listAt(rule, 'backendRefs').flatMap((backend, position): Flow[] => {
        const space = textAt(backend, 'namespace') ?? one.namespace
        const { to, port } = behind(serviceAt(cluster, space, textAt(backend, 'name')), textAt(backend, 'port'), pods)
        if (port === undefined) return []
        return listAt(one.object(), 'spec.parentRefs').map((parent) => ({
          one,
          path: ['spec', 'rules', index, 'backendRefs', position],
          from: pods.filter(
            ({ labels }) => labels['gateway.envoyproxy.io/owning-gateway-name'] === textAt(parent, 'name'),
          ),
          to,
          port,
        }))
      }),
    ),
  )
}

function scraped(cluster: ClusterView, pods: PodTemplate[]): Flow[] {
  const from = pods.filter(({ labels }) => labels['app.kubernetes.io/name'] === 'vmagent')
  return watches(cluster).flatMap(({ one, selected, endpoints }) =>
    endpoints.flatMap(({ port, path }) =>
      selected.flatMap((watched): Flow[] => {
        const found =
          watched.one.kind === 'Service'
            ? behind(watched.one, port, pods)
            : { to: pods.filter((pod) => pod.of === watched.one), port }
        return found.port === undefined ? [] : [{ one, path, from, to: found.to, port: found.port }]
      }),
    ),
  )
}

/** Whose configuration an object is: its own pods', those of the release that has it in its values, or of whoever takes from it. */
function readersIn(
  cluster: ClusterView,
  pods: PodTemplate[],
  schemas: SchemaTables,
): (one: RenderedObject) => PodTemplate[] {
  const all = Map.groupBy(takings(cluster, schemas), ({ name }) => name)
  const made = (one: RenderedObject) => ({
    kind: one.kind === 'ConfigMap' ? 'ConfigMap' : 'Secret',
    name: (one.kind === 'ExternalSecret' ? textAt(one.object(), 'spec.target.name') : undefined) ?? one.name,
  })
  const readersOf = (one: RenderedObject): RenderedObject[] => {
    if (one.kind !== 'ConfigMap' && one.kind !== 'ExternalSecret') return [one]
    const { kind, name } = made(one)
    return (all.get(name) ?? [])
      .filter((take) => take.kind === kind && take.namespace === one.namespace)
      .map((take) => take.one)
  }
  const podsOf = (reader: RenderedObject) =>
    pods.filter(({ of, from }) => {
      if (reader.kind === 'HelmRelease')
        return of.release?.name === reader.name && of.release.namespace === reader.namespace
      // What an operator makes of a custom resource comes from its file.
      const isMadeOf = from === 'record' && of.release === undefined && of.manifest.file === reader.manifest.file
      return of === reader || (isMadeOf && of.kustomization === reader.kustomization)
    })
  return once((one) => [...new Set(readersOf(one).flatMap(podsOf))])
}

const configuring = ({ objects }: ClusterView): RenderedObject[] =>
  objects.filter(({ release, kind }) => !release && kind !== 'CustomResourceDefinition')

const addressed = (
  cluster: ClusterView,
  pods: PodTemplate[],
  readers: (one: RenderedObject) => PodTemplate[],
): Flow[] =>
  configuring(cluster).flatMap((one) =>
    addressesIn(one).flatMap(({ namespace, name, port, path }): Flow[] => {
      const found = behind(serviceAt(cluster, namespace, name), port, pods)
      return found.port === undefined ? [] : [{ one, path, from: readers(one), to: found.to, port: found.port }]
    }),
  )

/** Hosts outside that policies open to some: whoever is told of one of them and is not among those does not get there. */
function closedOutside(
  cluster: ClusterView,
  set: PolicySet,
  endpointOf: (template: PodTemplate) => Endpoint,
  readers: (one: RenderedObject) => PodTemplate[],
): Finding[] {
  // To a host of this cluster one comes through its gateways, by a policy about their pods.
  const own = new Set(ofKind(cluster, 'HTTPRoute').flatMap((one) => listAt(one.object(), 'spec.hostnames').map(String)))
  const hosts = new Set(
    set.rules
      .flatMap(({ peers }) => peers.flatMap((peer) => (peer.kind === 'hostname' ? [peer.pattern] : [])))
      .filter((host) => !host.includes('*') && !/\.svc(\.|$)/.test(host) && !own.has(host)),
  )
  const any = anyOf(hosts)
  return configuring(cluster)
    .filter((one) => !isPolicy(one))
    .flatMap((one) =>
      leaves(one.object()).flatMap(({ path, value }): Finding[] => {
        if (typeof value !== 'string' || !any.test(value)) return []
        return [...hosts]
          .filter((host) => value.includes(host))
          .flatMap((host) => {
            const number = Number(/^:(\d+)/.exec(value.slice(value.indexOf(host) + host.length))?.[1] ?? 443)
            const there = worldEndpoint(host, { hostname: host })
            const from = readers(one)
            const [first] = from
            const isClosed = (source: PodTemplate) =>
              explain(set, endpointOf(source), there, { number, protocol: 'TCP' }).verdict === 'denied'
            return first !== undefined && from.every(isClosed)
              ? [about(one, `${first.namespace}/${first.name} may not reach ${host}:${number}`, path)]
              : []
          })
      }),
    )
}
