/** NetworkPolicy (networking.k8s.io/v1) as rules. */
import type { KubeObject } from '../../types.ts'
import { dig, isFields, listAt, textAt } from '../fields.ts'
import type { Direction, Peer, PolicyName, PolicySet, PortMatch, Selector } from './model.ts'
import { inNamespace, kubernetesSelector, namespaceLabels, somePod } from './selector.ts'

export function readNetworkPolicy(object: KubeObject, into: PolicySet): void {
  const { name, namespace = 'default' } = object.metadata
  const policy: PolicyName = { kind: object.kind, namespace, name }
  const subject = [...kubernetesSelector(dig(object, 'spec.podSelector')), inNamespace(namespace)]
  const given = listAt(object, 'spec.policyTypes').map((type) => String(type).toLowerCase())
  const egress = listAt(object, 'spec.egress').length > 0
  const types = given.length > 0 ? given : ['ingress', ...(egress ? ['egress'] : [])]
  for (const direction of ['ingress', 'egress'] as const) {
    if (!types.includes(direction)) continue
    into.isolations.push({ policy, direction, subject })
    for (const [index, rule] of listAt(object, `spec.${direction}`).entries()) {
      const ports = portsOf(rule)
      into.rules.push({
        policy,
        at: `spec.${direction}[${index}]`,
        direction,
        deny: false,
        subject,
        unknown: [],
        peers: peersOf(rule, direction, namespace),
        ...(ports === undefined ? {} : { ports }),
      })
    }
  }
  into.policies += 1
}

/** A list that is empty or not there is everybody. */
function peersOf(rule: unknown, direction: Direction, namespace: string): Peer[] {
  const list = listAt(rule, direction === 'ingress' ? 'from' : 'to')
  if (list.length === 0) return [{ kind: 'everybody' }]
  return list.map((one): Peer => {
    const cidr = textAt(one, 'ipBlock.cidr')
    if (cidr !== undefined) return { kind: 'cidr', cidr, except: listAt(one, 'ipBlock.except').map(String) }
    return { kind: 'endpoints', selector: podsOf(one, namespace) }
  })
}

function podsOf(peer: unknown, namespace: string): Selector {
  const pods = kubernetesSelector(dig(peer, 'podSelector'))
  const spaces = dig(peer, 'namespaceSelector')
  if (!isFields(spaces)) return [...pods, inNamespace(namespace)]
  return [...pods, ...kubernetesSelector(spaces, namespaceLabels), somePod]
}

/** Undefined for all ports. */
function portsOf(rule: unknown): PortMatch[] | undefined {
  const ports = listAt(rule, 'ports')
  if (ports.length === 0) return undefined
  return ports.map((port): PortMatch => {
    const protocol = (textAt(port, 'protocol') ?? 'TCP') as PortMatch['protocol']
    const text = textAt(port, 'port')
    const endPort = Number(textAt(port, 'endPort') ?? 0)
    if (text === undefined) return { protocol }
    return { protocol, port: /^\d+$/.test(text) ? Number(text) : text, ...(endPort > 0 ? { endPort } : {}) }
  })
}
