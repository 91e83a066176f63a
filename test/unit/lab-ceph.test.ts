/** Rook as the lab plays it: what a set of daemons means for Ceph's health and for the budgets. */

import { describe, expect, test } from 'vitest'
import { type Daemon, healthChecks, overall } from '../../src/lib/lab/operators/ceph-health.ts'
import { osdBudgets } from '../../src/lib/lab/operators/ceph-workloads.ts'
import { fc } from '../helpers/seeded-check.ts'

const daemons = (prefix: string, ups: boolean[]): Daemon[] =>
  ups.map((up, index) => ({ id: `${prefix}${index}`, node: `n${index}`, up }))
const health = (mons: boolean[], osds: boolean[], recovering = false) =>
  healthChecks({ mons: daemons('', mons), osds: daemons('', osds), recovering })

describe('health', () => {
  test('is HEALTH_OK with everything up, and a warning until the data are whole again', () => {
    expect(health([true, true, true], [true, true, true])).toEqual({})
    const checks = health([true, true, true], [true, true, true], true) ?? {}
    expect(Object.keys(checks)).toEqual(['PG_DEGRADED'])
    expect(overall(checks)).toBe('HEALTH_WARN')
  })

  test('names what a lost host costs, and what two cost', () => {
    expect(Object.keys(health([true, false, true], [true, false, true]) ?? {})).toEqual([
      'MON_DOWN',
      'OSD_DOWN',
      'OSD_HOST_DOWN',
      'PG_DEGRADED',
    ])
    expect(health([true, true, true], [false, false, true])).toHaveProperty('PG_AVAILABILITY')
  })

  test('is not known without a quorum', () => expect(health([true, false, false], [true])).toBeUndefined())
})

test('budgets: at most one host may ever lose its OSDs by eviction', () => {
  const world = fc.record({
    hosts: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), { minLength: 1 }),
    away: fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')),
    whole: fc.boolean(),
  })
  fc.assert(
    fc.property(world, ({ hosts, away, whole }) => {
      const lost = new Set(away.filter((host) => hosts.includes(host)))
      const budgets = osdBudgets('rook-ceph', hosts, lost, whole).map(({ spec }) => spec as Budget)
      const allowed = (host: string) =>
        budgets
          .filter(({ selector: { matchLabels } }) => [undefined, host].includes(matchLabels['topology-location-host']))
          .reduce((least, { maxUnavailable }) => Math.min(least, maxUnavailable), Number.POSITIVE_INFINITY)
      for (const host of hosts) {
        // Its OSDs are away already: nothing is left to be evicted.
        if (lost.has(host)) continue
        expect(allowed(host)).toBe(lost.size === 0 && whole ? 1 : 0)
      }
    }),
  )
})

interface Budget {
  maxUnavailable: number
  selector: { matchLabels: Record<string, string> }
}
