/** `k8sops backup verify`: what is proven with what, what a drill makes and measures, and that nothing of it stays. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backupRows } from '../../src/lib/ops/backup-status.ts'
import { recoveryRecord, rehearsalOf } from '../../src/lib/ops/cnpg-recovery.ts'
import { type DrillInput, drillNamespaceName, planDrillAbort, planDrills } from '../../src/lib/ops/drill.ts'
import {
  chosenDrills,
  type DrillFacts,
  measuredSeconds,
  newestOf,
  strayDrills,
} from '../../src/lib/ops/drill-choice.ts'
import {
  type DrillRecord,
  drillApp,
  drillNamespace,
  drillRecord,
  drillRecordsOf,
} from '../../src/lib/ops/drill-objects.ts'
import { expectedSeconds } from '../../src/lib/ops/volsync-destination.ts'
import { nextRun } from '../../src/lib/tools/cron.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { cluster as fixture } from './gates-world.ts'

const token = 'backup.verify/20261130T110000Z-00ff'
const object = (
  kind: string,
  name: string,
  more: Partial<Omit<KubeObject, 'metadata'>> & { metadata?: Partial<KubeObject['metadata']> } = {},
): KubeObject => ({
  apiVersion: 'v1',
  kind,
  ...more,
  metadata: { name, namespace: 'business', ...more.metadata },
})
const source = (name: string, more: { check?: string; saved?: boolean; restoredAt?: string } = {}) =>
  object('ReplicationSource', name, {
    metadata: {
      annotations: {
        ...(more.check ? { 'k8sops.dev/drill-check': more.check } : {}),
        ...(more.restoredAt ? { 'k8sops.dev/restored-at': more.restoredAt } : {}),
      },
    },
    spec: { sourcePVC: name, trigger: { schedule: '15 */8 * * *' }, restic: { repository: `${name}-volsync` } },
    status: more.saved === false ? {} : { lastSyncTime: '2026-11-30T08:16:00Z' },
  })
const claim = (name: string) => object('PersistentVolumeClaim', name, { status: { capacity: { storage: '20Gi' } } })
const secret = { secretKeyRef: { name: 'odoo-postgres', key: 'password' } }
const workload = (name: string): KubeObject =>
  object('Deployment', name, {
    apiVersion: 'apps/v1',
    spec: {
      replicas: 2,
      template: {
        metadata: { labels: { 'k8sops.dev/postgres': 'client' } },
        spec: {
          serviceAccountName: 'odoo',
          securityContext: { runAsUser: 1000 },
          initContainers: [{ name: 'wait-for-database' }],
          containers: [
            {
              name: 'app',
              image: 'odoo:19@sha256:1',
              args: ['--serve'],
              readinessProbe: { httpGet: { port: 1 } },
              env: [
                { name: 'PASSWORD', valueFrom: secret },
                { name: 'HOME', value: '/data' },
              ],
              envFrom: [{ secretRef: { name: 'more' } }],
              volumeMounts: [
                { name: 'data', mountPath: '/data' },
                { name: 'config', mountPath: '/etc/odoo' },
                { name: 'other', mountPath: '/other' },
              ],
            },
            { name: 'metrics', image: 'exporter' },
          ],
          volumes: [
            { name: 'data', persistentVolumeClaim: { claimName: name } },
            { name: 'config', secret: { secretName: 'odoo' } },
            { name: 'other', persistentVolumeClaim: { claimName: 'other' } },
          ],
        },
      },
    },
  })
const record = (more: Partial<DrillRecord> = {}): DrillRecord => ({
  token,
  at: '2026-11-30T11:00:00Z',
  result: 'ok',
  detail: '',
  snapshot: '3f9c1a2b',
  bytes: 4096,
  restoreSec: 120,
  readySec: 30,
  rtoSec: 150,
  ...more,
})
const facts = (sources: KubeObject[], records: [string, DrillRecord][] = []): DrillFacts => ({
  sources,
  claims: sources.map(({ metadata }) => claim(metadata.name)),
  workloads: sources.map(({ metadata }) => workload(metadata.name)),
  records: new Map(records),
})
const names = ({ drills }: ReturnType<typeof chosenDrills>) => drills.map(({ source: { name } }) => name)

describe('which backup', () => {
  test('the stalest are those that were never proven, then those whose proof is oldest', () => {
    const all = [
      source('fresh', { restoredAt: '2026-11-29T00:00:00Z' }),
      source('drilled'),
      source('never'),
      source('failed', { restoredAt: '2026-10-01T00:00:00Z' }),
      source('unsaved', { saved: false }),
    ]
    const records: [string, DrillRecord][] = [
      ['business.drilled', record({ at: '2026-11-01T00:00:00Z' })],
      // A drill that failed proves nothing.
      ['business.failed', record({ result: 'failed' })],
    ]
    expect(names(chosenDrills(facts(all, records), undefined, 9))).toEqual(['never', 'failed', 'drilled', 'fresh'])
    expect(names(chosenDrills(facts(all, records), undefined, 1))).toEqual(['never'])
    expect(names(chosenDrills(facts(all), 'business/unsaved', undefined))).toEqual(['unsaved'])
  })

  test('is named or counted, and has a workload and a bound claim', () => {
    const one = facts([source('odoo')])
    expect(() => chosenDrills(one, undefined, undefined)).toThrow('which backup')
    expect(() => chosenDrills(one, 'odoo', 1)).toThrow('which backup')
    expect(() => chosenDrills({ ...one, workloads: [] }, 'odoo', undefined)).toThrow('no workload mounts its claim')
    expect(() => chosenDrills({ ...one, claims: [] }, 'odoo', undefined)).toThrow('its claim is not bound')
  })

  test('one that can not be proven keeps no other from being tried', () => {
    const two = facts([source('odoo'), source('n8n')])
    const chosen = chosenDrills({ ...two, workloads: [workload('odoo')] }, undefined, 1)
    expect(names(chosen)).toEqual(['odoo'])
    expect(chosen.unprovable).toEqual(['business/n8n: no workload mounts its claim'])
  })

  test('with a declared check in place of readiness', () => {
    const checks = (check?: string) =>
      chosenDrills(facts([source('odoo', check ? { check } : {})]), 'odoo', undefined).drills[0]?.check
    expect(checks('test -d /data')).toBe('test -d /data')
    expect(checks('readiness')).toBeUndefined()
    expect(checks()).toBeUndefined()
  })
})

describe('its namespace', () => {
  const home = object('Namespace', 'business', {
    metadata: {
      labels: { 'pod-security.kubernetes.io/enforce': 'restricted', 'k8sops.dev/netpol-bypass': 'x' },
      annotations: { 'volsync.backube/privileged-movers': 'true', other: 'x' },
    },
  })
  const made = drillNamespace(home, 'drill-business-odoo', token, '20Gi') as KubeObject[]

  test('allows no more than the application has at home, sends and receives nothing, and is bounded', () => {
    expect(made.map(({ kind }) => kind)).toEqual([
      'Namespace',
      'RoleBinding',
      'NetworkPolicy',
      'ResourceQuota',
      'LimitRange',
    ])
    expect(made[0]?.metadata).toEqual({
      name: 'drill-business-odoo',
      labels: { 'k8sops.dev/drill': 'true', 'pod-security.kubernetes.io/enforce': 'restricted' },
      annotations: { 'k8sops.dev/drill-by': token, 'volsync.backube/privileged-movers': 'true' },
    })
    expect(made[2]?.spec).toEqual({ podSelector: {}, policyTypes: ['Egress', 'Ingress'] })
    expect(made[3]?.spec).toMatchObject({ hard: { 'requests.storage': '40Gi', pods: '5' } })
    expect(() => drillNamespace(workload('odoo'), 'x', token, '1Gi')).toThrow('not a Namespace')
  })

  test('is found again by its label, and its name is one', () => {
    expect(strayDrills([...made.slice(0, 1), home])).toEqual(['drill-business-odoo'])
    fc.assert(
      fc.property(
        fc.stringMatching(/^[a-z][a-z0-9-]{0,60}[a-z0-9]$/),
        fc.stringMatching(/^[a-z][a-z0-9-]{0,60}[a-z0-9]$/),
        (namespace, name) => {
          expect(drillNamespaceName({ namespace, name })).toMatch(/^drill-[a-z0-9-]{0,56}[a-z0-9]$/)
        },
      ),
    )
  })
})

describe('what is started', () => {
  const place = { namespace: 'drill-business-odoo', claim: 'odoo' }

  test('is the own image with its own probe, none of its labels, Secrets or other volumes, and waits for nothing first', () => {
    const pod = drillApp(workload('odoo'), place) as KubeObject
    expect(pod).toMatchObject({ kind: 'Pod', metadata: { name: 'drill', labels: { 'k8sops.dev/drill': 'app' } } })
    expect(pod.spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsUser: 1000 },
      containers: [
        {
          name: 'app',
          image: 'odoo:19@sha256:1',
          args: ['--serve'],
          readinessProbe: { httpGet: { port: 1 } },
          env: [
            { name: 'PASSWORD', valueFrom: { secretKeyRef: { optional: true } } },
            { name: 'HOME', value: '/data' },
          ],
          envFrom: [{ secretRef: { name: 'more', optional: true } }],
          volumeMounts: [{ name: 'data' }, { name: 'config' }],
        },
      ],
      volumes: [
        { name: 'config', secret: { optional: true } },
        { name: 'data', persistentVolumeClaim: { claimName: 'odoo' } },
      ],
    })
    for (const key of ['initContainers', 'serviceAccountName']) expect(pod.spec).not.toHaveProperty(key)
  })

  test('is a Job where a check is declared', () => {
    const job = drillApp(workload('odoo'), { ...place, check: 'test -d /data' }) as KubeObject
    expect(job).toMatchObject({
      kind: 'Job',
      spec: { backoffLimit: 0, template: { spec: { restartPolicy: 'Never' } } },
    })
    const [container] = (job.spec as { template: { spec: { containers: object[] } } }).template.spec.containers
    expect(container).toMatchObject({ command: ['sh', '-c', 'test -d /data'], image: 'odoo:19@sha256:1' })
    for (const key of ['args', 'readinessProbe']) expect(container).not.toHaveProperty(key)
  })

  test('is nothing where nothing mounts the claim', () => {
    expect(() => drillApp(workload('odoo'), { ...place, claim: 'x' })).toThrow('no container')
  })
})

describe('what is written down', () => {
  const at = (second: number) => new Date(Date.parse('2026-11-30T11:00:00Z') + second * 1000).toISOString()
  const destination = (status: object): KubeObject =>
    object('ReplicationDestination', 'drill', { metadata: { creationTimestamp: at(0) }, status: { ...status } })
  const restored = destination({
    lastManualSync: token,
    lastSyncTime: at(300),
    latestMoverStatus: { result: 'Successful', logs: 'restoring snapshot 3f9c1a2b of [/data] at x by y to .' },
  })
  const pod = object('Pod', 'drill', {
    metadata: { creationTimestamp: at(310) },
    status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(350) }] },
  })
  const drill = {
    app: 'business/odoo',
    token,
    at: at(0),
    limits: { restoreSec: 3600, readySec: 900 },
    newest: { snapshot: '3f9c1a2b', bytes: 4096 },
  }
  const written = (items: KubeObject[], more = {}, now = 400) =>
    drillRecordsOf(drillRecord({ items }, { ...drill, ...more }, Date.parse(at(now))) as KubeObject).get(
      'business.odoo',
    )

  test('how much and how long', () => {
    expect(written([restored, pod])).toMatchObject({
      result: 'ok',
      bytes: 4096,
      restoreSec: 300,
      readySec: 40,
      rtoSec: 340,
    })
    // Another snapshot than that whose size is known.
    expect(written([restored, pod], { newest: { snapshot: '00000000', bytes: 1 } })).toMatchObject({ bytes: null })
  })

  test('also that it failed, and never while it is not decided', () => {
    const failed = destination({ latestMoverStatus: { result: 'Failed', logs: 'Fatal: wrong password' } })
    expect(written([failed])).toMatchObject({
      result: 'failed',
      detail: 'the mover failed: Fatal: wrong password',
      rtoSec: null,
    })
    expect(() => written([destination({})])).toThrow('is not decided')
    expect(written([destination({})], {}, 3601)).toMatchObject({ result: 'failed' })
  })

  test('restic says how large a snapshot is when it is taken', () => {
    expect(newestOf('processed 12 files, 1.500 MiB in 0:01\nsnapshot 3f9c1a2b saved')).toEqual({
      snapshot: '3f9c1a2b',
      bytes: 1_572_864,
    })
    expect(newestOf('snapshot 3f9c1a2b saved')).toBeUndefined()
  })

  test('a recovery of a database is measured by its Clusters', () => {
    const recovery = { token: 'cnpg.restore/1', from: 'postgres', archive: 'postgres-2' }
    const barman = {
      name: 'barman-cloud.cloudnative-pg.io',
      isWALArchiver: true,
      parameters: { barmanObjectName: 'r2' },
    }
    const db: KubeObject = {
      apiVersion: 'postgresql.cnpg.io/v1',
      kind: 'Cluster',
      metadata: { name: 'pg', namespace: 'databases' },
      spec: { plugins: [barman] },
    }
    const readyAt = (one: KubeObject, second: number): KubeObject => ({
      ...one,
      metadata: { ...one.metadata, creationTimestamp: at(0) },
      status: { conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: at(second) }] },
    })
    const items = [readyAt(rehearsalOf(db, recovery), 600), readyAt(db, 700)]
    const measured = drillRecordsOf(recoveryRecord({ items }, 'pg', at(0)) as KubeObject).get('databases.pg')
    expect(measured).toMatchObject({ token: recovery.token, result: 'ok', restoreSec: 600, rtoSec: 700 })
    expect(() => recoveryRecord({ items: items.slice(0, 1) }, 'pg', at(0))).toThrow('pg is not Ready')
  })
})

test('an estimate is what was measured, and the table of the requirements until then', () => {
  expect(measuredSeconds(record(), '20Gi', expectedSeconds)).toBe(120)
  expect(measuredSeconds(record({ result: 'failed' }), '10G', expectedSeconds)).toBe(900)
  expect(measuredSeconds(undefined, '10G', expectedSeconds)).toBe(900)
  expect(measuredSeconds(undefined, undefined, expectedSeconds)).toBeUndefined()
})

test('backup status tells of the last proof, and a drill that proved nothing makes a backup failed', () => {
  const rowOf = (drill: DrillRecord, restoredAt = '2026-11-01T00:00:00Z') => {
    const sources = [source('odoo', { restoredAt })]
    const none = { volumes: [], namespaces: [], destinations: [], databases: [], schedules: [], backups: [] }
    const options = {
      now: Date.parse('2026-11-30T12:00:00Z'),
      nextRun,
      graceMs: 3_600_000,
      drills: new Map([['business.odoo', drill]]),
    }
    return backupRows({ ...none, sources, claims: [claim('odoo')] }, options)[0]
  }
  expect(rowOf(record())).toMatchObject({ state: 'ok', lastRestore: '2026-11-30T11:00:00Z', restoreSec: 150 })
  const failed = record({ result: 'failed', detail: 'the mover failed: Fatal' })
  expect(rowOf(failed)).toMatchObject({ state: 'failed', lastRestore: '2026-11-01T00:00:00Z', restoreSec: null })
  // Proven since, by a restore in place.
  expect(rowOf(failed, '2026-11-30T11:30:00Z')).toMatchObject({ state: 'ok' })
})

const input = (more: Partial<DrillInput> = {}): DrillInput => ({
  cluster: fixture(),
  target: { context: 'apps' },
  token,
  at: '2026-11-30T11:00:00Z',
  strays: [],
  limits: { restoreSec: 3600, readySec: 900 },
  drills: chosenDrills(facts([source('odoo'), source('n8n')]), undefined, 2).drills,
  ...more,
})
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }

test('every drill is removed before it is judged, and what another one has left before anything is made', () => {
  const plan = planDrills(input({ strays: ['drill-business-x'] }), basis)
  const ids = plan.steps.map(({ id }) => id)
  expect(ids[0]).toBe('drill-business-x/sweep')
  expect(ids.slice(-2)).toEqual(['business.n8n/verdict', 'business.odoo/verdict'])
  expect(ids.indexOf('drill-business-odoo/remove')).toBeLessThan(ids.indexOf('business.n8n/verdict'))
  expect(plan.steps.filter(({ finding }) => finding)).toHaveLength(2)
  // What is over is not begun once more by a run that goes on.
  const made = plan.steps.filter(({ id }) => /\/(namespace|secret|claim|restore|start)$/.test(id))
  for (const step of made) expect(step.orUnless).toMatchObject([{ gate: 'drill-recorded' }])
  expect(plan.scope).toBe('drill')
})

test('an abort removes what was left, and needs something', () => {
  const place = { cluster: fixture(), target: { context: 'apps' } }
  expect(planDrillAbort({ ...place, strays: ['drill-a', 'drill-b'] }, basis).steps).toHaveLength(2)
  expect(() => planDrillAbort({ ...place, strays: [] }, basis)).toThrow('no drill has left anything')
})
