/** Cilium's LB IPAM (operator/pkg/lbipam, 1.19): Services of type LoadBalancer get an address of a pool. Nobody announces it here. */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { keyOf } from '../kube/reconciler.ts'
import { report } from './operator.ts'

export interface AddressFacts {
  pools(): KubeObject[]
  services(): KubeObject[]
}

interface Block {
  cidr?: string
  start?: string
  stop?: string
}

interface Range {
  first: number
  last: number
}

const requestAnnotation = 'lbipam.cilium.io/ips'

/** Gives a Service the address that it asks for, or the first free one, and says why if it can't. */
export async function assignAddress(view: ClusterView, service: KubeObject, facts: AddressFacts): Promise<undefined> {
  if ((service.spec as { type?: string } | undefined)?.type !== 'LoadBalancer') return undefined
  const { ip, reason } = chooseAddress(service, facts)
  await report(
    view,
    service,
    [
      {
        type: 'cilium.io/IPAMRequestSatisfied',
        status: ip === undefined ? 'False' : 'True',
        reason,
        message: '',
      },
    ],
    { loadBalancer: ip === undefined ? {} : { ingress: [{ ip, ipMode: 'VIP' }] } },
  )
  return undefined
}

/** The address that a Service should have, and Cilium's word for why, or why not. What it has it keeps. */
export function chooseAddress(service: KubeObject, facts: AddressFacts): { ip?: string; reason: string } {
  const ranges = facts.pools().flatMap(rangesOf)
  const taken = new Set(facts.services().filter(isAnother(service)).flatMap(addressesOf))
  const within = (ip: string) => ranges.some(({ first, last }) => number(ip) >= first && number(ip) <= last)
  const requested = service.metadata.annotations?.[requestAnnotation]?.split(',')[0]?.trim()
  if (requested) {
    if (!within(requested)) return { reason: 'no_pool' }
    return taken.has(requested) ? { reason: 'already_allocated' } : { ip: requested, reason: 'satisfied' }
  }
  const [kept] = addressesOf(service)
  if (kept && within(kept) && !taken.has(kept)) return { ip: kept, reason: 'satisfied' }
  for (const { first, last } of ranges)
    for (let candidate = first; candidate <= last; candidate++)
      if (!taken.has(text(candidate))) return { ip: text(candidate), reason: 'satisfied' }
  return { reason: ranges.length === 0 ? 'no_pool' : 'out_of_ips' }
}

/** How many addresses a pool has, and how many of them Services hold. */
export function countPool(pool: KubeObject, services: KubeObject[]): { total: number; used: number } {
  const ranges = rangesOf(pool)
  const held = services.flatMap(addressesOf).map(number)
  return {
    total: ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0),
    used: held.filter((ip) => ranges.some(({ first, last }) => ip >= first && ip <= last)).length,
  }
}

/** IPv4; Cilium takes first and last of a CIDR too unless told otherwise. */
function rangesOf({ spec }: KubeObject): Range[] {
  const {
    blocks = [],
    allowFirstLastIPs,
    disabled,
  } = (spec ?? {}) as {
    blocks?: Block[]
    allowFirstLastIPs?: string
    disabled?: boolean
  }
  if (disabled) return []
  return blocks.flatMap(({ cidr, start, stop }) => {
    if (!cidr) return start ? [{ first: number(start), last: number(stop ?? start) }] : []
    const [base = '', bits = '32'] = cidr.split('/')
    const size = 2 ** (32 - Number(bits))
    const inset = allowFirstLastIPs === 'No' && size > 2 ? 1 : 0
    return [{ first: number(base) + inset, last: number(base) + size - 1 - inset }]
  })
}

function addressesOf({ status }: KubeObject): string[] {
  const { ingress = [] } = (status?.loadBalancer ?? {}) as { ingress?: { ip?: string }[] }
  return ingress.flatMap(({ ip }) => ip ?? [])
}

const isAnother = (service: KubeObject) => (other: KubeObject) => keyOf(other) !== keyOf(service)
const number = (address: string) => address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
const text = (address: number) => [24, 16, 8, 0].map((shift) => Math.floor(address / 2 ** shift) % 256).join('.')
