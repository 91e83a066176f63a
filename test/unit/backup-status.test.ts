/** `k8sops backup status`: the age of a backup against its own schedule, and who is backed up by nobody. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BackupFacts } from '../../src/lib/ops/backup-facts.ts'
import { backupRows, dueOf, goSeconds, isWell } from '../../src/lib/ops/backup-status.ts'
import { nextRun } from '../../src/lib/tools/cron.ts'
import type { KubeObject } from '../../src/lib/types.ts'

const hour = 3_600_000
const at = (text: string) => Date.parse(`2026-11-30T${text}Z`)
const iso = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`
const options = (now: string) => ({ now: at(now), nextRun, graceMs: hour })

describe('the schedule', () => {
  test.each([
    ['15 */8 * * *', '08:20:00', '16:15:00'],
    ['15 */8 * * *', '08:14:59', '08:15:00'],
    ['0 30 20 * * *', '02:00:00', '20:30:00'],
    ['@every 1h30m', '02:00:00', '03:30:00'],
    ['@hourly', '02:10:00', '03:00:00'],
  ])('%s after %s is %s, in UTC', (schedule, after, wanted) => {
    expect(nextRun(schedule, at(after))).toBe(at(wanted))
  })

  test.each(['', 'nonsense', '61 * * * *', '0 0 31 2 *', '@every soon'])('%j never comes', (schedule) => {
    expect(nextRun(schedule, at('00:00:00'))).toBeUndefined()
  })

  test('days of month and of week are alternatives, as in robfig/cron', () => {
    // A Monday, and the first of a month.
    expect(nextRun('0 0 1 * 1', at('23:00:00'))).toBe(Date.parse('2026-12-01T00:00:00Z'))
  })
})

test('late is what is not there a grace after it was due, or twice as long as the last one took', () => {
  const timing = { lastSuccess: iso(at('08:20:00')), created: undefined, schedule: '15 */8 * * *', durationSec: 60 }
  expect(dueOf(timing, options('17:15:00'))).toEqual({ due: '2026-11-30T16:15:00Z', late: false })
  expect(dueOf(timing, options('17:15:01')).late).toBe(true)
  expect(dueOf({ ...timing, durationSec: 3600 }, options('18:15:00')).late).toBe(false)
  expect(dueOf({ ...timing, durationSec: 3600 }, options('18:15:01')).late).toBe(true)
})

test('a backup that ran when it was asked for is never late before the next one is asked for', () => {
  const minutes = fc.integer({ min: 0, max: 59 })
  fc.assert(
    fc.property(
      minutes,
      fc.constantFrom(1, 2, 3, 4, 6, 8, 12),
      fc.integer({ min: 0, max: 86_399 }),
      (minute, every, second) => {
        const lastSuccess = Date.parse('2026-11-30T00:00:00Z') + second * 1000
        const timing = {
          lastSuccess: iso(lastSuccess),
          created: undefined,
          schedule: `${minute} */${every} * * *`,
          durationSec: 1,
        }
        const judged = dueOf(timing, { now: lastSuccess, nextRun, graceMs: 0 })
        expect(Date.parse(judged.due ?? '') - lastSuccess).toBeLessThanOrEqual(every * hour)
        expect(Date.parse(judged.due ?? '')).toBeGreaterThan(lastSuccess)
        const of = (now: number) => dueOf(timing, { now, nextRun, graceMs: 0 }).late
        expect(of(Date.parse(judged.due ?? '') - 3000)).toBe(false)
        expect(of(Date.parse(judged.due ?? '') + 3000)).toBe(true)
      },
    ),
  )
})

test.each([
  ['1m2.5s', 62.5],
  ['850ms', 0.85],
  ['1h0m3s', 3603],
  ['soon', null],
  [undefined, null],
])('%s is %s s', (text, seconds) => expect(goSeconds(text)).toBe(seconds))

const object = (kind: string, name: string, more: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, namespace: 'business', creationTimestamp: iso(at('00:00:00')), ...metadata },
  ...more,
})
const claim = (name: string, metadata = {}, volumeName = `pv-${name}`) =>
  object('PersistentVolumeClaim', name, { spec: { volumeName }, status: { capacity: { storage: '5Gi' } } }, metadata)
const source = (spec: object = {}, status: object = {}, metadata = {}) =>
  object(
    'ReplicationSource',
    'odoo',
    { spec: { sourcePVC: 'odoo', trigger: { schedule: '15 */8 * * *' }, ...spec }, status },
    metadata,
  )
const facts = (more: Partial<BackupFacts>): BackupFacts => ({
  claims: [claim('odoo')],
  volumes: [],
  namespaces: [],
  sources: [],
  destinations: [],
  databases: [],
  schedules: [],
  backups: [],
  ...more,
})
const synced = {
  lastSyncTime: iso(at('08:20:00')),
  lastSyncDuration: '1m5s',
  latestMoverStatus: { result: 'Successful' },
}
const stateOf = (more: Partial<BackupFacts>, now = '16:30:00') =>
  backupRows(facts(more), options(now)).map(({ name, state }) => `${name} ${state}`)

describe('volumes', () => {
  test('one that is well says everything that is known of it', () => {
    const restored = { annotations: { 'k8sops.dev/restored-at': '2026-11-01T10:00:00Z' } }
    expect(backupRows(facts({ sources: [source({}, synced, restored)] }), options('16:30:00'))).toEqual([
      {
        kind: 'volume',
        namespace: 'business',
        name: 'odoo',
        state: 'ok',
        lastSuccess: '2026-11-30T08:20:00Z',
        schedule: '15 */8 * * *',
        due: '2026-11-30T16:15:00Z',
        durationSec: 65,
        size: '5Gi',
        lastRestore: '2026-11-01T10:00:00Z',
        restoreSec: null,
        detail: '',
        next: null,
      },
    ])
  })

  test.each<[string, object, object, string, string]>([
    ['overdue once the grace is over', {}, synced, '17:16:00', 'overdue'],
    ['new', {}, {}, '00:10:00', 'waiting'],
    ['never saved', {}, {}, '02:00:00', 'overdue'],
    ['paused', { paused: true }, synced, '09:00:00', 'resting'],
    ['without a schedule', { trigger: { manual: 'x' } }, synced, '09:00:00', 'resting'],
    ['with a schedule that is none', { trigger: { schedule: 'x' } }, synced, '09:00:00', 'resting'],
    [
      'left with a manual trigger',
      { trigger: { schedule: '15 */8 * * *', manual: 'x' } },
      { ...synced, lastManualSync: 'x' },
      '09:00:00',
      'resting',
    ],
    [
      'saved by hand just now',
      { trigger: { schedule: '15 */8 * * *', manual: 'y' } },
      { ...synced, lastManualSync: 'x' },
      '09:00:00',
      'ok',
    ],
    [
      'failed',
      {},
      { ...synced, latestMoverStatus: { result: 'Failed', logs: 'x\nrepository is locked' } },
      '09:00:00',
      'failed',
    ],
    ['a claim that is gone', { sourcePVC: 'gone' }, synced, '09:00:00', 'failed'],
  ])('%s', (_, spec, status, now, state) => {
    const [row] = backupRows(facts({ claims: [claim('odoo')], sources: [source(spec, status)] }), options(now)).filter(
      ({ name }) => name === 'odoo' || name === 'gone',
    )
    expect(row).toMatchObject({ state })
    expect(isWell(row!)).toBe(['ok', 'waiting'].includes(state))
    if (!isWell(row!))
      expect(row).toMatchObject({ detail: expect.stringMatching(/./), next: expect.stringMatching(/./) })
  })

  test('nobody copies it: unprotected, unless somebody said that nobody has to', () => {
    expect(stateOf({})).toEqual(['odoo unprotected'])
    const none = { annotations: { 'k8sops.dev/backup': 'none', 'k8sops.dev/backup-reason': 'a cache' } }
    expect(backupRows(facts({ claims: [claim('odoo', none)] }), options('09:00:00'))).toMatchObject([
      { state: 'exempt', detail: 'a cache' },
    ])
    for (const value of ['later', 'none'])
      expect(stateOf({ claims: [claim('odoo', { annotations: { 'k8sops.dev/backup': value } })] })).toEqual([
        'odoo unprotected',
      ])
    const namespace = object('Namespace', 'business', {}, { ...none, namespace: undefined })
    expect(stateOf({ namespaces: [namespace] })).toEqual(['odoo exempt'])
    expect(stateOf({ namespaces: [{ ...namespace, metadata: { ...namespace.metadata, name: 'other' } }] })).toEqual([
      'odoo unprotected',
    ])
    expect(stateOf({ volumes: [object('PersistentVolume', 'pv-odoo', { spec: { local: {} } })] })).toEqual([
      'odoo exempt',
    ])
    expect(stateOf({ volumes: [object('PersistentVolume', 'pv-odoo', { spec: { csi: {} } })] })).toEqual([
      'odoo unprotected',
    ])
  })

  test("a source is of its own namespace's claim, and a declaration does not hide that it fails", () => {
    const elsewhere = source({}, synced, { namespace: 'other' })
    expect(stateOf({ sources: [elsewhere] })).toEqual(['odoo unprotected', 'odoo failed'])
    const exempt = claim('odoo', { annotations: { 'k8sops.dev/backup': 'none' } })
    expect(stateOf({ claims: [exempt], sources: [source({}, synced)] }, '20:00:00')).toEqual(['odoo overdue'])
  })

  test("VolSync's own volumes and a database's instances are not volumes to be saved", () => {
    const cache = claim('volsync-odoo-cache', { labels: { 'app.kubernetes.io/created-by': 'volsync' } })
    const instance = claim('postgres-1', { labels: { 'cnpg.io/cluster': 'postgres' } })
    expect(stateOf({ claims: [cache, instance] })).toEqual([])
  })
})

describe('databases', () => {
  const database = object('Cluster', 'postgres', { spec: { storage: { size: '20Gi' } } })
  const daily = (spec = {}) =>
    object('ScheduledBackup', 'daily', { spec: { cluster: { name: 'postgres' }, schedule: '0 0 2 * * *', ...spec } })
  const backup = (name: string, started: string, status: object) =>
    object('Backup', name, {
      spec: { cluster: { name: 'postgres' } },
      status: { startedAt: iso(at(started)), stoppedAt: iso(at(started) + 90_000), ...status },
    })
  const rows = (now: string, more: Partial<BackupFacts>) =>
    backupRows(facts({ claims: [], databases: [database], ...more }), options(now))

  test('the newest completed one counts, and is due a day later', () => {
    const backups = [backup('b', '02:00:00', { phase: 'completed' }), backup('a', '01:00:00', { phase: 'completed' })]
    expect(rows('03:30:00', { schedules: [daily()], backups })).toMatchObject([
      {
        kind: 'database',
        state: 'ok',
        lastSuccess: '2026-11-30T02:01:30Z',
        due: '2026-12-01T02:00:00Z',
        durationSec: 90,
        size: '20Gi',
      },
    ])
  })

  test.each<[string, string, Partial<BackupFacts>, string]>([
    ['nothing scheduled', '09:00:00', {}, 'unprotected'],
    ['of another database', '09:00:00', { schedules: [daily({ cluster: { name: 'other' } })] }, 'unprotected'],
    ['suspended', '09:00:00', { schedules: [daily({ suspend: true })] }, 'resting'],
    ['never', '03:01:00', { schedules: [daily()] }, 'overdue'],
    ['not yet', '02:30:00', { schedules: [daily()] }, 'waiting'],
    [
      'failed since',
      '09:00:00',
      {
        schedules: [daily()],
        backups: [
          backup('a', '02:00:00', { phase: 'completed' }),
          backup('b', '03:00:00', { phase: 'failed', error: 'no route' }),
        ],
      },
      'failed',
    ],
    [
      'failed before',
      '09:00:00',
      {
        schedules: [daily()],
        backups: [backup('a', '02:00:00', { phase: 'failed' }), backup('b', '03:00:00', { phase: 'completed' })],
      },
      'ok',
    ],
    [
      'one that runs',
      '02:30:00',
      { schedules: [daily()], backups: [backup('a', '02:00:00', { phase: 'running', stoppedAt: undefined })] },
      'waiting',
    ],
  ])('%s', (_, now, more, state) => expect(rows(now, more)).toMatchObject([{ state }]))
})
