import { expect, test } from 'vitest'
import { contains, overlap, parseNetwork } from '../../../src/lib/config/rules/networks.ts'
import { fc } from '../../helpers/seeded-check.ts'

/** An own, bitwise reading of IPv4, to compare with. */
const toNumber = (address: string) => address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0)
const firstOf = (address: number, prefix: number) => address - (address % 2 ** (32 - prefix))
const lastOf = (address: number, prefix: number) => firstOf(address, prefix) + 2 ** (32 - prefix) - 1
const network = fc.record({ address: fc.ipV4(), prefix: fc.integer({ min: 1, max: 32 }) })

test('containment is what arithmetic says', () => {
  fc.assert(
    fc.property(network, fc.ipV4(), ({ address, prefix }, other) => {
      const [base, value] = [toNumber(address), toNumber(other)]
      const inside = value >= firstOf(base, prefix) && value <= lastOf(base, prefix)
      expect(contains(parseNetwork(`${address}/${prefix}`)!, other)).toBe(inside)
    }),
  )
})

test('overlap is what arithmetic says, and symmetric', () => {
  fc.assert(
    fc.property(network, network, (a, b) => {
      const [x, y] = [parseNetwork(`${a.address}/${a.prefix}`)!, parseNetwork(`${b.address}/${b.prefix}`)!]
      const [p, q] = [toNumber(a.address), toNumber(b.address)]
      const shared = firstOf(p, a.prefix) <= lastOf(q, b.prefix) && firstOf(q, b.prefix) <= lastOf(p, a.prefix)
      expect(overlap(x, y)).toBe(shared)
      expect(overlap(y, x)).toBe(shared)
    }),
  )
})

test.each(['10.0.0.0', '10.0.0.0/33', '10.0.0/8', 'x/8', '10.0.0.0/', 'fd00::/129', ''])('%j is no network', (text) => {
  expect(parseNetwork(text)).toBeUndefined()
})

test('families do not mix', () => {
  expect(contains(parseNetwork('fd00::/8')!, '10.0.0.1')).toBe(false)
  expect(contains(parseNetwork('fd00::/8')!, 'fd00::1')).toBe(true)
  expect(overlap(parseNetwork('0.0.0.0/1')!, parseNetwork('fd00::/8')!)).toBe(false)
})
