/** CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy as rules. Field names and their meaning: cilium.io/v2 as of Cilium 1.19. */
import type { KubeObject } from '../../types.ts'
import { dig, type Fields, isFields, listAt, textAt } from '../fields.ts'
import type { Direction, Peer, PolicyName, PolicyRule, PolicySet, PortMatch } from './model.ts'
import { peerSelector, subjectSelector } from './selector.ts'

const sections = [
  { field: 'ingress', direction: 'ingress', deny: false },
  { field: 'ingressDeny', direction: 'ingress', deny: true },
  { field: 'egress', direction: 'egress', deny: false },
  { field: 'egressDeny', direction: 'egress', deny: true },
] as const

/** Neither who nor which port: `log` and comments change nothing. */
const idle = new Set(['toPorts', 'icmps', 'log', 'description'])

export function readCilium(object: KubeObject, into: PolicySet): void {
  const { name, namespace } = object.metadata
  const isWide = object.kind === 'CiliumClusterwideNetworkPolicy'
  const space = isWide ? undefined : (namespace ?? 'default')
  const policy: PolicyName = { kind: object.kind, name, ...(space === undefined ? {} : { namespace: space }) }
  const several = listAt(object, 'specs').map((spec, index) => ({ spec, at: `specs[${index}]` }))
  for (const { spec, at } of [{ spec: object.spec, at: 'spec' }, ...several])
    if (isFields(spec)) readSpec({ spec, at, policy, namespace: space }, into)
  into.policies += 1
}

interface Spec {
  spec: Fields
  at: string
  policy: PolicyName
  namespace: string | undefined
}

function readSpec({ spec, at, policy, namespace }: Spec, into: PolicySet): void {
  // With a nodeSelector it is about nodes, which have policies only where the host firewall is on.
  if (!isFields(spec.endpointSelector)) return
  const subject = subjectSelector(spec.endpointSelector, namespace)
  for (const direction of ['ingress', 'egress'] as const) {
    // A direction with a rule is closed for what no rule allows, unless the policy says otherwise (api.Rule.Sanitize).
    const given = dig(spec, ['enableDefaultDeny', direction])
    const has = listAt(spec, direction).length + listAt(spec, `${direction}Deny`).length > 0
    if (typeof given === 'boolean' ? given : has) into.isolations.push({ policy, direction, subject })
  }
  for (const { field, direction, deny } of sections)
    for (const [index, rule] of listAt(spec, field).entries()) {
      if (!isFields(rule)) continue
      const ports = portsOf(rule)
      const { peers, unknown } = peersOf(rule, direction, namespace, ports !== undefined)
      into.rules.push({
        policy,
        at: `${at}.${field}[${index}]`,
        direction,
        deny,
        subject,
        peers,
        unknown,
        ...(ports === undefined ? {} : { ports }),
      } satisfies PolicyRule)
    }
}

/**
 * A rule that names nobody is about everybody on its ports; without ports too it allows nothing, and only closes its direction.
 * One list that is empty selects nobody, whatever the others have.
 */
function peersOf(
  rule: Fields,
  direction: Direction,
  namespace: string | undefined,
  hasPorts: boolean,
): Pick<PolicyRule, 'peers' | 'unknown'> {
  const side = direction === 'ingress' ? 'from' : 'to'
  const readers: Record<string, (one: unknown) => Peer> = {
    [`${side}Endpoints`]: (one) => ({ kind: 'endpoints', selector: peerSelector(one, namespace) }),
    [`${side}Entities`]: (one) => ({ kind: 'entity', entity: String(one) }),
    [`${side}CIDR`]: (one) => ({ kind: 'cidr', cidr: String(one), except: [] }),
    [`${side}CIDRSet`]: cidrRule,
    [`${side}Nodes`]: () => ({ kind: 'opaque', field: `${side}Nodes`, of: 'node' }),
    [`${side}Groups`]: () => ({ kind: 'opaque', field: `${side}Groups`, of: 'world' }),
    ...(side === 'to'
      ? {
          toFQDNs: (one) => ({
            kind: 'hostname',
            pattern: textAt(one, 'matchName') ?? textAt(one, 'matchPattern') ?? '*',
          }),
          toServices: () => ({ kind: 'opaque', field: 'toServices', of: 'any' }),
        }
      : {}),
  }
  const peers: Peer[] = []
  const unknown: string[] = []
  let isNobody = false
  let named = 0
  for (const [field, value] of Object.entries(rule)) {
    const read = readers[field]
    if (!read) {
      if (!idle.has(field)) unknown.push(field)
    } else if (Array.isArray(value)) {
      named += 1
      isNobody ||= value.length === 0
      peers.push(...value.map(read))
    }
  }
  if (isNobody) return { peers: [], unknown }
  return { peers: named === 0 && hasPorts ? [{ kind: 'everybody' }] : peers, unknown }
}

function cidrRule(one: unknown): Peer {
  const cidr = textAt(one, 'cidr')
  if (cidr === undefined) return { kind: 'opaque', field: 'CIDRSet without a cidr', of: 'world' }
  return { kind: 'cidr', cidr, except: listAt(one, 'except').map(String) }
}

/** Undefined for all ports. ICMP is no port: a rule with nothing else allows no connection. */
function portsOf(rule: Fields): PortMatch[] | undefined {
  const lists = listAt(rule, 'toPorts')
  if (lists.length === 0) return listAt(rule, 'icmps').length > 0 ? [] : undefined
  return lists.flatMap((list): PortMatch[] => {
    const above = aboveLayer4(list)
    const extra = above === undefined ? {} : { above }
    const ports = listAt(list, 'ports')
    if (ports.length === 0) return [{ protocol: 'ANY', ...extra }]
    return ports.map((port) => ({ ...portMatch(port), ...extra }))
  })
}

function portMatch(port: unknown): PortMatch {
  const protocol = (textAt(port, 'protocol') ?? 'ANY').toUpperCase() as PortMatch['protocol']
  const text = textAt(port, 'port') ?? '0'
  const number = /^\d+$/.test(text) ? Number(text) : text
  const endPort = Number(textAt(port, 'endPort') ?? 0)
  return { protocol, ...(number === 0 ? {} : { port: number }), ...(endPort > 0 ? { endPort } : {}) }
}

/** What decides beyond the port. */
function aboveLayer4(list: unknown): string | undefined {
  const rules = dig(list, 'rules')
  const kinds = isFields(rules) ? Object.keys(rules).filter((kind) => listAt(rules, kind).length > 0) : []
  const others = ['serverNames', 'terminatingTLS', 'originatingTLS', 'listener'].filter(
    (field) => dig(list, field) !== undefined,
  )
  const all = [...kinds, ...others]
  return all.length > 0 ? all.join(', ') : undefined
}
