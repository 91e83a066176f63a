/** Addresses and networks with Node's own types; IPv4 and IPv6 alike. */
import { BlockList, isIP } from 'node:net'

export interface Network {
  text: string
  address: string
  family: 'ipv4' | 'ipv6'
  prefix: number
}

/** `10.25.13.0/24` as a network, or undefined when it is none (a missing or too large prefix is none). */
export function parseNetwork(text: string): Network | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text)
  const address = match?.[1] ?? ''
  const version = isIP(address)
  const prefix = Number(match?.[2])
  if (version === 0 || prefix > (version === 4 ? 32 : 128)) return undefined
  return { text, address, family: version === 4 ? 'ipv4' : 'ipv6', prefix }
}

/** Whether the address lies in the network. An address of the other family never does. */
export function contains(network: Network, address: string): boolean {
  const version = isIP(address)
  if (version === 0 || `ipv${version}` !== network.family) return false
  const list = new BlockList()
  list.addSubnet(network.address, network.prefix, network.family)
  return list.check(address, network.family)
}

/** Whether two networks share an address: networks nest or are apart, so the wider one holds the other's address. */
export function overlap(a: Network, b: Network): boolean {
  return a.prefix <= b.prefix ? contains(a, b.address) : contains(b, a.address)
}
