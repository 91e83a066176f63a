/** `k8sops volsync`: what a restore does in which order, what a crash leaves, and what brings it back. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createRepositories, selectSnapshot } from '../../src/lib/lab/operators/volsync-repositories.ts'
import { type HoldableView, isHoldable } from '../../src/lib/ops/flux-choice.ts'
import { planCopy } from '../../src/lib/ops/volsync-copy.ts'
import { copyOf, expectedSeconds, restoreDestination } from '../../src/lib/ops/volsync-destination.ts'
import { planAbort, planRestore, type RestoreInput } from '../../src/lib/ops/volsync-restore.ts'
import { planSync } from '../../src/lib/ops/volsync-sync.ts'
import { chosenSource, keeperOf, parkedView, sourceView, usesClaim } from '../../src/lib/ops/volsync-view.ts'
import { bytesOf } from '../../src/lib/repo/fields.ts'
import type { Workload } from '../../src/lib/tools/kubectl-volsync.args.ts'
import type { Check, KubeObject, Plan } from '../../src/lib/types.ts'
import { fluxViewOf, noteOf } from './flux-world.ts'
import { cluster as fixture } from './gates-world.ts'

const cluster = fixture()
const basis = { commit: 'COMMIT', digest: 'DIGEST', observed: {} }
const token = 'volsync.restore/20261130T110000Z-00ff'
const note = {
  id: token,
  owner: 'jane@desk',
  reason: 'restore of business/odoo: bad import',
  since: '2026-11-30T11:00:00Z',
  until: '2026-12-01T11:00:00Z',
  scope: 'app/odoo',
}
const source = {
  namespace: 'business',
  name: 'odoo',
  claim: 'odoo',
  schedule: '15 */8 * * *',
  repository: 'odoo-volsync',
  owner: 'flux-system/odoo',
}
const workload: Workload = { kind: 'Deployment', namespace: 'business', name: 'odoo', replicas: 2 }
const limits = { restoreSec: 3600, podsSec: 900 }
const views = (...all: Parameters<typeof fluxViewOf>[]): HoldableView[] =>
  all.map((one) => fluxViewOf(...one)).filter(isHoldable)
const input = (more: Partial<RestoreInput> = {}): RestoreInput => ({
  cluster,
  target: { context: 'apps' },
  source,
  choice: { previous: 1 },
  note,
  limits,
  expectSec: 1800,
  force: false,
  objects: views(['odoo'], ['odoo', { kind: 'HelmRelease', namespace: 'business', owner: 'odoo' }]),
  workloads: [workload],
  ...more,
})
const ids = ({ steps }: Plan) => steps.map(({ id }) => id)
const patchOf = (plan: Plan, id: string) => {
  const action = plan.steps.find((step) => step.id === id)?.action
  const args = action?.kind === 'exec' ? (action.pipeline[0]?.args ?? []) : []
  return JSON.parse(args[args.indexOf('-p') + 1] ?? 'null') as object
}

const object = (kind: string, name: string, spec: object, metadata = {}): KubeObject => ({
  apiVersion: 'volsync.backube/v1alpha1',
  kind,
  metadata: { name, namespace: 'business', ...metadata },
  spec: { ...spec },
})

describe('a restore', () => {
  const plan = planRestore(input(), basis)

  test('stops everything that could write before the volume is written, and nothing comes back before that is written down', () => {
    expect(ids(plan)).toEqual([
      'kustomization.flux-system.odoo/suspend',
      'helmrelease.business.odoo/suspend',
      'deployment.business.odoo/stop',
      'business.odoo/detach',
      'business.odoo/restore',
      'business.odoo/note',
      'business.odoo-manual/delete',
      'deployment.business.odoo/start',
      'helmrelease.business.odoo/resume-00ff',
      'kustomization.flux-system.odoo/resume-00ff',
      'deployment.business.odoo/ready',
      'kustomization.flux-system.odoo/ready',
      'helmrelease.business.odoo/ready',
      'business.odoo/proven',
    ])
  })

  test('writes on the workload what it had in the request that stops it, and gives exactly that back', () => {
    expect(patchOf(plan, 'deployment.business.odoo/stop')).toEqual({
      metadata: {
        annotations: {
          'k8sops.dev/parked-by': token,
          'k8sops.dev/parked-replicas': '2',
          'kustomize.toolkit.fluxcd.io/reconcile': 'disabled',
        },
      },
      spec: { replicas: 0 },
    })
    expect(patchOf(plan, 'deployment.business.odoo/start')).toEqual({
      metadata: {
        annotations: {
          'k8sops.dev/parked-by': null,
          'k8sops.dev/parked-replicas': null,
          'kustomize.toolkit.fluxcd.io/reconcile': null,
        },
      },
      spec: { replicas: 2 },
    })
  })

  test('goes on after a crash without a second stop or a second restore: all of it is done once it was written down', () => {
    const noted: Check = { gate: 'volsync-restore-noted', params: { namespace: 'business', name: 'odoo', token } }
    const upTo = ids(plan).indexOf('business.odoo/note')
    expect(plan.steps.slice(0, upTo).map(({ orUnless }) => orUnless)).toEqual(
      Array.from({ length: upTo }, () => [noted]),
    )
    expect(plan.steps.slice(upTo).every(({ orUnless }) => orUnless === undefined)).toBe(true)
  })

  test('says how long it should take to whoever waits', () => {
    expect(plan.steps.find(({ id }) => id === 'business.odoo/restore')?.verify).toMatchObject([
      { params: { expectSec: '1800' } },
    ])
  })

  test('leaves alone what was suspended before, and is refused where somebody else holds something', () => {
    const own = fluxViewOf('odoo', { suspend: true, annotations: noteOf({ owner: 'jane@desk' }) }) as HoldableView
    const before = planRestore(input({ objects: [own] }), basis)
    expect(ids(before).filter((id) => id.startsWith('kustomization'))).toEqual([])
    const foreign = fluxViewOf('odoo', { suspend: true, annotations: noteOf({ owner: 'joe@desk' }) }) as HoldableView
    expect(() => planRestore(input({ objects: [foreign] }), basis)).toThrow('somebody else holds this')
    expect(ids(planRestore(input({ objects: [foreign], force: true }), basis))).toEqual(ids(before))
  })

  test('one that was at 0 stays there, and nobody waits for its pods', () => {
    const plan = planRestore(input({ workloads: [{ ...workload, replicas: 0 }] }), basis)
    expect(patchOf(plan, 'deployment.business.odoo/start')).toMatchObject({ spec: { replicas: 0 } })
    expect(ids(plan)).not.toContain('deployment.business.odoo/ready')
  })
})

describe('an abort', () => {
  const held = views(['odoo', { suspend: true, annotations: noteOf({ id: token, scope: 'app/odoo' }) }])
  const place = { cluster, target: { context: 'apps' }, source, limits }

  test('ends the mover before the application comes back with what is written on it', () => {
    const plan = planAbort({ ...place, writing: true, parked: [{ by: token, workload }], held }, basis)
    expect(ids(plan)).toEqual([
      'business.odoo-manual/delete',
      'business.odoo/detach',
      'deployment.business.odoo/start',
      'kustomization.flux-system.odoo/resume-00ff',
      'deployment.business.odoo/ready',
      'kustomization.flux-system.odoo/ready',
    ])
    expect(patchOf(plan, 'deployment.business.odoo/start')).toMatchObject({ spec: { replicas: 2 } })
  })

  test('of nothing is refused', () => {
    expect(() => planAbort({ ...place, writing: false, parked: [], held: [] }, basis)).toThrow(
      'no restore of business/odoo is under way',
    )
  })
})

describe('a restore into another namespace', () => {
  const plan = planCopy(
    {
      cluster,
      target: { context: 'apps' },
      source,
      to: 'drill',
      choice: { previous: 0 },
      token: 'T',
      expectSec: 60,
      limitSec: 3600,
    },
    basis,
  )

  test('stops nothing, writes into a claim of its own, and leaves no keys behind', () => {
    const verbs = ['secret', 'claim', 'restore', 'note', 'end', 'forget']
    expect(ids(plan)).toEqual(verbs.map((verb) => `drill.odoo/${verb}`))
    const written = plan.steps.flatMap(({ action }) => (action.kind === 'exec' ? action.pipeline.slice(-1) : []))
    expect(written.filter(({ args }) => args.includes('business'))).toEqual([])
  })

  test('writes no second time once it is noted on the claim', () => {
    expect(plan.steps.map(({ orUnless }) => orUnless !== undefined)).toEqual([true, true, true, false, false, false])
  })

  test('takes of a Secret what it holds, of a claim what it asks for, and nothing of anything else', () => {
    const place = { namespace: 'drill', name: 'x' }
    const secret = { ...object('Secret', 's', {}), data: { RESTIC_PASSWORD: 'aGk=' } }
    expect(copyOf(secret, place)).toMatchObject({ kind: 'Secret', metadata: place, data: { RESTIC_PASSWORD: 'aGk=' } })
    const spec = {
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'ceph-block',
      volumeName: 'pv-1',
      dataSourceRef: { name: 'y' },
    }
    expect(copyOf(object('PersistentVolumeClaim', 'c', spec), place)).toMatchObject({
      metadata: place,
      spec: { accessModes: ['ReadWriteOnce'], storageClassName: 'ceph-block' },
    })
    expect(JSON.stringify(copyOf(object('PersistentVolumeClaim', 'c', spec), place))).not.toMatch(
      /volumeName|dataSource/,
    )
    expect(() => copyOf(object('ConfigMap', 'c', {}), place)).toThrow('neither a Secret nor a claim')
  })

  test("its destination is that namespace's, with the Secret that was lent", () => {
    const replication = object('ReplicationSource', 'odoo', {
      sourcePVC: 'odoo',
      restic: { repository: 'odoo-volsync' },
    })
    const made = restoreDestination(
      replication,
      { name: 'x', token: 'T' },
      { previous: 0 },
      { namespace: 'drill', repository: 'lent' },
    )
    expect(made).toMatchObject({
      metadata: { namespace: 'drill' },
      spec: { restic: { repository: 'lent', destinationPVC: 'odoo' } },
    })
  })
})

describe('a save', () => {
  const sync = (more: object) =>
    planSync({ cluster, target: { context: 'apps' }, source, token: 'T', unlock: false, limitSec: 60, ...more }, basis)

  test('gives the schedule back; without one there is nothing to give back', () => {
    expect(ids(sync({}))).toEqual(['business.odoo/sync', 'business.odoo/schedule'])
    expect(ids(sync({ source: { ...source, schedule: null } }))).toEqual(['business.odoo/sync'])
  })

  test('unlocks only when it was asked to, and reads that back', () => {
    expect(patchOf(sync({}), 'business.odoo/sync')).toEqual({ spec: { trigger: { manual: 'T' } } })
    const plan = sync({ unlock: true })
    expect(patchOf(plan, 'business.odoo/sync')).toEqual({ spec: { trigger: { manual: 'T' }, restic: { unlock: 'T' } } })
    expect(plan.steps[0]?.verify.map(({ gate }) => gate)).toEqual(['volsync-synced', 'volsync-unlocked'])
    expect(patchOf(plan, 'business.odoo/schedule')).toEqual({
      spec: { trigger: { manual: null }, restic: { unlock: null } },
    })
  })
})

describe('the destination', () => {
  const restic = {
    repository: 'odoo-volsync',
    cacheCapacity: '2Gi',
    moverSecurityContext: { runAsUser: 1000 },
    pruneIntervalDays: 7,
    copyMethod: 'Snapshot',
    storageClassName: 'ceph-block',
    retain: { daily: 7 },
  }
  const replication = object('ReplicationSource', 'odoo', {
    sourcePVC: 'odoo',
    restic,
    trigger: { schedule: '@daily' },
  })

  test('takes repository and mover of the source, and nothing that is about saving', () => {
    expect(
      restoreDestination(replication, { name: 'odoo-manual', token: 'T' }, { previous: 2, at: '2026-11-30T06:00:00Z' })
        .spec,
    ).toEqual({
      trigger: { manual: 'T' },
      restic: {
        repository: 'odoo-volsync',
        cacheCapacity: '2Gi',
        moverSecurityContext: { runAsUser: 1000 },
        copyMethod: 'Direct',
        destinationPVC: 'odoo',
        enableFileDeletion: true,
        cleanupCachePVC: true,
        restoreAsOf: '2026-11-30T06:00:00Z',
        previous: 2,
      },
    })
  })

  test('of something else there is none', () => {
    expect(() =>
      restoreDestination(
        object('ReplicationSource', 'x', { sourcePVC: 'x', rclone: {} }),
        { name: 'y', token: 'T' },
        { previous: 0 },
      ),
    ).toThrow('not a ReplicationSource')
    expect(() =>
      restoreDestination({ ...replication, kind: 'Secret' }, { name: 'y', token: 'T' }, { previous: 0 }),
    ).toThrow('not a ReplicationSource')
  })
})

test.each([
  [10e9, 900],
  [50e9, 3600],
  [200e9, 4 * 3600],
  [5e9, 450],
  [30e9, 2250],
  [400e9, 8 * 3600],
])('%d bytes take %d s by the table', (bytes, seconds) => expect(expectedSeconds(bytes)).toBe(seconds))

test('more takes longer', () => {
  const bytes = fc.double({ min: 0, max: 1e12, noNaN: true })
  fc.assert(fc.property(bytes, bytes, (a, b) => a > b || expectedSeconds(a) <= expectedSeconds(b)))
})

test.each([
  ['20Gi', 20 * 2 ** 30],
  ['1500M', 1.5e9],
  ['4096', 4096],
  ['1Ki', 1024],
  ['', undefined],
  ['20 Gi', undefined],
  ['-1Gi', undefined],
])('%j is %s bytes', (text, bytes) => expect(bytesOf(text)).toBe(bytes))

describe('who uses a claim', () => {
  const template = (claimName: string) => ({
    template: { spec: { volumes: [{ name: 'x' }, { name: 'data', persistentVolumeClaim: { claimName } }] } },
  })

  test.each<[KubeObject, string, boolean]>([
    [object('Deployment', 'odoo', template('odoo')), 'odoo', true],
    [object('Deployment', 'odoo', template('other')), 'odoo', false],
    [object('Deployment', 'odoo', {}), 'odoo', false],
    [object('StatefulSet', 'store', { volumeClaimTemplates: [{ metadata: { name: 'data' } }] }), 'data-store-0', true],
    [object('StatefulSet', 'store', { volumeClaimTemplates: [{ metadata: { name: 'data' } }] }), 'data-store-12', true],
    [
      object('StatefulSet', 'store', { volumeClaimTemplates: [{ metadata: { name: 'data' } }] }),
      'data-store-x-0',
      false,
    ],
    [object('StatefulSet', 'store', { volumeClaimTemplates: [{ metadata: { name: 'data' } }] }), 'data-store-', false],
  ])('%#', (one, claim, uses) => expect(usesClaim(one, claim)).toBe(uses))

  test('a source is found by its name, and by its namespace where there are several', () => {
    const all = [
      object('ReplicationSource', 'odoo', {}),
      object('ReplicationSource', 'odoo', {}, { namespace: 'test' }),
    ]
    expect(() => chosenSource(all, 'odoo')).toThrow('ambiguous: business/odoo, test/odoo')
    expect(sourceView(chosenSource(all, 'test/odoo'))).toMatchObject({ namespace: 'test' })
    expect(() => chosenSource(all, 'n8n')).toThrow('no ReplicationSource n8n')
  })

  test('one that an operator keeps is told apart', () => {
    const owned = (controller: boolean) =>
      object('StatefulSet', 'store', {}, { ownerReferences: [{ kind: 'VMSingle', name: 'x', controller }] })
    expect(keeperOf(owned(true))).toBe('VMSingle x')
    expect(keeperOf(owned(false))).toBeUndefined()
    expect(keeperOf(object('StatefulSet', 'store', {}))).toBeUndefined()
  })

  test('a damaged note brings one replica back, not none', () => {
    const parked = (replicas: string) =>
      object(
        'Deployment',
        'odoo',
        { replicas: 0 },
        { annotations: { 'k8sops.dev/parked-by': 'T', 'k8sops.dev/parked-replicas': replicas } },
      )
    expect(parkedView('Deployment', parked('3'))?.workload.replicas).toBe(3)
    expect(parkedView('Deployment', parked('three'))?.workload.replicas).toBe(1)
    expect(parkedView('Deployment', object('Deployment', 'odoo', {}))).toBeUndefined()
  })
})

describe('the snapshots of the lab', () => {
  const snapshots = [10, 20, 30].map((minute) => ({
    id: String(minute),
    takenAt: Date.parse(`2026-11-30T08:${minute}:00.500Z`),
  }))

  test.each<[{ restoreAsOf?: string; previous?: number }, string | undefined]>([
    [{}, '30'],
    [{ previous: 1 }, '20'],
    [{ previous: 3 }, undefined],
    [{ restoreAsOf: '2026-11-30T08:20:00Z' }, '20'],
    [{ restoreAsOf: '2026-11-30T08:19:59Z' }, '10'],
    [{ restoreAsOf: '2026-11-30T08:29:00Z', previous: 1 }, '10'],
    [{ restoreAsOf: '2026-11-30T08:00:00Z' }, undefined],
  ])('%j selects %s', (choice, id) => expect(selectSnapshot(snapshots, choice)?.id).toBe(id))

  test('are of a repository, and a supervisor that starts anew knows of the last one', () => {
    const repositories = createRepositories(() => 5000)
    repositories.save('s3:r', '1970-01-01T00:00:01Z')
    repositories.save('s3:new', undefined)
    expect(repositories.of('s3:r').map(({ takenAt }) => takenAt)).toEqual([1000, 5000])
    expect(repositories.of('s3:new')).toHaveLength(1)
    expect(repositories.of('s3:other')).toEqual([])
  })
})
