import { contains, type Network } from '../config/rules/networks.ts'

export type Move = [from: Network, to: Network]

const addresses = /(?<![\d.])(\d+(?:\.\d+){3})(?![\d.]*\d)(\/\d+)?/g

/**
 * Puts every IPv4 address of one network at the same place of another one, and so the network itself.
 * @param moves the first that has an address decides; a prefix (`/24`) goes with the network that has this prefix
 */
export function moveAddresses(text: string, moves: Move[]): string {
  return text.replace(addresses, (whole, address: string, prefix = '') => {
    const theirs = moves.filter(([network]) => contains(network, address))
    const [from, to] = theirs[0] ?? []
    if (!from || !to) return whole
    const network = theirs.find(([old]) => prefix === `/${old.prefix}`)?.[1]
    return `${addressOf(numberOf(to.address) + placeOf(from, address))}${network ? `/${network.prefix}` : prefix}`
  })
}

/** Addresses of the old network that have no place in the new one: behind its end, or where its broadcasts go. */
export function misfits(text: string, [from, to]: Move): string[] {
  const last = 2 ** (32 - to.prefix) - 1
  const found = [...text.matchAll(addresses)].map(([, address = '']) => address)
  return [...new Set(found)].filter((address) => contains(from, address) && placeOf(from, address) >= Math.max(last, 1))
}

/** `10.25.12.5/24` -> `10.25.12.0/24` */
export const networkOf = ({ address, prefix }: Network): string =>
  `${addressOf(Math.floor(numberOf(address) / 2 ** (32 - prefix)) * 2 ** (32 - prefix))}/${prefix}`

const placeOf = (network: Network, address: string) => numberOf(address) - numberOf(network.address)
const numberOf = (address: string) =>
  address
    .split('.')
    .map(Number)
    .reduce((sum, part) => sum * 256 + part, 0)
const addressOf = (value: number) => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
