/** Who is meant by a word of the command line: `business/odoo`, `databases/cnpg.io/cluster=postgres`, `kube-apiserver`, `1.1.1.1`, `api.github.com`. */
import { isIP } from 'node:net'
import { UsageError } from '../../errors.ts'
import type { Cluster } from '../../types.ts'
import { listAt, mapAt, textAt } from '../fields.ts'
import type { ClusterView } from '../rules/view.ts'
import type { Endpoint, Protocol } from './model.ts'
import { isWithin, type Port } from './peers.ts'
import {
  namespacesOf,
  nodeEndpoint,
  nodeWords,
  type PodTemplate,
  podLabels,
  podTemplates,
  worldEndpoint,
} from './pods.ts'

export interface EndpointDirectory {
  /** @throws UsageError for what is not there, with what there is */
  find(text: string): Endpoint[]
  /** The same for the end that is called: also a Service, whose port leads to one of its pods. @throws UsageError */
  findTarget(text: string, port: Port): { endpoints: Endpoint[]; port: Port }
  pods: Endpoint[]
}

type Facts = Pick<Cluster, 'settings' | 'vip'> & { nodes: { address: string }[] }

export function endpointDirectory(view: ClusterView, cluster: Facts): EndpointDirectory {
  const templates = podTemplates(view)
  const namespaces = namespacesOf(view)
  const endpoint = (template: PodTemplate) => podEndpoint(template, namespaces)
  const known = (namespace: string) => {
    if (namespaces.has(namespace)) return templates.filter((one) => one.namespace === namespace)
    throw new UsageError(`no manifest makes namespace ${namespace}`, {
      next: `there are: ${[...namespaces.keys()].toSorted().join(', ')}`,
    })
  }

  const find = (text: string): Endpoint[] => {
    if (nodeWords.includes(text)) return [nodeEndpoint(text)]
    if (text === 'world') return [worldEndpoint(text)]
    if (isIP(text)) return [byAddress(text, cluster)]
    const [, namespace = '', rest = ''] = /^([a-z0-9-]+)\/(.+)$/.exec(text) ?? []
    if (namespace === '') return [byHostname(text)]
    const there = known(namespace)
    if (!rest.includes('=')) {
      const named = there.filter(({ name }) => name === rest)
      const certain = named.filter(({ from }) => from === 'manifest')
      if (named.length === 0) throw notThere(text, there)
      return (certain.length > 0 ? certain : named).map(endpoint)
    }
    const labels = labelsOf(rest)
    const selected = there.filter((one) => Object.entries(labels).every(([key, value]) => one.labels[key] === value))
    if (selected.length > 0) return selected.map(endpoint)
    // Of a pod that is still to be written: it would have these labels and no others.
    return [{ kind: 'pod', text, variants: [podLabels({ namespace, labels }, namespaces.get(namespace) ?? {})] }]
  }

  const findTarget: EndpointDirectory['findTarget'] = (text, port) => {
    const [, namespace, name] = /^([a-z0-9-]+)\/([^=]+)$/.exec(text) ?? []
    const isWorkload = templates.some((one) => one.namespace === namespace && one.name === name)
    const service = [...view.objects, ...view.recorded].find(
      (one) => one.kind === 'Service' && one.namespace === namespace && one.name === name,
    )
    if (isWorkload || !service || namespace === undefined) return { endpoints: find(text), port }
    const selector = Object.entries(mapAt(service.object(), 'spec.selector'))
    const selected = templates.filter(
      (one) => one.namespace === namespace && selector.every(([key, value]) => one.labels[key] === value),
    )
    if (selector.length === 0 || selected.length === 0)
      throw new UsageError(`which pods Service ${text} leads to is not known from manifests`, {
        next: `name the pods: ${namespace}/NAME or ${namespace}/label=value`,
      })
    const ports = listAt(service.object(), 'spec.ports')
    const found = ports.find((one) => Number(textAt(one, 'port')) === port.number)
    if (!found)
      throw new UsageError(`Service ${text} has no port ${port.number}`, {
        next: `it has: ${ports.map((one) => textAt(one, 'port')).join(', ')}`,
      })
    const target = textAt(found, 'targetPort') ?? String(port.number)
    const number = /^\d+$/.test(target) ? Number(target) : selected[0]?.ports.get(target)
    if (number === undefined) throw new UsageError(`which port ${target} of Service ${text} is, is not known`)
    return { endpoints: selected.map(endpoint), port: { ...port, number } }
  }

  return { find, findTarget, pods: templates.map(endpoint) }
}

/** @param namespaces their labels, by name */
export function podEndpoint(template: PodTemplate, namespaces: ReadonlyMap<string, Record<string, string>>): Endpoint {
  const text = `${template.namespace}/${template.name}`
  if (template.hostNetwork) return nodeEndpoint('node', `${text} (in the network of its node)`)
  const labels = podLabels(template, namespaces.get(template.namespace) ?? {})
  return { kind: 'pod', text, variants: [labels], ...(template.ports.size > 0 ? { ports: template.ports } : {}) }
}

function labelsOf(text: string): Record<string, string> {
  const pairs = text.split(',').map((pair) => {
    const split = pair.lastIndexOf('=')
    if (split <= 0) throw new UsageError(`${pair} is no label`, { next: 'NAMESPACE/key=value,key=value' })
    return [pair.slice(0, split), pair.slice(split + 1)] as const
  })
  return Object.fromEntries(pairs)
}

function byAddress(address: string, { settings, vip, nodes }: Facts): Endpoint {
  for (const [key, what] of [
    ['POD_CIDR', 'a pod'],
    ['SERVICE_CIDR', 'a Service'],
  ] as const)
    if (settings[key] !== undefined && isWithin(address, settings[key]))
      throw new UsageError(`${address} is the address of ${what}, which manifests do not know`, {
        next: 'name it: NAMESPACE/NAME',
      })
  if (address === vip) return nodeEndpoint('kube-apiserver', address)
  if (nodes.some((node) => node.address === address)) return nodeEndpoint('node', address)
  return worldEndpoint(address, { address })
}

function byHostname(text: string): Endpoint {
  if (/^([a-z0-9_]([-a-z0-9_]*[a-z0-9_])?\.)+[a-z0-9-]+\.?$/i.test(text)) {
    if (/\.svc(\.|$)/.test(text))
      throw new UsageError(`${text} is a Service`, { next: `${text.split('.').slice(0, 2).toReversed().join('/')}` })
    return worldEndpoint(text, { hostname: text })
  }
  throw new UsageError(`${text} is nobody`, {
    next: `NAMESPACE/NAME, NAMESPACE/label=value, ${nodeWords.join(', ')}, world, an address or a DNS name`,
  })
}

function notThere(text: string, there: PodTemplate[]): UsageError {
  const names = [...new Set(there.map(({ name }) => name))].toSorted().join(', ')
  return new UsageError(`no manifest makes pods called ${text}`, {
    next: names === '' ? 'name them by labels: NAMESPACE/label=value' : `there are: ${names}`,
  })
}

/** `443`, `53/udp`. @throws UsageError */
export function portOf(text: string): Port {
  const [, number = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(text) ?? []
  const port = Number(number)
  if (number === '' || port < 1 || port > 65_535) throw new UsageError(`${text} is no port`, { next: '443, or 53/udp' })
  return { number: port, protocol: protocol.toUpperCase() as Protocol }
}
