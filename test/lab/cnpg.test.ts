/**
 * PostgreSQL with the whole CLI in the lab: saved, switched over, brought back. Its clients come back with the replicas that they had, whatever happens
 * in between. Every step is a place to be killed at with K8SOPS_TEST_FULL=1, otherwise one that K8SOPS_TEST_SEED chooses.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import { withSetting } from '../../src/lib/repo/settings-edit.ts'
import { atWork, begun, killAt } from '../helpers/kill.ts'
import { eventually, kubectl } from '../helpers/lab.ts'
import { type LabCli, labCli, statesOf, told } from '../helpers/lab-cli.ts'
import { proof } from '../helpers/proof.ts'
import { full, randomOf, sample } from '../helpers/seed.ts'
import { sharedLab } from '../helpers/shared-lab.ts'
import { commit } from '../helpers/test-cluster.ts'

const database = { namespace: 'databases', name: 'postgres' }
const clients = ['odoo', 'arsipq']

interface Seen {
  metadata: { name: string; uid: string; annotations?: Record<string, string> }
  spec?: { replicas?: number; suspend?: boolean; plugins?: { parameters?: { serverName?: string } }[] }
  status?: { currentPrimary?: string; phase?: string; readyReplicas?: number; lastHandledReconcileAt?: string }
}

let record: LabRecord
let lab: LabCli
beforeAll(async () => {
  const shared = await sharedLab()
  record = shared.record
  lab = labCli(record, shared.env)
  await asBefore()
  // What the first base backup has left: until then nothing can be recovered.
  await eventually(
    () => kubectl(record, '-n', database.namespace, 'get', 'objectstores', '-o', 'json'),
    ({ stdout }) => stdout.includes('lastSuccessfulBackupTime'),
    60,
  )
})
afterEach(() => lab.clearFaults())

const get = async (kind: string, name: string, namespace: string): Promise<Seen> =>
  JSON.parse((await kubectl(record, '-n', namespace, 'get', kind, name, '-o', 'json')).stdout) as Seen
const postgres = (name = database.name) => get('clusters.postgresql.cnpg.io', name, database.namespace)
const client = (name: string) => get('deployments', name, 'business')
const archive = async () => (await postgres()).spec?.plugins?.[0]?.parameters?.serverName ?? database.name
/** What the played plugin says that it holds. */
const content = async () => (await postgres()).metadata.annotations?.['lab.k8sops.dev/content']
const kustomizations = 'kustomizations.kustomize.toolkit.fluxcd.io'

/** Nothing is left of a restore: replicas as before, ready, nothing suspended, no note, nothing beside the database. */
async function asBefore(): Promise<void> {
  await eventually(postgres, ({ status }) => status?.phase === 'Cluster in healthy state', 180)
  for (const name of clients) {
    const deployment = await eventually(
      () => client(name),
      ({ status }) => status?.readyReplicas === 1,
      180,
    )
    expect(deployment.spec?.replicas).toBe(1)
    const left = Object.keys(deployment.metadata.annotations ?? {}).filter((key) =>
      /k8sops\.dev|\/reconcile$/.test(key),
    )
    expect(left).toEqual([])
  }
  const { stdout } = await kubectl(record, '-n', 'flux-system', 'get', kustomizations, '-o', 'json')
  const held = (JSON.parse(stdout) as { items: Seen[] }).items.filter(({ spec }) => spec?.suspend === true)
  expect(held.map(({ metadata }) => metadata.name)).toEqual([])
  const all = await kubectl(record, '-n', database.namespace, 'get', 'clusters.postgresql.cnpg.io', '-o', 'name')
  expect(all.stdout.trim()).toBe('cluster.postgresql.cnpg.io/postgres')
}

/** Has a Kustomization look now, and waits until it has. */
async function reconcile(name: string): Promise<void> {
  const asked = String(Date.now())
  const note = `reconcile.fluxcd.io/requestedAt=${asked}`
  await kubectl(record, 'annotate', '-n', 'flux-system', kustomizations, name, '--overwrite', note)
  await eventually(
    () => get(kustomizations, name, 'flux-system'),
    ({ status }) => status?.lastHandledReconcileAt === asked,
    60,
  )
}

const cnpg = async () => {
  const { code, stdout } = await lab.run(['cnpg', 'status'])
  return { code, row: (JSON.parse(stdout) as { items: { problems: string[]; lastBackup: string }[] }).items[0] }
}
const restore = (...args: string[]) => ['cnpg', 'restore', 'postgres', '--overwrite', '--confirm', 'postgres', ...args]

test('what would be lost has to be named, and what the archive does not have is no plan', async () => {
  const refused = await lab.run(['cnpg', 'restore', 'postgres'])
  expect(refused).toMatchObject({ code: 2 })
  expect(refused.error?.message).toContain('--overwrite is missing')
  expect(await lab.run(['cnpg', 'restore', 'postgres', '--overwrite', '--yes'])).toMatchObject({ code: 2 })
  const older = await lab.run(restore('--at', '2020-01-01T00:00:00Z'))
  expect(older.code, told(older)).toBe(3)
  expect(older.error?.message).toContain('the oldest state that can be recovered')
  const nothing = await lab.run(['cnpg', 'restore', 'postgres', '--abort'])
  expect(nothing).toMatchObject({ code: 3 })
})

const placesToDie = [
  'databases.postgres/rehearse',
  'kustomization.flux-system/suspend',
  'deployment.business.odoo/stop',
  'deployment.business.odoo/idle',
  'databases.postgres/save',
  'databases.postgres/delete',
  'databases.postgres/replace',
  'databases.postgres/backup',
  'deployment.business.odoo/start',
  'deployment.business.odoo/ready',
  'databases.postgres/proven',
  'databases.postgres/forget',
]

describe('killed', () => {
  test.each(full ? placesToDie : sample(placesToDie, 1, randomOf('cnpg kill')))(
    'at %s, another process brings it to its end, and Flux changes nothing of it',
    async (step) => {
      const [before, { metadata }] = [await archive(), await postgres()]
      const at = new Date(Date.now() - 1000).toISOString().replace(/\.\d+/, '')
      const killed = await killAt(lab, restore('--at', at), begun(step))
      expect(killed.signal).toBe('SIGKILL')
      const ended = await lab.run(['run', 'resume'])
      expect(ended, told(ended)).toMatchObject({ code: 0 })
      await asBefore()
      const after = await postgres()
      expect(after.metadata.uid).not.toBe(metadata.uid)
      expect(await content()).toBe(`${before} until ${at}`)
      expect(await archive()).not.toBe(before)
      // What was recovered is not deleted and recovered a second time.
      if (placesToDie.indexOf(step) > placesToDie.indexOf('databases.postgres/replace'))
        expect(statesOf(ended.result)['databases.postgres/delete']).toBe('skipped')
      await gitCatchesUp()
    },
  )
})

/** Until then Flux leaves it alone, with everything else of its Kustomization applied. */
async function gitCatchesUp(): Promise<void> {
  const [uid, named] = [(await postgres()).metadata.uid, await archive()]
  await reconcile('postgres')
  expect(await archive()).toBe(named)
  const early = await lab.run(['cnpg', 'restore', 'postgres', '--settle'])
  expect(early.code, told(early)).toBe(3)
  expect((await cnpg()).row?.problems.join()).toContain('until Git names its archive')
  const file = join(record.root, 'kubernetes/clusters/apps/cluster-settings.yaml')
  writeFileSync(file, withSetting(readFileSync(file, 'utf8'), 'POSTGRES_ARCHIVE', named))
  await commit(record.root, 'The archive of postgres')
  // What the cluster follows.
  execFileSync('git', ['-C', record.root, 'update-ref', 'refs/heads/release', 'HEAD'])
  const settings = () => kubectl(record, '-n', 'flux-system', 'get', 'configmap', 'cluster-settings', '-o', 'json')
  await eventually(settings, ({ stdout }) => stdout.includes(named), 120)
  const settled = await lab.run(['cnpg', 'restore', 'postgres', '--settle'])
  expect(settled, told(settled)).toMatchObject({ code: 0 })
  await reconcile('postgres')
  expect(await archive()).toBe(named)
  expect((await postgres()).metadata.uid).toBe(uid)
  expect(await cnpg()).toMatchObject({ code: 0 })
}

proof('an archive that has lost its backups is found out while everything still runs', async () => {
  const uid = (await postgres()).metadata.uid
  await lab.addFault({ name: 'archive-lost' })
  const run = lab.start(restore())
  await run.event(
    (event) => event.type === 'step-waiting' && event.waitingFor.some((line) => line.includes('no target backup')),
  )
  expect((await client('odoo')).spec?.replicas).toBe(1)
  run.signal('SIGINT', { group: false })
  expect((await run.ended).code).toBe(6)
  const second = await lab.run(restore())
  expect(second.code, told(second)).toBe(3)
  expect(second.error?.message).toContain('did not come to its end')
  const ended = await lab.run(['cnpg', 'restore', 'postgres', '--abort'])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  await asBefore()
  expect((await postgres()).metadata.uid).toBe(uid)
})

proof('aborted before the database is deleted, everything is as it was; afterwards it goes forward', async () => {
  const uid = (await postgres()).metadata.uid
  expect((await killAt(lab, restore(), atWork('databases.postgres/save'))).signal).toBe('SIGKILL')
  const back = await lab.run(['cnpg', 'restore', 'postgres', '--abort'])
  expect(back, told(back)).toMatchObject({ code: 0 })
  await asBefore()
  expect((await postgres()).metadata.uid).toBe(uid)

  const before = await archive()
  expect((await killAt(lab, restore(), atWork('databases.postgres/replace'))).signal).toBe('SIGKILL')
  const unasked = await lab.run(['cnpg', 'restore', 'postgres', '--abort'])
  expect(unasked).toMatchObject({ code: 2 })
  const forward = await lab.run(['cnpg', 'restore', 'postgres', '--abort', '--yes'])
  expect(forward, told(forward)).toMatchObject({ code: 0 })
  await asBefore()
  expect(await content()).toBe(`${before} until its end`)
  await gitCatchesUp()
})

proof('a client that never gets Ready keeps the proof away, and nothing else', async () => {
  await lab.addFault({ name: 'flux-never-ready', params: { name: 'flux-system/odoo' } })
  const ended = await lab.run(restore('--pods-timeout', '40s'))
  expect(ended.code, told(ended)).toBe(6)
  expect(ended.result?.error?.message).toContain('flux-system/odoo')
  await lab.clearFaults()
  const resumed = await lab.run(['run', 'resume'])
  expect(resumed, told(resumed)).toMatchObject({ code: 0 })
  await asBefore()
  await gitCatchesUp()
})

proof('a base backup is made as the schedule makes it, and one that fails says why at once', async () => {
  const ended = await lab.run(['cnpg', 'backup', 'postgres'])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  expect((await lab.run(['cnpg', 'status'])).code).toBe(0)
  await lab.addFault({ name: 'base-backup-fails', params: { message: 'the bucket answers AccessDenied' } })
  const failed = await lab.run(['cnpg', 'backup', 'postgres'])
  expect(failed.code, told(failed)).toBe(6)
  expect(failed.result?.error?.message).toContain('the bucket answers AccessDenied')
  expect((await lab.run(['cnpg', 'status'])).code).toBe(3)
  await lab.clearFaults()
  expect((await lab.run(['cnpg', 'backup', 'postgres'])).code).toBe(0)
})

proof('another instance becomes the primary, and everything is whole again when that is over', async () => {
  const primary = async () => (await postgres()).status?.currentPrimary
  const before = await primary()
  const unasked = await lab.run(['cnpg', 'switchover', 'postgres'])
  expect(unasked).toMatchObject({ code: 2 })
  const ended = await lab.run(['cnpg', 'switchover', 'postgres', '--yes'])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  expect(await primary()).not.toBe(before)
  expect((await lab.run(['gate', 'check', 'cnpg-healthy'])).code).toBe(0)
})
