import { contains, type Network } from '../config/rules/networks.ts'

/**
 * Puts every IPv4 address of one network at the same place of another one, and so the network itself.
 * @param moves networks of one size each
 */
export function moveAddresses(text: string, moves: [from: Network, to: Network][]): string {
  return text.replace(/(?<![\d.])\d+(?:\.\d+){3}(?![\d.]*\d)/g, (address) => {
    const [from, to] = moves.find(([network]) => contains(network, address)) ?? []
    return from && to ? addressOf(numberOf(to.address) + numberOf(address) - numberOf(from.address)) : address
  })
}

const numberOf = (address: string) =>
  address
    .split('.')
    .map(Number)
    .reduce((sum, part) => sum * 256 + part, 0)
const addressOf = (value: number) => [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
