/** `k8sops dr`: what comes back and in which order, what is wiped and when, and how long that takes. */
import { describe, expect, test } from 'vitest'
import { parsePlan } from '../../src/lib/cli/plan-file.ts'
import { gates } from '../../src/lib/gates/catalog.ts'
import { fillGate } from '../../src/lib/gates/fill.ts'
import type { Gate } from '../../src/lib/gates/types.ts'
import { beginningOf } from '../../src/lib/ops/cnpg-recovery.ts'
import { planRecovery, type RecoveryInput } from '../../src/lib/ops/dr.ts'
import { contentsOf, type DeclaredDatabase } from '../../src/lib/ops/dr-contents.ts'
import { recoveryTime } from '../../src/lib/ops/dr-estimate.ts'
import { recoveriesOf } from '../../src/lib/ops/dr-recoveries.ts'
import type { DrillRecord } from '../../src/lib/ops/drill-objects.ts'
import { usedRefusal } from '../../src/lib/ops/used-machines.ts'
import { entryKustomization } from '../../src/lib/repo/flux.ts'
import { manifest } from '../../src/lib/repo/manifests.ts'
import { concatenated } from '../../src/lib/tools/discovered-volumes.ts'
import type { KubeObject, Plan, RunResult, StepResult } from '../../src/lib/types.ts'
import { contents, recoveryInput } from './dr-world.ts'

const basis = { commit: 'c', digest: 'd', observed: {} }
const planned = (change: Partial<RecoveryInput> = {}): Plan => planRecovery({ ...recoveryInput(), ...change }, basis)
const ids = ({ steps }: Plan) => steps.map(({ id }) => id)
const stepOf = (plan: Plan, id: string) => {
  const found = plan.steps.find((step) => step.id === id)
  if (!found) throw new Error(`no step ${id}`)
  return found
}

describe('the plan of a recovery', () => {
  test('is a bootstrap with the restores in it', () => {
    const found = ids(planned())
    const at = (id: string) => found.indexOf(id)
    expect(found[0]).toBe('preflight')
    expect(at('apps-w1/wipe-disks')).toBeLessThan(at('talos/genconfig'))
    expect(at('crds/apply')).toBeLessThan(at('databases.postgres/begin'))
    expect(at('databases.postgres/begin')).toBeLessThan(at('cilium/sync'))
    expect(found.slice(at('databases.postgres/recovered'))).toEqual([
      'databases.postgres/recovered',
      'business.odoo/filled',
      'flux/reconciled',
      'applications/ready',
      'databases.postgres/backup',
      'databases.postgres/proven',
      'cluster/check',
    ])
    expect(new Set(found).size).toBe(found.length)
  })

  test('is one that a file can hold, and asks every gate for what it takes', () => {
    const plan = planned()
    expect(parsePlan(JSON.stringify(plan), 'plan.json')).toEqual(plan)
    for (const { verify, unless = [], require = [], orUnless = [] } of plan.steps)
      for (const { gate, params } of [...verify, ...unless, ...require, ...orUnless])
        expect(() => fillGate(gate, gates[gate as keyof typeof gates] as Gate, params ?? {})).not.toThrow()
  })

  test('wipes only what was found, and only while the machine has no config', () => {
    const step = stepOf(planned(), 'apps-w1/wipe-disks')
    expect(step).toMatchObject({
      action: {
        pipeline: [
          {
            tool: 'talosctl',
            args: ['-n', '10.25.13.14', 'wipe', 'disk', '--insecure', '--drop-partition', 'nvme1n1', 'sda6'],
          },
        ],
      },
      require: [{ gate: 'node-state', params: { nodes: '10.25.13.14', in: 'maintenance' } }],
      interrupt: 'after',
    })
    expect(ids(planned({ used: [] })).filter((id) => id.endsWith('/wipe-disks'))).toEqual([])
    expect(planned({ used: [] }).params).toMatchObject({ wiped: [] })
  })

  test('makes no database where one is that it did not make, and none that begins empty', () => {
    expect(stepOf(planned(), 'databases.postgres/begin').require).toEqual([
      { gate: 'cnpg-predecessor-gone', params: { namespace: 'databases', name: 'postgres', token: 'dr.run/x' } },
    ])
    const without = ids(planned({ recoveries: [] }))
    expect(without.filter((id) => id.startsWith('databases.') || id === 'namespaces/apply')).toEqual([])
  })

  test('gives Flux as long as the restores may take', () => {
    expect(stepOf(planned({ restoreSec: 28_800 }), 'flux/reconciled').timeoutSec).toBe(28_800)
    expect(stepOf(planned({ restoreSec: 60 }), 'flux/reconciled').timeoutSec).toBe(1800)
  })

  test('what is refused names every disk, and the command for each machine', () => {
    const { detail, exitCode } = usedRefusal('apps', recoveryInput().used)
    expect(exitCode).toBe(3)
    expect(detail.output).toBe('apps-w1: nvme1n1 holds a Ceph OSD\napps-w1: sda6 holds EPHEMERAL')
    expect(detail.next).toContain('talosctl -n 10.25.13.14 wipe disk --insecure --drop-partition nvme1n1 sda6')
  })
})

const yaml = {
  postgres: `apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: postgres, namespace: databases}
spec:
  instances: 3
  storage: {size: 50Gi}
  plugins:
    - name: barman-cloud.cloudnative-pg.io
      isWALArchiver: true
      parameters: {barmanObjectName: r2, serverName: postgres-2}
`,
  schedule: `apiVersion: postgresql.cnpg.io/v1
kind: ScheduledBackup
metadata: {name: nightly, namespace: databases}
spec: {cluster: {name: postgres}}
`,
  store: `apiVersion: barmancloud.cnpg.io/v1
kind: ObjectStore
metadata: {name: r2, namespace: databases}
spec: {configuration: {endpointURL: "https://r2.example"}}
`,
  scratch: `apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: scratch, namespace: databases}
spec: {instances: 1, storage: {size: 1Gi}}
`,
  claim: `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: odoo, namespace: business}
spec:
  dataSourceRef: {apiGroup: volsync.backube, kind: ReplicationDestination, name: odoo-restore}
  resources: {requests: {storage: 10G}}
`,
  destination: `apiVersion: volsync.backube/v1alpha1
kind: ReplicationDestination
metadata: {name: odoo-restore, namespace: business}
spec: {trigger: {manual: first-create}}
`,
  other: `apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: cache, namespace: business}
spec: {resources: {requests: {storage: 1Gi}}}
`,
  namespaces: 'apiVersion: v1\nkind: Namespace\nmetadata: {name: databases}\n',
}
const of = (name: string, dependsOn: string[], texts: string[]) => ({
  kustomization: { ...entryKustomization(name), name, dependsOn: dependsOn.map((one) => `flux-system/${one}`) },
  manifests: texts.map((text) => manifest(text, undefined)),
  findings: [],
})

describe('what comes back', () => {
  const found = contentsOf([
    of('odoo', ['postgres'], [yaml.claim, yaml.destination, yaml.other]),
    of('postgres', ['storage'], [yaml.postgres, yaml.schedule, yaml.store, yaml.scratch]),
    of('storage', [], [yaml.namespaces]),
    of('loop', ['loop'], []),
  ])

  test('is in the order of what depends on what, also where that is a circle', () => {
    expect(found.kustomizations.filter((name) => !name.endsWith('loop'))).toEqual([
      'flux-system/storage',
      'flux-system/postgres',
      'flux-system/odoo',
    ])
  })

  test('is every database, and every volume that fills itself', () => {
    expect(found.databases).toEqual([
      expect.objectContaining({ name: 'postgres', archive: 'postgres-2', schedule: 'nightly', bytes: 50 * 2 ** 30 }),
      expect.objectContaining({ name: 'scratch', archive: null, schedule: null }),
    ])
    expect(found.volumes).toEqual([
      {
        namespace: 'business',
        name: 'odoo',
        kustomization: 'flux-system/odoo',
        destination: 'odoo-restore',
        trigger: 'first-create',
        bytes: 10e9,
      },
    ])
    expect(found).toMatchObject({
      namespaceOwners: ['flux-system/storage'],
      namespaces: ['databases'],
      endpoints: ['https://r2.example'],
    })
  })

  test('a database begins under its own name, from the archive of before, and Flux leaves it alone', () => {
    const declared = manifest(yaml.postgres, undefined).object() as KubeObject
    const made = beginningOf(declared, { token: 'dr.run/x', from: 'postgres-2', archive: 'postgres-3' })
    expect(made.metadata).toMatchObject({
      name: 'postgres',
      annotations: {
        'k8sops.dev/restored-by': 'dr.run/x',
        'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
      },
    })
    expect(made.spec).toMatchObject({
      instances: 3,
      bootstrap: { recovery: { source: 'archive' } },
      plugins: [{ parameters: { serverName: 'postgres-3' } }],
      externalClusters: [{ plugin: { parameters: { serverName: 'postgres-2' } } }],
    })
  })
})

describe('which databases are recovered', () => {
  const [declared] = contents.databases
  const began = new Date('2026-12-01T03:00:00.000Z')
  const input = {
    declared: contents.databases,
    live: [] as KubeObject[],
    empty: [] as string[],
    at: undefined,
    token: 'dr.run/now',
    began,
  }
  const live = (annotations: Record<string, string>): KubeObject => {
    const object = manifest(yaml.postgres, undefined).object()
    return { ...object, metadata: { ...object.metadata, annotations } }
  }

  test('those that Git declares, from the archive that it names into a new one', () => {
    expect(recoveriesOf({ ...input, at: '2026-11-30T06:00:00Z' })).toEqual({
      kept: [],
      recoveries: [
        {
          database: declared,
          recovery: {
            token: 'dr.run/now',
            from: 'postgres',
            archive: 'postgres-20261201t030000z',
            at: '2026-11-30T06:00:00Z',
          },
          at: '2026-12-01T03:00:00Z',
        },
      ],
    })
  })

  test('one that an earlier run began goes on as that, whoever plans anew', () => {
    const by = { 'k8sops.dev/restored-by': 'dr.run/before', 'k8sops.dev/restored-at': '2026-12-01T02:00:00Z' }
    const { recoveries, kept } = recoveriesOf({ ...input, live: [live(by)] })
    expect(kept).toEqual([])
    expect(recoveries).toMatchObject([
      { recovery: { token: 'dr.run/before', from: 'postgres', archive: 'postgres-2' }, at: '2026-12-01T02:00:00Z' },
    ])
  })

  test('one that somebody else has made stays as it is', () => {
    for (const by of [{}, { 'k8sops.dev/restored-by': 'cnpg.restore/before' }])
      expect(recoveriesOf({ ...input, live: [live(by)] })).toEqual({ recoveries: [], kept: ['databases/postgres'] })
  })

  test('none that begins empty, or has no archive; a name that is none is refused', () => {
    const none = { recoveries: [], kept: [] }
    expect(recoveriesOf({ ...input, empty: ['databases/postgres'] })).toEqual(none)
    expect(recoveriesOf({ ...input, declared: [{ ...(declared as DeclaredDatabase), archive: null }] })).toEqual(none)
    expect(() => recoveriesOf({ ...input, empty: ['databases/postgre'] })).toThrow(/Git has no such database/)
  })
})

describe('how long it takes', () => {
  const run = (
    operation: string,
    steps: Partial<StepResult>[],
    cluster = 'apps',
    outcome: RunResult['outcome'] = 'succeeded',
  ) => ({
    id: `${operation}-1`,
    plan: { operation, cluster, targetSec: 1800 } as unknown as Plan,
    result: { outcome, seconds: 600, steps } as unknown as RunResult,
  })

  test('by the requirements, where nothing was measured', () => {
    const { parts, lowSec, highSec } = recoveryTime(contents, 'apps', { runs: [], records: new Map() })
    expect(parts).toEqual([
      { name: 'bootstrap', seconds: 1800, from: 'NFR2' },
      { name: 'database databases/postgres', seconds: 3600, from: '50 GB by the table' },
      { name: 'volume business/odoo', seconds: 900, from: '10 GB by the table' },
    ])
    expect([lowSec, highSec]).toEqual([5400, 6300])
  })

  test('as it was measured here, of this cluster and to its end', () => {
    const whole = [{ id: 'apps-cp1/apply-config', state: 'done' as const }]
    const restored = [{ id: 'business.odoo/restore', state: 'done' as const, seconds: 42.4 }]
    const bootstraps = (...runs: ReturnType<typeof run>[]) =>
      recoveryTime(contents, 'apps', { runs, records: new Map() }).parts
    expect(bootstraps(run('bootstrap', whole), run('volsync.restore', restored))).toEqual([
      { name: 'bootstrap', seconds: 600, from: 'run bootstrap-1' },
      { name: 'database databases/postgres', seconds: 3600, from: '50 GB by the table' },
      { name: 'volume business/odoo', seconds: 42, from: 'run volsync.restore-1' },
    ])
    for (const other of [
      run('bootstrap', whole, 'infra'),
      run('bootstrap', whole, 'apps', 'stopped'),
      run('bootstrap', [{ id: 'apps-cp1/apply-config', state: 'skipped' }]),
    ])
      expect(bootstraps(other)[0]).toMatchObject({ from: 'NFR2' })
  })

  test('as a drill has measured it, unless it failed', () => {
    const record = (result: 'ok' | 'failed') => ({
      token: 't',
      at: '2026-11-30T06:00:00Z',
      result,
      detail: '',
      snapshot: null,
      bytes: null,
      restoreSec: 77,
      readySec: null,
      rtoSec: null,
    })
    const volume = (result: 'ok' | 'failed') =>
      recoveryTime(contents, 'apps', { runs: [], records: new Map([['business.odoo', record(result) as DrillRecord]]) })
        .parts[2]
    expect(volume('ok')).toEqual({ name: 'volume business/odoo', seconds: 77, from: 'restored on 2026-11-30' })
    expect(volume('failed')).toMatchObject({ from: '10 GB by the table' })
  })
})

test('talosctl prints one object after the other', () => {
  const one = { metadata: { id: 'sda' }, spec: { name: '', nested: { a: 1 } } }
  const two = { metadata: { id: 'sdb' }, spec: { name: 'bluestore' } }
  expect(concatenated(`${JSON.stringify(one, null, 4)}\n${JSON.stringify(two, null, 4)}\n`)).toEqual([one, two])
  expect(concatenated('')).toEqual([])
})
