/** `k8sops cnpg`: whether PostgreSQL is well, and a base backup as its schedule would make it. */
import { describe, expect, test } from 'vitest'
import { backupOf, chosenDatabase, databaseRow, planBackup } from '../../src/lib/ops/cnpg.ts'
import { chosenSwitch, planSwitchover } from '../../src/lib/ops/cnpg-switchover.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { cluster as fixture } from './gates-world.ts'

const object = (kind: string, name: string, spec: object, status = {}, namespace = 'databases'): KubeObject => ({
  apiVersion: 'postgresql.cnpg.io/v1',
  kind,
  metadata: { name, namespace },
  spec: { ...spec },
  status,
})
const well = {
  phase: 'Cluster in healthy state',
  readyInstances: 3,
  currentPrimary: 'postgres-1',
  targetPrimary: 'postgres-1',
  conditions: [{ type: 'ContinuousArchiving', status: 'True' }],
}
const rowOf = (status: object) =>
  databaseRow('apps', object('Cluster', 'postgres', { instances: 3 }, status), undefined)

describe('status', () => {
  test('one that is well has no problems', () => {
    expect(rowOf(well)).toMatchObject({
      state: 'ok',
      instances: '3/3',
      primary: 'postgres-1',
      archiving: true,
      problems: [],
    })
  })

  test.each<[object, RegExp]>([
    [{ readyInstances: 2 }, /2 of 3 instances/],
    [{ currentPrimary: undefined }, /no primary/],
    [{ targetPrimary: 'postgres-2' }, /switches over to postgres-2/],
    [{ phase: 'Failing over' }, /Failing over/],
    [{ phase: undefined }, /says nothing/],
    [
      { conditions: [{ type: 'ContinuousArchiving', status: 'False', message: 'no bucket' }] },
      /WAL is not archived: no bucket/,
    ],
  ])('%j', (change, problem) => {
    const row = rowOf({ ...well, ...change })
    expect(row.state).toBe('fail')
    expect((row.problems as string[]).join('\n')).toMatch(problem)
  })

  test('what says nothing of archiving is not said to archive', () => {
    expect(rowOf({ ...well, conditions: [] })).toMatchObject({ archiving: null })
  })
})

describe('a base backup', () => {
  const plugin = {
    cluster: { name: 'postgres' },
    method: 'plugin',
    pluginConfiguration: { name: 'barman-cloud.cloudnative-pg.io' },
  }
  const schedule = object('ScheduledBackup', 'daily', {
    ...plugin,
    schedule: '0 0 2 * * *',
    immediate: true,
    backupOwnerReference: 'self',
  })

  test('is made as the schedule makes it, once', () => {
    expect(backupOf(schedule, 'x')).toEqual({
      apiVersion: 'postgresql.cnpg.io/v1',
      kind: 'Backup',
      metadata: { name: 'x', namespace: 'databases' },
      spec: plugin,
    })
    expect(() => backupOf(object('Backup', 'x', plugin), 'y')).toThrow('not a ScheduledBackup')
  })

  test('is one step, done when CloudNativePG says that it is', () => {
    const plan = planBackup(
      {
        cluster: fixture(),
        target: { context: 'apps' },
        schedule: 'daily',
        name: 'x',
        limitSec: 60,
        database: { namespace: 'databases', name: 'postgres' },
      },
      { commit: 'COMMIT', digest: 'DIGEST', observed: {} },
    )
    expect(plan.steps).toMatchObject([
      {
        id: 'databases.postgres/backup',
        verify: [{ gate: 'cnpg-backed-up', params: { namespace: 'databases', name: 'x' } }],
      },
    ])
  })

  test('needs a database and its schedule', () => {
    const database = object('Cluster', 'postgres', {})
    expect(chosenDatabase([database], [schedule], 'postgres')).toMatchObject({
      schedule: { metadata: { name: 'daily' } },
    })
    expect(() => chosenDatabase([database], [schedule], 'other')).toThrow('no PostgreSQL other')
    expect(() => chosenDatabase([database], [], 'databases/postgres')).toThrow('has no ScheduledBackup')
    const twin = object('Cluster', 'postgres', {}, {}, 'test')
    expect(() => chosenDatabase([database, twin], [schedule], 'postgres')).toThrow('ambiguous')
  })
})

describe('a switchover', () => {
  const names = ['postgres-1', 'postgres-2', 'postgres-3']
  const status = (healthy: string[], primary: string | undefined = 'postgres-1') => ({
    instanceNames: names,
    instancesStatus: { healthy },
    currentPrimary: primary,
  })
  const database = (...given: Parameters<typeof status>) =>
    object('Cluster', 'postgres', { instances: 3 }, status(...given))

  test('goes to the one that is named, else to the first healthy standby', () => {
    expect(chosenSwitch(database(names), undefined)).toEqual({ from: 'postgres-1', to: 'postgres-2' })
    expect(chosenSwitch(database(['postgres-3', 'postgres-1']), undefined)).toMatchObject({ to: 'postgres-3' })
    expect(chosenSwitch(database(names), 'postgres-3')).toMatchObject({ to: 'postgres-3' })
    // Who is primary already stays so: the plan has nothing to do.
    expect(chosenSwitch(database(names), 'postgres-1')).toEqual({ from: 'postgres-1', to: 'postgres-1' })
  })

  test('is refused where nobody can take over, or hand over', () => {
    expect(() => chosenSwitch(database(['postgres-1']), undefined)).toThrow('no healthy standby')
    expect(() => chosenSwitch(database(['postgres-1']), 'postgres-2')).toThrow('postgres-2 is not healthy')
    expect(() => chosenSwitch(database(names), 'other-1')).toThrow('no instance other-1')
    expect(() => chosenSwitch(object('Cluster', 'postgres', {}, {}), undefined)).toThrow('no primary')
  })

  test('is refused by the API server when somebody else has switched meanwhile', () => {
    const [step] = planSwitchover(
      {
        cluster: fixture(),
        target: { context: 'apps' },
        database: { namespace: 'databases', name: 'postgres' },
        change: { from: 'postgres-1', to: 'postgres-2' },
        at: '2026-11-30T11:00:00Z',
        limitSec: 60,
      },
      { commit: 'COMMIT', digest: 'DIGEST', observed: {} },
    ).steps
    const args = step?.action.kind === 'exec' ? (step.action.pipeline[0]?.args ?? []) : []
    expect(args).toContain('--subresource')
    expect(JSON.parse(args.at(-1) ?? '')).toEqual(
      expect.arrayContaining([
        { op: 'test', path: '/status/targetPrimary', value: 'postgres-1' },
        { op: 'replace', path: '/status/targetPrimary', value: 'postgres-2' },
      ]),
    )
  })
})
