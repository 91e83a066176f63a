/** `k8sops ceph status`: what is known is told, what nobody told is unknown with its reason, and only Ceph's illness is one. */
import { describe, expect, test } from 'vitest'
import { osdHostOf, restingNodes, restLimitSec } from '../../src/lib/ops/ceph-maintenance.ts'
import { type CephFacts, type CephRow, capacityRead, cephRows } from '../../src/lib/ops/ceph-status.ts'
import { holdKeys } from '../../src/lib/tools/kubectl-hold.args.ts'
import type { KubeObject } from '../../src/lib/types.ts'

const now = Date.parse('2026-11-30T12:00:00Z')
const day = 86_400

type Ceph = Record<string, unknown>
const ceph = (report: Ceph = {}, spec: Ceph = {}): KubeObject => ({
  apiVersion: 'ceph.rook.io/v1',
  kind: 'CephCluster',
  metadata: { name: 'rook-ceph', namespace: 'rook-ceph' },
  spec,
  status: {
    ceph: {
      health: 'HEALTH_OK',
      lastChecked: '2026-11-30T11:59:30Z',
      capacity: { bytesTotal: 1000, bytesUsed: 400, lastUpdated: '2026-11-30T11:59:30Z' },
      ...report,
    },
  },
})
const osd = (id: string, node: string, readyReplicas = 1): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: `rook-ceph-osd-${id}`,
    namespace: 'rook-ceph',
    labels: { app: 'rook-ceph-osd', 'ceph-osd-id': id, 'topology-location-host': node },
  },
  spec: { template: { spec: { nodeSelector: { 'kubernetes.io/hostname': node } } } },
  status: { readyReplicas },
})
const well = { pgs: 97, active: 97, clean: 97, degraded: 0, osdsIn: 2 }
const facts = (change: Partial<CephFacts> = {}): CephFacts => ({
  clusters: { ok: true, value: [ceph()] },
  osds: { ok: true, value: [osd('0', 'w1'), osd('1', 'w2')] },
  nodes: { ok: true, value: [] },
  metrics: { ok: true, value: { values: well, used: [] } },
  ...change,
})
const told = (report: Ceph): Partial<CephFacts> => ({ clusters: { ok: true, value: [ceph(report)] } })
const rowOf = (name: CephRow['name'], change: Partial<CephFacts> = {}) =>
  cephRows('apps', facts(change), 1, now).find((row) => row.name === name)

test('a Ceph that is well has nothing to do', () => {
  const rows = cephRows('apps', facts(), 1, now)
  expect(rows.map(({ name, state, next }) => [name, state, next])).toEqual(
    ['health', 'osds', 'pgs', 'capacity', 'slow-ops', 'maintenance'].map((name) => [name, 'ok', null]),
  )
  expect(rows.map(({ summary }) => summary).slice(0, 3)).toEqual(['HEALTH_OK', '2 up, 2 in', '97, all of them clean'])
})

describe('health', () => {
  test('names its reasons', () => {
    const details = { OSD_NEARFULL: { severity: 'HEALTH_WARN', message: '1 nearfull osd(s)' } }
    expect(rowOf('health', told({ health: 'HEALTH_WARN', details }))).toMatchObject({
      state: 'fail',
      reasons: ['HEALTH_WARN OSD_NEARFULL: 1 nearfull osd(s)'],
    })
  })
  test.each<[string, Partial<CephFacts>, RegExp]>([
    ['an old look', told({ lastChecked: '2026-11-30T11:50:00Z' }), /600 s ago, and it was HEALTH_OK then/],
    ['no look yet', told({ health: undefined }), /has not asked Ceph yet/],
    ['nobody answers', { clusters: { ok: false, why: 'unreachable', detail: 'refused' } }, /can't be read: refused/],
  ])('is unknown after %s', (_, change, said) => {
    expect(rowOf('health', change)).toMatchObject({ state: 'unknown', summary: expect.stringMatching(said) })
  })
  test('is looked for only where there should be one', () => {
    const none = { clusters: { ok: true as const, value: [] } }
    expect(cephRows('apps', facts(none), 0, now)).toEqual([])
    expect(rowOf('health', none)).toMatchObject({ state: 'fail' })
  })
})

test('an OSD that is down is named, with its host', () => {
  expect(rowOf('osds', { osds: { ok: true, value: [osd('0', 'w1'), osd('1', 'w2', 0)] } })).toMatchObject({
    state: 'fail',
    summary: 'osd.1 on w2 is down',
    facts: { osds: 2, up: 1, down: ['1'] },
  })
})

describe('placement groups', () => {
  const away: Partial<CephFacts> = { metrics: { ok: false, why: 'not-found', detail: 'no VictoriaMetrics' } }
  test('are not known without metrics, and never counted then', () => {
    expect(rowOf('pgs', away)).toMatchObject({
      state: 'unknown',
      summary: 'unknown: no VictoriaMetrics',
      facts: { total: null },
    })
  })
  test('are ill when a health check says so, metrics or not', () => {
    const details = { PG_DEGRADED: { message: 'Degraded data redundancy' } }
    expect(rowOf('pgs', { ...away, ...told({ health: 'HEALTH_WARN', details }) })).toMatchObject({ state: 'fail' })
  })
  test('that are not all clean are counted', () => {
    const metrics = { ok: true as const, value: { values: { ...well, clean: 90 }, used: [] } }
    expect(rowOf('pgs', { metrics })).toMatchObject({ state: 'fail', summary: '7 of 97 are not clean' })
  })
})

describe('when it fills', () => {
  const seen = (points: [number, number][]) => ({
    metrics: { ok: true as const, value: { values: well, used: points } },
  })
  test('by metrics of a day or more', () => {
    const rising: [number, number][] = [0, 1, 2].map((n) => [now / 1000 - (2 - n) * day, 0.38 + n * 0.01])
    expect(rowOf('capacity', seen(rising))).toMatchObject({
      state: 'ok',
      summary: '40 % of 1000 B, rises 1 % a day: 85 % in 45 days',
    })
  })
  test('by two looks ten minutes apart, when metrics are younger than a day', () => {
    const hour: [number, number][] = [
      [now / 1000 - 3600, 0.1],
      [now / 1000, 0.4],
    ]
    const before = { at: Date.parse('2026-11-30T11:39:30Z') / 1000, bytesUsed: 399, bytesTotal: 1000 }
    expect(rowOf('capacity', { ...seen(hour), before })?.summary).toMatch(/rises 7.2 % a day: 85 % in 6 days/)
    expect(rowOf('capacity', { ...seen(hour), before: { ...before, at: before.at + 900 } })?.summary).toMatch(
      /is unknown/,
    )
  })
  test('is unknown otherwise, and says why', () => {
    expect(rowOf('capacity', { metrics: { ok: false, why: 'unreachable', detail: 'no answer' } })).toMatchObject({
      state: 'ok',
      summary: expect.stringMatching(/when it fills is unknown: .*no answer/),
      facts: { daysLeft: null, perDay: null },
    })
  })
  test('it is nearly full', () => {
    const capacity = { bytesTotal: 1000, bytesUsed: 860, lastUpdated: '2026-11-30T11:59:30Z' }
    expect(rowOf('capacity', told({ capacity }))).toMatchObject({ state: 'fail' })
    expect(capacityRead(ceph({ capacity: undefined }))).toBeUndefined()
  })
})

test('slow operations: counted from the check, none only after a fresh look', () => {
  const details = { SLOW_OPS: { message: '12 slow ops, oldest one blocked for 45 sec' } }
  expect(rowOf('slow-ops', told({ details }))).toMatchObject({ state: 'fail', facts: { slowOps: 12 } })
  expect(rowOf('slow-ops', told({ lastChecked: '2026-11-30T11:00:00Z' }))).toMatchObject({ state: 'unknown' })
})

describe('maintenance', () => {
  const note = {
    [holdKeys.id]: 'c/1',
    [holdKeys.owner]: 'jane@desk',
    [holdKeys.scope]: 'ceph/w1',
    [holdKeys.until]: '2026-11-30T12:30:00Z',
  }
  const node = (unschedulable: boolean): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'w1', annotations: note },
    spec: { unschedulable },
  })
  test('a node that somebody uncordoned rests no more', () => {
    expect(restingNodes([node(true), { ...node(true), metadata: { name: 'w2', annotations: note } }])).toMatchObject([
      { node: 'w1' },
    ])
    expect(restingNodes([node(false)])).toEqual([])
    expect(rowOf('maintenance', { nodes: { ok: true, value: [node(true)] } })?.summary).toBe(
      'w1: jane@desk until 12:30Z',
    )
  })
  test('only where Rook looks after disruptions, and for as long as it keeps a host in', () => {
    const with_ = (disruptionManagement: object) => ceph({}, { disruptionManagement })
    expect(restLimitSec(with_({ managePodBudgets: true }))).toBe(1800)
    expect(restLimitSec(with_({ managePodBudgets: true, osdMaintenanceTimeout: 120 }))).toBe(7200)
    expect(() => restLimitSec(with_({ managePodBudgets: false }))).toThrowError(/sets noout for nobody/)
  })
  test('only a node with OSDs, all in one failure domain', () => {
    expect(osdHostOf('w1', [osd('0', 'w1'), osd('2', 'w1'), osd('1', 'w2')])).toEqual({
      namespace: 'rook-ceph',
      host: 'w1',
      osds: ['rook-ceph-osd-0', 'rook-ceph-osd-2'],
    })
    expect(() => osdHostOf('w3', [osd('0', 'w1')])).toThrowError(/no OSD belongs to node w3/)
    const moved = osd('2', 'w1')
    moved.metadata.labels = { ...moved.metadata.labels, 'topology-location-host': 'elsewhere' }
    expect(() => osdHostOf('w1', [osd('0', 'w1'), moved])).toThrowError(/more than one failure domain/)
  })
})
