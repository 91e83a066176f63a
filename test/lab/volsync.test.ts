/**
 * Volumes that are saved and brought back, with the whole CLI in the lab: an application comes back with the replicas that it had, whatever
 * happens in between. Every step is a place to be killed at with K8SOPS_TEST_FULL=1, otherwise one that K8SOPS_TEST_SEED chooses.
 */
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import { atWork, begun, interruptAt, killAt } from '../helpers/kill.ts'
import { eventually, kubectl } from '../helpers/lab.ts'
import { type LabCli, labCli, statesOf, told } from '../helpers/lab-cli.ts'
import { proof } from '../helpers/proof.ts'
import { full, randomOf, sample } from '../helpers/seed.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

/** An application of the repository that has a volume; Flux applies it. */
const app = { namespace: 'business', name: 'odoo' }
const id = `${app.namespace}/${app.name}`

let record: LabRecord
let lab: LabCli
beforeAll(async () => {
  const shared = await sharedLab()
  record = shared.record
  lab = labCli(record, shared.env)
  await eventually(
    () => get('deployments'),
    ({ status }) => status?.readyReplicas === 1,
    180,
  )
})
afterEach(() => lab.clearFaults())

interface Seen {
  metadata: { annotations?: Record<string, string>; labels?: Record<string, string> }
  spec?: { replicas?: number; suspend?: boolean; trigger?: { manual?: string } }
  status?: {
    readyReplicas?: number
    lastHandledReconcileAt?: string
    lastSyncTime?: string
    latestMoverStatus?: { logs?: string }
  }
}
const get = async (kind: string, name = app.name, namespace = app.namespace): Promise<Seen> =>
  JSON.parse((await kubectl(record, '-n', namespace, 'get', kind, name, '-o', 'json')).stdout) as Seen
const kustomization = () => get('kustomizations.kustomize.toolkit.fluxcd.io', app.name, 'flux-system')
const source = () => get('replicationsources.volsync.backube')
/** What the played mover says that the volume holds. */
const content = async () => (await get('persistentvolumeclaims')).metadata.annotations?.['lab.k8sops.dev/content']

interface Row {
  name: string
  state: string
  lastSuccess: string
  lastRestore: string | null
}
const backupRow = async () => {
  const { stdout } = await lab.run(['backup', 'status'])
  return (JSON.parse(stdout) as { items: Row[] }).items.find(({ name }) => name === app.name)
}

/** The snapshot that the source's status tells of. */
async function newest(): Promise<string> {
  const [, snapshot = ''] =
    /snapshot ([0-9a-f]{8}) saved/.exec((await source()).status?.latestMoverStatus?.logs ?? '') ?? []
  expect(snapshot).not.toBe('')
  return snapshot
}
async function save(): Promise<string> {
  const ended = await lab.run(['volsync', 'snapshot', id])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  return newest()
}
const restore = (...args: string[]) => ['volsync', 'restore', id, '--overwrite', '--confirm', app.name, ...args]

/** Nothing is left of a restore: replicas as before, ready, nothing suspended, no note, no destination. */
async function asBefore(replicas = 1): Promise<void> {
  const deployment = await eventually(
    () => get('deployments'),
    ({ status }) => status?.readyReplicas === replicas,
    60,
  )
  expect(deployment.spec?.replicas).toBe(replicas)
  const annotations = (object: Seen) => Object.keys(object.metadata.annotations ?? {})
  expect(annotations(deployment).filter((key) => /k8sops\.dev|\/reconcile$/.test(key))).toEqual([])
  const flux = await kustomization()
  expect(flux.spec?.suspend ?? false).toBe(false)
  expect(annotations(flux).filter((key) => key.startsWith('k8sops.dev'))).toEqual([])
  const { stdout } = await kubectl(record, '-n', app.namespace, 'get', 'replicationdestinations', '-o', 'name')
  expect(stdout).not.toContain(`${app.name}-manual`)
}

let saved: string[]
test('a save is one of now, its schedule counts again, and the status knows it', async () => {
  const before = await backupRow()
  saved = [await save(), await save()]
  expect((await source()).spec?.trigger?.manual).toBeUndefined()
  // Nobody keeps logs here: the status tells of the last one.
  const { stdout } = await lab.run(['volsync', 'snapshots', id])
  expect(JSON.parse(stdout)).toMatchObject({ from: 'status', items: [{ previous: 0, id: saved[1] }] })
  const after = await backupRow()
  expect(after?.state).toBe('ok')
  expect(Date.parse(after?.lastSuccess ?? '')).toBeGreaterThan(Date.parse(before?.lastSuccess ?? ''))
})

proof('a restore writes the snapshot that was asked for into a volume that nobody uses', async () => {
  const ended = await lab.run(restore('--previous', '1'))
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  expect(await content()).toBe(saved[0])
  await asBefore()
})

test('what would be lost has to be named', async () => {
  const refused = await lab.run(['volsync', 'restore', id])
  expect(refused).toMatchObject({ code: 2 })
  expect(refused.error?.message).toContain('--overwrite is missing')
  const unnamed = await lab.run(['volsync', 'restore', id, '--overwrite', '--yes'])
  expect(unnamed).toMatchObject({ code: 2 })
})

const placesToDie = [
  'kustomization.flux-system.odoo/suspend',
  'deployment.business.odoo/stop',
  'business.odoo/detach',
  'business.odoo/restore',
  'business.odoo/note',
  'business.odoo-manual/delete',
  'deployment.business.odoo/start',
  'deployment.business.odoo/ready',
]

describe('killed', () => {
  test.each(full ? placesToDie : sample(placesToDie, 1, randomOf('volsync kill')))(
    'at %s, another process brings it to its end',
    async (step) => {
      const killed = await killAt(lab, restore('--previous', '1'), begun(step))
      expect(killed.signal).toBe('SIGKILL')
      const ended = await lab.run(['run', 'resume'])
      expect(ended, told(ended)).toMatchObject({ code: 0 })
      expect(await content()).toBe(saved[0])
      expect((await backupRow())?.lastRestore).toMatch(/^20/)
      await asBefore()
      // What was written is not written a second time.
      if (placesToDie.indexOf(step) > placesToDie.indexOf('business.odoo-manual/delete'))
        expect(statesOf(ended.result)['business.odoo/restore']).toBe('skipped')
    },
  )
})

proof('killed in the middle of writing, an abort needs nothing of the run that began it', async () => {
  const killed = await killAt(lab, restore(), atWork('business.odoo/restore'))
  expect(killed.signal).toBe('SIGKILL')
  const listed = JSON.parse((await lab.run(['volsync', 'list'])).stdout) as { items: { kind: string; state: string }[] }
  expect(listed.items.filter(({ state }) => state === 'parked').map(({ kind }) => kind)).toEqual(['Deployment'])
  const ended = await lab.run(['volsync', 'restore', id, '--abort', '--yes'])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  await asBefore()
})

describe('a mover that fails', () => {
  const message = 'Fatal: unable to open config file'

  test('is named while the restore waits, and an abort brings the application back without it', async () => {
    await lab.addFault({ name: 'mover-fails', params: { name: `${id}-manual`, message } })
    const run = lab.start(restore())
    await run.event((event) => event.type === 'step-waiting' && event.waitingFor.some((line) => line.includes(message)))
    expect((await get('deployments')).spec?.replicas).toBe(0)
    // Its parent looks at it meanwhile, and it stays as it is.
    const parent = (await kustomization()).metadata.labels?.['kustomize.toolkit.fluxcd.io/name'] ?? ''
    const asked = `reconcile.fluxcd.io/requestedAt=${Date.now()}`
    const all = 'kustomizations.kustomize.toolkit.fluxcd.io'
    await kubectl(record, 'annotate', '-n', 'flux-system', all, parent, '--overwrite', asked)
    await eventually(
      () => get(all, parent, 'flux-system'),
      ({ status }) => asked.endsWith(`=${status?.lastHandledReconcileAt}`),
      60,
    )
    const second = await lab.run(restore())
    expect(second.code, told(second)).toBe(3)
    expect(second.error?.message).toContain('did not come to its end')
    run.signal('SIGINT', { group: false })
    expect((await run.ended).code).toBe(6)
    expect((await get('deployments')).spec?.replicas).toBe(0)
    expect((await kustomization()).spec?.suspend).toBe(true)
    const unasked = await lab.run(['volsync', 'restore', id, '--abort'])
    expect(unasked.code).toBe(2)
    const ended = await lab.run(['volsync', 'restore', id, '--abort', '--yes'])
    expect(ended, told(ended)).toMatchObject({ code: 0 })
    await asBefore()
    const nothing = await lab.run(['volsync', 'restore', id, '--abort'])
    expect(nothing).toMatchObject({ code: 3 })
  })

  proof('may be mended instead: the run goes on', async () => {
    await lab.addFault({ name: 'mover-fails', params: { name: `${id}-manual`, message } })
    const interrupted = await interruptAt(lab, restore(), async (run) => {
      await run.event(
        (event) => event.type === 'step-waiting' && event.waitingFor.some((line) => line.includes(message)),
      )
    })
    expect(interrupted.code).toBe(6)
    await lab.clearFaults()
    const ended = await lab.run(['run', 'resume'])
    expect(ended, told(ended)).toMatchObject({ code: 0 })
    await asBefore()
  })

  proof('because of a lock that nobody holds any more is helped by unlock', async () => {
    await lab.addFault({ name: 'repository-locked', params: { name: id } })
    const stuck = await interruptAt(lab, ['volsync', 'snapshot', id], async (run) => {
      await run.event(
        (event) => event.type === 'step-waiting' && event.waitingFor.some((line) => line.includes('already locked')),
      )
    })
    expect(stuck.code).toBe(6)
    expect((await backupRow())?.state).toBe('failed')
    const ended = await lab.run(['volsync', 'unlock', id])
    expect(ended, told(ended)).toMatchObject({ code: 0 })
    expect((await backupRow())?.state).toBe('ok')
  })
})

proof('a time before the first snapshot restores nothing, and says so instead of ending well', async () => {
  const ended = await lab.run(restore('--at', '2020-01-01T00:00:00Z'))
  expect(ended.code, told(ended)).toBe(6)
  expect(ended.result?.error?.message).toContain('no snapshot fits')
  const aborted = await lab.run(['volsync', 'restore', id, '--abort', '--yes'])
  expect(aborted, told(aborted)).toMatchObject({ code: 0 })
  await asBefore()
})

proof('into another namespace nothing is stopped, and no keys stay there', async () => {
  await kubectl(record, 'create', 'namespace', 'lab-drill')
  const ended = await lab.run(['volsync', 'restore', id, '--to', 'lab-drill'])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  const claim = await get('persistentvolumeclaims', app.name, 'lab-drill')
  expect(claim.metadata.annotations?.['lab.k8sops.dev/content']).toBe(await newest())
  expect((await kubectl(record, '-n', 'lab-drill', 'get', 'secrets', '-o', 'name')).stdout).toBe('')
  expect(ended.stderr + ended.stdout).not.toContain('RESTIC_PASSWORD":')
  expect((await lab.run(['volsync', 'restore', id, '--to', 'lab-drill'])).error?.message).toContain('already')
  await kubectl(record, 'delete', 'namespace', 'lab-drill', '--wait=false')
  await asBefore()
})
