/** Whether one end of a connection is one of the peers of a rule, and its port one of the rule's. */
import { BlockList, isIP } from 'node:net'
import type { Answer, Endpoint, Labels, Peer, PolicyRule, PortMatch, Protocol } from './model.ts'
import { selects } from './selector.ts'

export interface Port {
  number: number
  protocol: Protocol
}

export interface Match {
  answer: Answer
  /** Why it is no more than `maybe`. */
  because: string[]
}

const no: Match = { answer: 'no', because: [] }
const yes: Match = { answer: 'yes', because: [] }
const maybe = (because: string): Match => ({ answer: 'maybe', because: [because] })

/** @param labels the variant of `peer` that is looked at @param target whose port it is */
export function matchRule(rule: PolicyRule, peer: Endpoint, labels: Labels, port: Port, target: Endpoint): Match {
  const who = best(rule.peers.map((one) => matchPeer(one, peer, labels)))
  if (who.answer === 'no') return no
  const where = rule.ports === undefined ? yes : best(rule.ports.map((one) => matchPort(one, port, target)))
  if (where.answer === 'no') return no
  const because = [...who.because, ...where.because, ...rule.unknown.map((field) => `${field} is not evaluated`)]
  return because.length > 0 ? { answer: 'maybe', because } : yes
}

/** One yes is enough; what may be is kept apart from what is not. */
function best(matches: Match[]): Match {
  if (matches.some(({ answer }) => answer === 'yes')) return yes
  const because = matches.flatMap((one) => (one.answer === 'maybe' ? one.because : []))
  return because.length > 0 ? { answer: 'maybe', because: [...new Set(because)] } : no
}

function matchPeer(peer: Peer, { kind, address, hostname }: Endpoint, labels: Labels): Match {
  switch (peer.kind) {
    case 'everybody':
      return yes
    case 'endpoints': {
      const answer = selects(peer.selector, labels)
      return answer === 'maybe' ? maybe('a label is known to Cilium only') : { answer, because: [] }
    }
    case 'entity':
      return matchEntity(peer.entity, labels, address)
    case 'cidr':
      // Pods and nodes have identities of their own, which no CIDR selects.
      if (kind !== 'world') return no
      if (address === undefined) return maybe(`the address is not known, ${peer.cidr} may have it`)
      return isWithin(address, peer.cidr) && !peer.except.some((one) => isWithin(address, one)) ? yes : no
    case 'hostname':
      if (kind !== 'world') return no
      if (hostname === undefined) return maybe(`toFQDNs ${peer.pattern}: whose address it is, DNS decides`)
      return matchesName(peer.pattern, hostname) ? maybe(`toFQDNs ${peer.pattern}: DNS decides`) : no
    case 'opaque':
      return peer.of === 'any' || peer.of === kind ? maybe(`${peer.field} is not evaluated`) : no
  }
}

/** Entities of Cilium 1.19 (pkg/policy/api/entity.go) by the reserved labels that they stand for. */
const reserved: Record<string, string[]> = {
  host: ['host'],
  'remote-node': ['remote-node'],
  'kube-apiserver': ['kube-apiserver'],
  ingress: ['ingress'],
  init: ['init'],
  health: ['health'],
  unmanaged: ['unmanaged'],
  world: ['world'],
  cluster: ['host', 'remote-node', 'init', 'ingress', 'health', 'unmanaged'],
  none: [],
}

function matchEntity(entity: string, labels: Labels, address: string | undefined): Match {
  const has = (names: string[]) => names.some((name) => labels.has(`reserved:${name}`))
  if (entity === 'all') return yes
  const family = /^world-ipv([46])$/.exec(entity)?.[1]
  if (family) {
    if (!labels.has('reserved:world')) return no
    if (address === undefined) return maybe('the address is not known')
    return isIP(address) === Number(family) ? yes : no
  }
  const names = reserved[entity]
  if (!names) return maybe(`entity ${entity} is not known here`)
  if (has(names)) return yes
  return entity === 'cluster' && labels.has('k8s:io.kubernetes.pod.namespace') ? yes : no
}

export function isWithin(address: string, cidr: string): boolean {
  const [network = '', bits] = cidr.split('/')
  const family = isIP(network) === 6 ? 'ipv6' : 'ipv4'
  if (isIP(network) === 0 || isIP(address) !== isIP(network)) return false
  const list = new BlockList()
  list.addSubnet(network, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family)
  return list.check(address, family)
}

/** `*` stands for any characters of one label; `**.` in front for any number of labels. */
function matchesName(pattern: string, hostname: string): boolean {
  const plain = (text: string) => text.toLowerCase().replace(/\.$/, '')
  if (/^\*\*?$/.test(pattern)) return true
  const source = plain(pattern)
    .replace(/^\*\*\./, '\u0000')
    .replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll('*', '[-a-z0-9_]*')
    .replace('\u0000', String.raw`([-a-z0-9_]+\.)+`)
  return new RegExp(`^${source}$`).test(plain(hostname))
}

function matchPort(match: PortMatch, { number, protocol }: Port, target: Endpoint): Match {
  if (match.protocol !== 'ANY' && match.protocol !== protocol) return no
  const found = numberMatches(match, number, target)
  if (found.answer === 'no' || match.above === undefined) return found
  return { answer: 'maybe', because: [...found.because, `${match.above} rules are above layer 4`] }
}

function numberMatches({ port, endPort }: PortMatch, number: number, target: Endpoint): Match {
  if (port === undefined) return yes
  if (typeof port === 'string') {
    const named = target.ports?.get(port)
    if (named === undefined) return target.ports === undefined ? maybe(`which port ${port} is, is not known`) : no
    return named === number ? yes : no
  }
  return number >= port && number <= (endPort ?? port) ? yes : no
}
