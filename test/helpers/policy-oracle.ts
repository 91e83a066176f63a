/**
 * What network policies allow, read naively from raw manifests: knows nothing of the evaluator's model, and asks for one connection
 * at a time "may it leave here, may it arrive there?" with plain loops. Bags of labels have bare keys.
 */
import type { Verdict } from '../../src/lib/repo/policy/evaluate.ts'

export type Bag = Record<string, string>
export interface Party {
  kind: 'pod' | 'host' | 'remote' | 'outside'
  space?: string
  bag: Bag
  address?: string
  dns?: string
}
export const spaces: Record<string, Bag> = { red: { tier: 'web' }, blue: { tier: 'data', closed: 'no' } }
export const NS = 'io.kubernetes.pod.namespace'
export const NSL = 'io.cilium.k8s.namespace.labels.'

interface RawSelector {
  matchLabels?: Bag
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}
interface RawBlock {
  cidr: string
  except?: string[]
}
interface RawRule {
  toPorts?: { ports: { port: string; protocol: string; endPort?: number }[]; rules?: object }[]
  ports?: { port?: number; protocol?: string; endPort?: number }[]
  [side: string]: unknown
}
export interface RawSpec {
  endpointSelector: RawSelector
  podSelector: RawSelector
  policyTypes?: string[]
  enableDefaultDeny?: { ingress?: boolean; egress?: boolean }
  ingress?: RawRule[]
  egress?: RawRule[]
  ingressDeny?: RawRule[]
  egressDeny?: RawRule[]
}
export interface Raw {
  kind: string
  metadata: { namespace?: string }
  spec?: RawSpec
  specs?: RawSpec[]
}
const bare = (key: string) => key.replace(/^k8s:/, '')
function fits(selector: RawSelector, bag: Bag): boolean {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) if (bag[bare(key)] !== value) return false
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const has = Object.hasOwn(bag, bare(key))
    const within = has && values.includes(bag[bare(key)] ?? '')
    if (operator === 'Exists' && !has) return false
    if (operator === 'DoesNotExist' && has) return false
    if (operator === 'In' && !within) return false
    if (operator === 'NotIn' && within) return false
  }
  return true
}
const keysOf = (selector: RawSelector) => [
  ...Object.keys(selector.matchLabels ?? {}),
  ...(selector.matchExpressions ?? []).map(({ key }) => key),
]
const speaksOfSpaces = (selector: RawSelector) => keysOf(selector).some((key) => bare(key) === NS)
const speaksOfSpaceLabels = (selector: RawSelector) => keysOf(selector).some((key) => bare(key).startsWith(NSL))

const toNumber = (ip: string) => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
function inside(ip: string, cidr: string): boolean {
  const [net = '', bits = '32'] = cidr.split('/')
  const size = 2 ** (32 - Number(bits))
  return Math.floor(toNumber(ip) / size) === Math.floor(toNumber(net) / size)
}

/** 0 no, 1 perhaps, 2 yes */
function isPeer(field: string, given: unknown, party: Party, space: string | undefined): number {
  const kind = field.replace(/^(from|to)/, '')
  if (kind === 'Endpoints') {
    const one = given as RawSelector
    if (party.kind !== 'pod') return 0
    if (!fits(one, party.bag)) return 0
    if (space === undefined || speaksOfSpaces(one) || speaksOfSpaceLabels(one)) return 2
    return party.space === space ? 2 : 0
  }
  if (kind === 'Entities') {
    const one = given
    if (one === 'all') return 2
    if (one === 'world') return party.kind === 'outside' ? 2 : 0
    if (one === 'cluster') return party.kind === 'outside' ? 0 : 2
    if (one === 'host') return party.kind === 'host' ? 2 : 0
    return one === 'remote-node' && party.kind === 'remote' ? 2 : 0
  }
  if (party.kind !== 'outside') return 0
  if (kind === 'FQDNs') {
    const one = given as { matchName?: string; matchPattern?: string }
    if (party.dns === undefined) return 1
    return one.matchName === party.dns || (one.matchPattern === '*.example.org' && party.dns === 'api.example.org')
      ? 1
      : 0
  }
  if (party.address === undefined) return 1
  const { cidr, except = [] } = (kind === 'CIDR' ? { cidr: given } : given) as RawBlock
  return inside(party.address, cidr) && !except.some((x) => inside(party.address ?? '', x)) ? 2 : 0
}

function ofCilium(
  rule: RawRule,
  side: string,
  party: Party,
  port: number,
  protocol: string,
  space: string | undefined,
): number {
  const fields = Object.keys(rule)
    .filter((key) => key.startsWith(side))
    .filter((key) => key !== 'toPorts')
  const lists = fields.map((field) => rule[field] as unknown[])
  if (lists.some((list) => list.length === 0)) return 0
  let who = 0
  for (const field of fields)
    for (const one of rule[field] as unknown[]) who = Math.max(who, isPeer(field, one, party, space))
  if (fields.length === 0) who = (rule.toPorts ?? []).length > 0 ? 2 : 0
  if (!rule.toPorts || rule.toPorts.length === 0) return who
  let where = 0
  for (const list of rule.toPorts)
    for (const one of list.ports) {
      const last = one.endPort ?? Number(one.port)
      const fit = port >= Number(one.port) && port <= last && ['ANY', protocol].includes(one.protocol)
      if (fit) where = Math.max(where, list.rules ? 1 : 2)
    }
  return Math.min(who, where)
}

function ofKubernetes(
  rule: RawRule,
  side: string,
  party: Party,
  port: number,
  protocol: string,
  space: string,
): number {
  const list = (rule[side] ?? []) as {
    ipBlock?: RawBlock
    podSelector?: RawSelector
    namespaceSelector?: RawSelector
  }[]
  let who = list.length === 0 ? 2 : 0
  for (const one of list) {
    if (one.ipBlock) {
      if (party.kind === 'outside') who = Math.max(who, isPeer('CIDRSet', one.ipBlock, party, space))
      continue
    }
    if (party.kind !== 'pod' || !fits(one.podSelector ?? {}, party.bag)) continue
    const there = one.namespaceSelector
      ? fits(one.namespaceSelector, { ...spaces[party.space ?? ''], 'kubernetes.io/metadata.name': party.space ?? '' })
      : party.space === space
    if (there) who = 2
  }
  const ports = rule.ports ?? []
  const where =
    ports.length === 0 ||
    ports.some(
      (one) =>
        (one.protocol ?? 'TCP') === protocol &&
        (one.port === undefined || (port >= one.port && port <= (one.endPort ?? one.port))),
    )
  return where ? who : 0
}

export function may(
  policies: Raw[],
  direction: 'ingress' | 'egress',
  self: Party,
  other: Party,
  port: number,
  protocol: string,
): Verdict {
  if (self.kind !== 'pod') return 'allowed'
  let closed = false
  let allow = 0
  let deny = 0
  const side = direction === 'ingress' ? 'from' : 'to'
  for (const { kind, metadata, spec, specs } of policies)
    for (const part of [...(spec ? [spec] : []), ...(specs ?? [])]) {
      if (kind === 'NetworkPolicy') {
        if (metadata.namespace !== self.space || !fits(part.podSelector, self.bag)) continue
        const types = part.policyTypes ?? ['Ingress', ...(part.egress?.length ? ['Egress'] : [])]
        if (!types.some((type) => type.toLowerCase() === direction)) continue
        closed = true
        for (const rule of part[direction] ?? [])
          allow = Math.max(allow, ofKubernetes(rule, side, other, port, protocol, metadata.namespace ?? ''))
        continue
      }
      const space = kind === 'CiliumNetworkPolicy' ? metadata.namespace : undefined
      if ((space !== undefined && space !== self.space) || !fits(part.endpointSelector, self.bag)) continue
      const rules = part[direction] ?? []
      const denies = part[`${direction}Deny`] ?? []
      if (part.enableDefaultDeny?.[direction] ?? rules.length + denies.length > 0) closed = true
      for (const rule of rules) allow = Math.max(allow, ofCilium(rule, side, other, port, protocol, space))
      for (const rule of denies) deny = Math.max(deny, ofCilium(rule, side, other, port, protocol, space))
    }
  if (deny === 2) return 'denied'
  const open = allow === 2 || !closed || (direction === 'ingress' && other.kind === 'host')
  if (open) return deny === 1 ? 'unknown' : 'allowed'
  return allow === 1 ? 'unknown' : 'denied'
}

export const harm = ['allowed', 'unknown', 'denied'] as const
export const worse = (verdicts: Verdict[]) => harm[Math.max(...verdicts.map((one) => harm.indexOf(one)))]
