/** Addresses: networks, and names of Services wherever a text has one, in URLs, in settings of applications, in values of charts. */
import { parseNetwork } from '../../config/rules/networks.ts'
import { dig, leaves, listAt, textAt } from '../fields.ts'
import type { Finding, YamlPath } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const addressRules: Rule[] = [
  {
    id: 'service-address-exists',
    demands: 'A Service that a text names by its address is there, and has the port',
    why: 'The name does not resolve, or nobody answers; only the log of whoever asks says so',
    fix: 'http://name.namespace.svc.cluster.local:port, as `kubectl get services -A` has them',
    source: 'Kubernetes, DNS for Services',
    scope: 'any',
    check: each(strangeAddresses),
  },
  {
    id: 'cidr-wellformed',
    demands: 'A network of a policy or a pool is one: address/bits',
    why: 'The API server refuses it, and its whole Kustomization with it',
    fix: '10.0.0.0/8',
    source: 'Cilium 1.19, Kubernetes 1.35',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      cluster.objects
        .filter(({ release, kind, group }) => !release && (group === 'cilium.io' || kind === 'NetworkPolicy'))
        .flatMap((one) =>
          leaves(one.object())
            .filter(({ path, value }) => isNetwork.test(path.join('.')) && parseNetwork(String(value)) === undefined)
            .map(({ path, value }) => about(one, `${value} is no network`, [...path])),
        ),
    ),
  },
  {
    id: 'published-has-address',
    demands: 'What is published under a name of its own has an address of its own, and what has an address has a name',
    why: 'Without one Cilium takes the next free address: after it was made anew, names and firewall rules mean another',
    fix: 'annotations: lbipam.cilium.io/ips and external-dns.alpha.kubernetes.io/hostname together',
    source: 'FR25, FR51',
    scope: 'house',
    looksAt: 'itself',
    check: each(halfPublished),
  },
]

const isNetwork = /\.cidr$|\.except\.\d+$|\.(from|to)CIDR\.\d+$/

const [published, addressed] = ['external-dns.alpha.kubernetes.io/hostname', 'lbipam.cilium.io/ips']

/** Both, wherever annotations of a Service stand: in the Service, or where an operator takes them from. */
function halfPublished(cluster: ClusterView): Finding[] {
  return cluster.objects
    .filter(({ release, kind }) => !release && kind !== 'CustomResourceDefinition')
    .flatMap((one) =>
      leaves(one.object())
        .filter(({ path }) => path.at(-2) === 'annotations' && [published, addressed].includes(String(path.at(-1))))
        .flatMap(({ path }) => {
          const lacking = path.at(-1) === published ? addressed : published
          return dig(one.object(), [...path.slice(0, -1), lacking]) === undefined
            ? [about(one, `${path.at(-1)} without ${lacking}`, path)]
            : []
        }),
    )
}

/** `scheme://a.name.namespace.svc.cluster.local:port`; a name before the Service's is one of its pods. */
const address =
  /(?:\b(?<scheme>[a-z][a-z0-9+]*):\/\/(?:[^/\s@"']*@)?)?(?<![\w.*-])(?:[a-z0-9-]+\.)*?(?<name>[a-z0-9-]+)\.(?<namespace>[a-z0-9-]+)\.svc(?:\.cluster\.local)?(?![\w-])(?::(?<port>\d+))?/g

const usualPorts: Record<string, string> = { http: '80', https: '443' }

/** Ports of each Service, by `namespace/name`; a Service without any takes every port (ExternalName). */
export const servicePorts = (cluster: ClusterView): Map<string, string[]> =>
  new Map(
    [...cluster.objects, ...cluster.recorded]
      .filter(({ kind, group }) => kind === 'Service' && group === '')
      .map((one) => [
        `${one.namespace}/${one.name}`,
        listAt(one.object(), 'spec.ports').flatMap((port) => textAt(port, 'port') ?? []),
      ]),
  )

function strangeAddresses(cluster: ClusterView): Finding[] {
  const made = new Set(ofKind(cluster, 'Namespace').map(({ name }) => name))
  const services = servicePorts(cluster)
  // Of a chart that was neither rendered nor recorded nobody knows what it makes.
  const unknown = new Set(
    cluster.releases
      .filter(({ rendered, facts }) => !rendered && !facts)
      .map(({ release }) => release.releaseNamespace),
  )
  const wrong = (namespace: string, name: string, port: string | undefined): string | undefined => {
    if (namespace === 'default' || unknown.has(namespace)) return undefined
    const ports = services.get(`${namespace}/${name}`)
    if (ports === undefined)
      return made.has(namespace) || namespace === 'kube-system'
        ? `no Service ${namespace}/${name} is there`
        : `namespace ${namespace} is not made`
    return port === undefined || ports.length === 0 || ports.includes(port)
      ? undefined
      : `Service ${namespace}/${name} has no port ${port}`
  }
  return cluster.objects
    .filter(({ release, kind }) => !release && kind !== 'CustomResourceDefinition')
    .flatMap((one) =>
      addressesIn(one).flatMap(({ namespace, name, port, path }) => {
        const why = wrong(namespace, name, port)
        return why ? [about(one, why, path)] : []
      }),
    )
}

export interface ServiceAddress {
  namespace: string
  name: string
  /** As it is told, or as the scheme has it. */
  port: string | undefined
  path: YamlPath
}

/** Services that an object names by their address. */
export const addressesIn = (one: RenderedObject): ServiceAddress[] =>
  leaves(one.object()).flatMap(({ path, value }) => {
    if (typeof value !== 'string' || !value.includes('.svc')) return []
    return [...value.matchAll(address)].map(({ groups = {} }) => {
      const { scheme = '', name = '', namespace = '', port = usualPorts[scheme] } = groups
      return { namespace, name, port, path }
    })
  })
