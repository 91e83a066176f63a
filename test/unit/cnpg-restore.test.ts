/** `k8sops cnpg restore`: what is recovered from what, in which order, what a crash leaves, and what brings the clients back. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chosenPlace, clientsOf } from '../../src/lib/ops/cnpg-clients.ts'
import {
  archiveName,
  archiveOf,
  type Recovery,
  recoveryOf,
  rehearsalOf,
  successorOf,
  unrecoverable,
} from '../../src/lib/ops/cnpg-recovery.ts'
import {
  type DatabaseAbortInput,
  type DatabaseRestoreInput,
  planDatabaseAbort,
  planDatabaseRestore,
} from '../../src/lib/ops/cnpg-restore.ts'
import { isHoldable } from '../../src/lib/ops/flux-choice.ts'
import { withSetting } from '../../src/lib/repo/settings-edit.ts'
import type { KubeObject, Plan } from '../../src/lib/types.ts'
import { fluxViewOf } from './flux-world.ts'
import { cluster as fixture } from './gates-world.ts'

const token = 'cnpg.restore/20261130T110000Z-00ff'
const recovery: Recovery = { token, from: 'postgres', archive: 'postgres-2', at: '2026-11-30T06:00:00Z' }
const barman = { name: 'barman-cloud.cloudnative-pg.io', isWALArchiver: true, parameters: { barmanObjectName: 'r2' } }
const owner = { 'kustomize.toolkit.fluxcd.io/name': 'postgres', 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' }
const database = (spec: object = {}, metadata: object = {}): KubeObject => ({
  apiVersion: 'postgresql.cnpg.io/v1',
  kind: 'Cluster',
  metadata: {
    name: 'postgres',
    namespace: 'databases',
    uid: 'u',
    resourceVersion: '7',
    labels: owner,
    annotations: { 'kustomize.toolkit.fluxcd.io/prune': 'disabled', 'cnpg.io/hibernation': 'off' },
    ...metadata,
  },
  spec: { instances: 3, bootstrap: { initdb: { database: 'app' } }, minSyncReplicas: 1, plugins: [barman], ...spec },
  status: { phase: 'Cluster in healthy state' },
})

describe('the Clusters that a restore makes', () => {
  const rehearsal = rehearsalOf(database(), recovery)
  const successor = successorOf(rehearsal, 'postgres')

  test('the one beside is recovered, archives nowhere, and is nothing of Flux', () => {
    expect(rehearsal.metadata).toMatchObject({ name: 'postgres-restore', namespace: 'databases' })
    expect(rehearsal.metadata.labels).toBeUndefined()
    expect(rehearsal.spec).toMatchObject({
      instances: 1,
      bootstrap: { recovery: { source: 'archive', recoveryTarget: { targetTime: '2026-11-30T06:00:00Z' } } },
      externalClusters: [
        {
          name: 'archive',
          plugin: { name: barman.name, parameters: { barmanObjectName: 'r2', serverName: 'postgres' } },
        },
      ],
    })
    expect(Object.keys(rehearsal.spec ?? {})).not.toContain('plugins')
    expect(Object.keys(rehearsal.spec ?? {})).not.toContain('minSyncReplicas')
    expect((rehearsal.spec?.bootstrap as object) ?? {}).not.toHaveProperty('initdb')
  })

  test('the one in its place is as it was, with another archive, and Flux leaves it alone', () => {
    expect(successor.metadata).toEqual({
      name: 'postgres',
      namespace: 'databases',
      labels: owner,
      annotations: {
        'kustomize.toolkit.fluxcd.io/prune': 'disabled',
        'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
        'k8sops.dev/restored-by': token,
      },
    })
    expect(successor.spec).toMatchObject({ instances: 3, minSyncReplicas: 1 })
    expect(archiveOf(successor)).toEqual({ store: 'r2', serverName: 'postgres-2' })
    expect(recoveryOf(rehearsal)).toEqual(recovery)
  })

  test('one that was restored before is restored again, from the archive that it has now', () => {
    const { serverName: from } = archiveOf(successor)
    const again = successorOf(rehearsalOf(successor, { token: 't', from, archive: 'postgres-3' }), 'postgres')
    expect(archiveOf(again).serverName).toBe('postgres-3')
    expect(again.spec?.externalClusters).toHaveLength(1)
    expect(again.spec?.bootstrap).toEqual({ recovery: { source: 'archive' } })
  })

  test('what no plugin archives has nothing to be recovered from, and what is no Cluster is refused', () => {
    expect(() => archiveOf(database({ plugins: [] }))).toThrow('nothing to recover it from')
    expect(() => archiveOf(database({ plugins: [{ ...barman, isWALArchiver: false }] }))).toThrow('nothing to recover')
    expect(() => rehearsalOf({ ...database(), kind: 'Backup' }, recovery)).toThrow('not a Cluster')
    expect(() => successorOf(database(), 'postgres')).toThrow('was not made by a restore')
  })

  test('the archive that is read is never the one that is written', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true, min: new Date(0), max: new Date(4e12) }), (at) => {
        const name = archiveName('postgres', at)
        expect(name).toMatch(/^postgres-\d{8}t\d{6}z$/)
        expect(
          archiveOf(successorOf(rehearsalOf(database(), { ...recovery, archive: name }), 'postgres')).serverName,
        ).toBe(name)
      }),
    )
  })
})

describe('what the plugin knows of an archive', () => {
  const store = (window: object): KubeObject => ({
    apiVersion: 'barmancloud.cnpg.io/v1',
    kind: 'ObjectStore',
    metadata: { name: 'r2', namespace: 'databases' },
    status: { serverRecoveryWindow: { postgres: window } },
  })
  const window = { firstRecoverabilityPoint: '2026-11-01T02:00:00Z', lastSuccessfulBackupTime: '2026-11-30T02:10:00Z' }
  test.each<[string, KubeObject | undefined, string, string | undefined, RegExp | undefined]>([
    ['goes so far', store(window), 'postgres', '2026-11-30T06:00:00Z', undefined],
    ['without a time', store(window), 'postgres', undefined, undefined],
    ['too old', store(window), 'postgres', '2026-10-30T06:00:00Z', /oldest .* 2026-11-01/],
    ['another server', store(window), 'postgres-2', undefined, /no base backup of server postgres-2/],
    ['no backup yet', store({}), 'postgres', undefined, /no base backup/],
    ['no store', undefined, 'postgres', undefined, /not there/],
  ])('%s', (_, object, from, at, wanted) => {
    const amiss = unrecoverable(object, from, at)
    if (wanted) expect(amiss).toMatch(wanted)
    else expect(amiss).toBeUndefined()
  })
})

const workload = (name: string, labels: object, more: { namespace?: string; metadata?: object } = {}): KubeObject => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name,
    namespace: more.namespace ?? 'business',
    labels: { 'kustomize.toolkit.fluxcd.io/name': name, 'kustomize.toolkit.fluxcd.io/namespace': 'flux-system' },
    ...more.metadata,
  },
  spec: { replicas: 2, template: { metadata: { labels } } },
})
const client = { 'k8sops.dev/postgres': 'client' }
const databases: KubeObject[] = [
  {
    apiVersion: 'postgresql.cnpg.io/v1',
    kind: 'Database',
    metadata: { name: 'odoo', namespace: 'databases', labels: { 'k8sops.dev/namespace': 'business' } },
    spec: { cluster: { name: 'postgres' } },
  },
]
const views = [fluxViewOf('postgres'), fluxViewOf('odoo'), fluxViewOf('other')].filter(isHoldable)

test('clients are what carries the label where a Database of it is used; what an operator keeps is told apart', () => {
  const kept = { metadata: { ownerReferences: [{ kind: 'Keycloak', name: 'kc', controller: true }] } }
  const workloads = [
    workload('odoo', client),
    workload('other', {}),
    workload('elsewhere', client, { namespace: 'test' }),
    workload('keycloak', client, kept),
  ]
  const place = { namespace: 'databases', name: 'postgres' }
  const seen = clientsOf({ place, database: database(), databases, workloads, views })
  expect(seen.clients).toEqual([{ kind: 'Deployment', namespace: 'business', name: 'odoo', replicas: 2 }])
  expect(seen.kept).toEqual(['Deployment business/keycloak (Keycloak kc)'])
  expect(seen.objects.map(({ name }) => name)).toEqual(['postgres', 'odoo'])
  // Of a database that is gone, the Cluster beside it tells.
  const rehearsal = rehearsalOf(database(), recovery)
  expect(clientsOf({ place, database: rehearsal, databases, workloads, views }).objects).toEqual(seen.objects)
  expect(chosenPlace([rehearsal], 'postgres')).toEqual(place)
  expect(chosenPlace([database(), rehearsal], 'databases/postgres')).toEqual(place)
  expect(() => chosenPlace([database(), rehearsal], 'postgres-restore')).toThrow('no PostgreSQL')
})

const cluster = fixture()
const place = { cluster, target: { context: 'apps' } }
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
const note = {
  id: token,
  owner: 'jane@desk',
  reason: 'restore of databases/postgres: bad migration',
  since: '2026-11-30T11:00:00Z',
  until: '2026-12-01T11:00:00Z',
  scope: 'database/postgres',
}
const common = {
  ...place,
  database: { namespace: 'databases', name: 'postgres' },
  schedule: 'daily',
  expectSec: 900,
  limits: { recoverySec: 3600, podsSec: 900 },
}
const odoo = { kind: 'Deployment' as const, namespace: 'business', name: 'odoo', replicas: 2 }
const input = (more: Partial<DatabaseRestoreInput> = {}): DatabaseRestoreInput => ({
  ...common,
  recovery,
  note,
  objects: views.slice(0, 2),
  clients: [odoo],
  save: true,
  force: false,
  ...more,
})
const ids = ({ steps }: Plan) => steps.map(({ id }) => id)

describe('a restore', () => {
  const plan = planDatabaseRestore(input(), basis)

  test('stops nothing before it is known that it can be done, and deletes nothing before it is saved', () => {
    expect(ids(plan)).toEqual([
      'databases.postgres/rehearse',
      'kustomization.flux-system/suspend',
      'deployment.business.odoo/stop',
      'deployment.business.odoo/idle',
      'databases.postgres/save',
      'databases.postgres/delete',
      'databases.postgres/replace',
      'databases.postgres/backup',
      'deployment.business.odoo/start',
      'kustomization.flux-system/resume-00ff',
      'deployment.business.odoo/ready',
      'kustomization.flux-system/ready',
      'databases.postgres/proven',
      'databases.postgres/record',
      'databases.postgres/forget',
    ])
    expect(plan.scope).toBe('database/postgres')
    const [deletion] = plan.steps.filter(({ id }) => id.endsWith('/delete'))
    expect(deletion?.require).toMatchObject([{ gate: 'cnpg-recovered', params: { name: 'postgres-restore', token } }])
  })

  test('once the new one is there, nothing before it is done again', () => {
    const until = ids(plan).indexOf('databases.postgres/replace')
    for (const step of plan.steps.slice(0, until)) expect(step.orUnless).toMatchObject([{ gate: 'cnpg-restored-by' }])
    for (const { id, orUnless } of plan.steps.slice(until + 2))
      expect(orUnless?.map(({ gate }) => gate)).toEqual(id.endsWith('/record') ? ['cnpg-database-absent'] : undefined)
  })

  test('what is broken need not be saved', () => {
    expect(ids(planDatabaseRestore(input({ save: false }), basis))).not.toContain('databases.postgres/save')
  })
})

describe('an abort', () => {
  const abort = (more: Partial<DatabaseAbortInput>) =>
    planDatabaseAbort(
      { ...common, state: 'before', recovery, parked: [{ by: token, workload: odoo }], held: [], ...more },
      basis,
    )

  test('goes back as long as the database is there, and forward afterwards', () => {
    const back = ['deployment.business.odoo/start', 'deployment.business.odoo/ready', 'databases.postgres/forget']
    expect(ids(abort({}))).toEqual(back)
    const forward = ['databases.postgres/replace', 'databases.postgres/backup', ...back]
    expect(ids(abort({ state: 'gone' }))).toEqual(forward)
    expect(ids(abort({ state: 'after' }))).toEqual(forward)
  })

  test('needs something that was left, and something to make the database from', () => {
    expect(() => abort({ recovery: undefined, parked: [] })).toThrow('no restore')
    expect(() => abort({ recovery: undefined, state: 'gone' })).toThrow('is gone')
  })
})

test('the setting that Git needs is one line more, or another value', () => {
  const text = '# facts\napiVersion: v1\nkind: ConfigMap\ndata:\n  A: "1" # one\n  B: b\n'
  expect(withSetting(text, 'C', 'c')).toBe(`${text}  C: c\n`)
  expect(withSetting(text, 'A', '2')).toBe(text.replace('"1"', '2'))
  expect(withSetting(withSetting(text, 'B', 'x'), 'B', 'y')).toBe(text.replace('B: b', 'B: y'))
  expect(() => withSetting('kind: ConfigMap\n', 'C', 'c')).toThrow('has no data')
})
