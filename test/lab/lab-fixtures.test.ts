/**
 * The lab's fixtures: a drain meets Ceph, a database, an attached volume and a budget, and each behaves as the real one; the
 * faults that concern them begin and end. The real controllers, kubectl and talosctl judge.
 */
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { callSupervisor } from '../../src/lib/lab/control-socket.ts'
import { addFixtures } from '../../src/lib/lab/fixtures/index.ts'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import type { ActiveFault } from '../../src/lib/lab/types.ts'
import { eventually, kubectl, talosctl } from '../helpers/lab.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

let record: LabRecord
beforeAll(async () => {
  record = (await sharedLab()).record
  await addFixtures(record, { note: () => {} })
})
afterEach(async () => {
  await clearFaults()
  await kubectl(record, 'uncordon', '-l', 'kubernetes.io/os=linux')
})

const addFault = (fault: ActiveFault) => callSupervisor(record.dir, 'POST', '/faults', fault)
const clearFaults = () => callSupervisor<number>(record.dir, 'DELETE', '/faults')

async function read(kind: string, namespace: string, name: string, path: string): Promise<string> {
  const { code, stdout, stderr } = await kubectl(record, '-n', namespace, 'get', kind, name, '-o', `jsonpath={${path}}`)
  return code === 0 ? stdout : stderr
}
const ceph = (path: string) => read('cephcluster', 'rook-ceph', 'rook-ceph', `.status.ceph${path}`)
const database = (path: string) => read('clusters.postgresql.cnpg.io', 'databases', 'postgres', `.status${path}`)
const nodeOf = (namespace: string, pod: string) => read('pod', namespace, pod, '.spec.nodeName')
const budgets = async () =>
  (await kubectl(record, '-n', 'rook-ceph', 'get', 'pdb', '-o', 'name')).stdout
    .split('\n')
    .filter((name) => name.includes('osd'))
/** Of all volumes, or of one. */
const attachments = async (node: string, volume = '') => {
  const path = `jsonpath={range .items[?(@.spec.nodeName=="${node}")]}{.spec.source.persistentVolumeName}={.status.attached} {end}`
  const { stdout } = await kubectl(record, 'get', 'volumeattachments', '-o', path)
  return stdout
    .trim()
    .split(' ')
    .filter((one) => one.startsWith(volume))
    .join(' ')
}
const drain = (node: string, timeout: string) =>
  kubectl(record, 'drain', node, '--ignore-daemonsets', '--delete-emptydir-data', `--timeout=${timeout}`)
const cordon = (node: string) => kubectl(record, 'cordon', node)
const uncordon = (node: string) => kubectl(record, 'uncordon', node)

async function healthy(): Promise<void> {
  await eventually(
    () => ceph('.health'),
    (health) => health === 'HEALTH_OK',
    60,
  )
  await eventually(
    () => database('.phase'),
    (phase) => phase === 'Cluster in healthy state',
    60,
  )
  await eventually(budgets, (names) => names.length === 1 && names[0]?.endsWith('/rook-ceph-osd') === true, 30)
}

describe('a drain', () => {
  test('lets the primary go, guards the other OSDs meanwhile, detaches volumes, and all of it comes back', async () => {
    const primary = await database('.currentPrimary')
    const node = await nodeOf('databases', primary)
    await cordon(node)
    const next = await eventually(
      () => database('.currentPrimary'),
      (name) => name !== primary,
      30,
    )
    expect(await nodeOf('databases', next)).not.toBe(node)
    expect(await drain(node, '60s')).toMatchObject({ code: 0 })
    await eventually(
      () => ceph('.details.OSD_DOWN.message'),
      (message) => message === '1 osds down',
      30,
    )
    const guarding = await eventually(budgets, (names) => names.length === record.machines.length - 1, 30)
    expect(guarding.join()).not.toContain(`rook-ceph-osd-host-${node}`)
    await eventually(
      () => attachments(node),
      (attached) => attached === '',
      30,
    )
    // An instance on a local volume can't go elsewhere.
    expect(await database('.readyInstances')).toBe('2')
    await uncordon(node)
    await healthy()
  })

  test('is held by pdb-blocks-drain until it is cleared, and by a primary that stays', async () => {
    await addFault({ name: 'pdb-blocks-drain' })
    await addFault({ name: 'cnpg-no-switchover' })
    const primary = await database('.currentPrimary')
    const node = await nodeOf('databases', primary)
    await eventually(
      () => read('pdb', 'lab-fixtures', 'web', '.spec.maxUnavailable'),
      (now) => now === '0',
      30,
    )
    // After a switchover the budget's controller has to see first who is the primary now.
    await eventually(
      () => read('pdb', 'databases', 'postgres-primary', '.status.disruptionsAllowed'),
      (allowed) => allowed === '0',
      30,
    )
    const held = await drain(node, '7s')
    expect(held.code).toBe(1)
    expect(held.stderr).toContain('Cannot evict pod as it would violate the pod')
    expect(await nodeOf('databases', primary)).toBe(node)
    await clearFaults()
    expect(await drain(node, '60s')).toMatchObject({ code: 0 })
    await uncordon(node)
    await healthy()
  })

  test('leaves the volume attached under volume-never-detaches', async () => {
    await addFault({ name: 'volume-never-detaches' })
    const node = await nodeOf('lab-fixtures', 'store-0')
    // Applications have volumes there, too.
    const volume = await read('pvc', 'lab-fixtures', 'data-store-0', '.spec.volumeName')
    await cordon(node)
    await kubectl(record, '-n', 'lab-fixtures', 'delete', 'pod', 'store-0')
    await eventually(
      () => nodeOf('lab-fixtures', 'store-0'),
      (now) => now !== node && now !== '',
      30,
    )
    expect(await attachments(node, volume)).toBe(`${volume}=true`)
    await clearFaults()
    await eventually(
      () => attachments(node, volume),
      (attached) => attached === '',
      30,
    )
    await uncordon(node)
    await healthy()
  })
})

describe('faults of the cluster', () => {
  test('ceph-degraded: a health check of choice, and a look that grows old', async () => {
    await addFault({ name: 'ceph-degraded', params: { key: 'OSDMAP_FLAGS', lastChecked: '600' } })
    await eventually(
      () => ceph('.details.OSDMAP_FLAGS.severity'),
      (severity) => severity === 'HEALTH_WARN',
      30,
    )
    expect(Date.now() - Date.parse(await ceph('.lastChecked'))).toBeGreaterThan(590_000)
    await clearFaults()
    await healthy()
  })

  test('other-upgrader-active and lock-stolen begin and end', async () => {
    await addFault({ name: 'other-upgrader-active' })
    await addFault({ name: 'lock-stolen', params: { lease: 'k8sops-stolen', holder: 'thief' } })
    const phase = () => read('talosupgrades', 'default', 'lab-other-upgrader', '.status.phase')
    const holder = () => read('lease', 'kube-system', 'k8sops-stolen', '.spec.holderIdentity')
    await eventually(phase, (now) => now === 'Upgrading', 20)
    await eventually(holder, (now) => now === 'thief', 30)
    await clearFaults()
    await eventually(phase, (now) => now.includes('not found'), 30)
    await eventually(holder, (now) => now === '', 30)
    await kubectl(record, '-n', 'kube-system', 'delete', 'lease', 'k8sops-stolen')
  })
})

describe('faults of etcd, seen through the Talos API', () => {
  const on = (node: string, ...args: string[]) => talosctl(record, address(node), ...args)
  const address = (node: string) => Object.entries(record.hostnames).find(([, name]) => name === node)?.[0] ?? node

  test('etcd-alarm is a real alarm, etcd-member-lost a member that is gone and comes back', async () => {
    const alarms = async () => (await on('apps-cp1', 'etcd', 'alarm', 'list')).stdout
    await addFault({ name: 'etcd-alarm', node: 'apps-cp2' })
    await eventually(alarms, (text) => text.includes('NOSPACE'), 20)
    await clearFaults()
    await eventually(alarms, (text) => text === '', 20)
    const status = async () => (await on('apps-cp3', 'etcd', 'status')).code
    await addFault({ name: 'etcd-member-lost', node: 'apps-cp3' })
    await eventually(status, (code) => code === 1, 20)
    await clearFaults()
    await eventually(status, (code) => code === 0, 20)
    await healthy()
  })
})
