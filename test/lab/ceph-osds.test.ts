/**
 * OSDs that leave and come with the whole CLI in the lab. Rook and Ceph are played, the Jobs and their pods, the holds and the wipe of the disk are
 * real. Whatever happens in between: nothing is left held, stopped or half removed. Every step is a place to be killed at with
 * K8SOPS_TEST_FULL=1, otherwise one that K8SOPS_TEST_SEED chooses.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import { withSetting } from '../../src/lib/repo/settings-edit.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { atWork, begun, interruptAt, killAt } from '../helpers/kill.ts'
import { eventually, inLab, kubectl } from '../helpers/lab.ts'
import { type LabCli, labCli, statesOf, told } from '../helpers/lab-cli.ts'
import { proof } from '../helpers/proof.ts'
import { full, randomOf, sample } from '../helpers/seed.ts'
import { sharedLab } from '../helpers/shared-lab.ts'
import { commit } from '../helpers/test-cluster.ts'

const node = 'apps-w3'
const namespace = 'rook-ceph'
let record: LabRecord
let lab: LabCli
let address = ''
/** Where the lab's OSD is. */
let device = ''
let nodes: string[] = []

beforeAll(async () => {
  const shared = await sharedLab()
  record = shared.record
  lab = labCli(record, shared.env)
  nodes = Object.values(record.hostnames)
  const machine = record.machines.find((one) => record.hostnames[one.address] === node)
  address = machine?.address ?? ''
  device = basename(machine?.disks.toSorted((a, b) => b.size - a.size)[0]?.path ?? '')
  await asBefore()
})
afterEach(async () => {
  await lab.clearFaults('ceph-osd-needed')
  await lab.clearFaults('ceph-rebalance-stalls')
})

const list = async (kind: string, ...flags: string[]): Promise<KubeObject[]> => {
  const { stdout } = await kubectl(record, '-n', namespace, 'get', kind, ...flags, '-o', 'json')
  return (JSON.parse(stdout || '{"items":[]}') as { items: KubeObject[] }).items
}
const osds = () => list('deployments.apps', '-l', 'app=rook-ceph-osd')
const hostOf = ({ metadata }: KubeObject) => metadata.labels?.['topology-location-host'] ?? ''
const osdOf = async (host: string): Promise<string> => {
  const found = (await osds()).find((one) => hostOf(one) === host)
  if (!found) throw new Error(`${host} has no OSD`)
  return found.metadata.labels?.['ceph-osd-id'] ?? ''
}

/** Nothing is held, stopped or left; an OSD on every one of these nodes, and Ceph is well. */
async function asBefore(hosts = nodes): Promise<void> {
  await eventually(
    osds,
    (found) => found.map(hostOf).toSorted().join() === hosts.toSorted().join() && found.every(isReady),
    120,
  )
  const [operator] = await list('deployments.apps', '-l', 'app=rook-ceph-operator')
  expect(operator?.spec?.replicas).toBe(1)
  const noted = [operator, ...(await osds())].flatMap((one) => Object.keys(one?.metadata.annotations ?? {}))
  expect(noted.filter((key) => /k8sops\.dev|\/reconcile$/.test(key))).toEqual([])
  const releases = await list('helmreleases.helm.toolkit.fluxcd.io')
  expect(releases.filter(({ spec }) => spec?.suspend === true)).toEqual([])
  expect(await list('jobs.batch', '-l', 'k8sops.dev/ceph')).toEqual([])
  await eventually(
    () => lab.run(['gate', 'check', 'ceph-healthy']),
    ({ code }) => code === 0,
    60,
  )
}
const isReady = ({ status }: KubeObject) => Number(status?.readyReplicas ?? 0) > 0

const remove = (osd: string, ...args: string[]) => [
  'ceph',
  'osd',
  'remove',
  osd,
  '--destroy-data',
  '--confirm',
  `osd.${osd}`,
  '--settle-timeout',
  '3m',
  ...args,
]

/** What would be lost has to be named; an OSD that Ceph needs, or that Rook would bring back, stays. */
async function refused(): Promise<void> {
  const osd = await osdOf(node)
  const unnamed = await lab.run(['ceph', 'osd', 'remove', osd, '--wipe', device, '--yes'])
  expect(unnamed.error?.message).toContain('--destroy-data is missing')
  expect(await lab.run([...remove(osd, '--wipe', device).slice(0, 5), '--wipe', device, '--yes'])).toMatchObject({
    code: 2,
  })
  const asked = await lab.run(remove(osd))
  expect(asked.code, told(asked)).toBe(3)
  expect(asked.stderr).toContain('CEPH_NODES')
  await lab.addFault({ name: 'ceph-osd-needed' })
  const needed = await lab.run(remove(osd, '--wipe', device))
  expect(needed.code, told(needed)).toBe(3)
  expect(statesOf(needed.result)).toMatchObject({ [`osd.${osd}/expendable`]: 'failed', [`osd.${osd}/asked`]: 'done' })
  expect(told(needed)).toContain('unsafe to stop')
  await lab.clearFaults('ceph-osd-needed')
  expect((await lab.run(['ceph', 'osd', 'remove', osd, '--abort'])).code).toBe(3)
  await asBefore()
}

/** Another process brings it to its end, and of the wiped disk Rook makes a new OSD, with its number. */
async function killedAt(place: string): Promise<void> {
  const osd = await osdOf(node)
  const step = place
    .replace('rook-ceph-OSD', `rook-ceph-osd-${osd}`)
    .replace('osd-OSD', `osd-${osd}`)
    .replace('OSD', `osd.${osd}`)
  const killed = await killAt(lab, remove(osd, '--wipe', device), begun(step))
  expect(killed.signal, told(killed)).toBe('SIGKILL')
  const ended = await lab.run(['run', 'resume'])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  await asBefore()
}

const cases: [string, () => Promise<void>][] = [
  ['refused', refused],
  ...[
    'OSD/ask',
    'OSD/drain',
    'deployment.rook-ceph.rook-ceph-operator/stop',
    'deployment.rook-ceph.rook-ceph-OSD/stop',
    'OSD/purge',
    'OSD/gone',
    `${node}/disk`,
    'deployment.rook-ceph.rook-ceph-operator/start',
    'ceph/healthy',
    'osd-OSD/tidy',
  ].map((place): [string, () => Promise<void>] => [`killed at ${place}, and gone on with`, () => killedAt(place)]),
]

describe('an OSD with the whole CLI', () => {
  test.each(full ? cases : sample(cases, 1, randomOf('ceph osd')))('is %s', async (_, body) => body())
})

proof('a rebalance that stands still stops the run, which goes on where it was once it moves', async () => {
  const osd = await osdOf(node)
  await lab.addFault({ name: 'ceph-rebalance-stalls' })
  const stopped = await lab.run(remove(osd, '--wipe', device, '--stall-timeout', '5s'))
  expect(stopped.code, told(stopped)).toBe(6)
  expect(told(stopped)).toMatch(/nothing has moved for/)
  // Nothing but the OSD itself waits for it: Rook's operator still runs.
  const [operator] = await list('deployments.apps', '-l', 'app=rook-ceph-operator')
  expect(operator?.spec?.replicas).toBe(1)
  const holds = JSON.parse((await lab.run(['holds', 'list'])).stdout) as { items: object[] }
  expect(holds.items).toContainEqual(expect.objectContaining({ name: 'app/rook-ceph', expired: false }))
  await lab.clearFaults('ceph-rebalance-stalls')
  const ended = await lab.run(['run', 'resume'])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  await asBefore()
})

proof('it can be ended from another machine until it is purged, and the OSD comes back', async () => {
  const osd = await osdOf(node)
  const uid = (await osds()).find((one) => hostOf(one) === node)?.metadata.uid
  await lab.addFault({ name: 'ceph-rebalance-stalls' })
  const interrupted = await interruptAt(lab, remove(osd, '--wipe', device), atWork(`osd.${osd}/drain`))
  expect(interrupted.code, told(interrupted)).toBe(6)
  const second = await lab.run(remove(osd, '--wipe', device))
  expect(second.code, told(second)).toBe(3)
  expect(second.error?.message).toContain('did not come to its end')
  await lab.clearFaults('ceph-rebalance-stalls')
  const ended = await lab.run(['ceph', 'osd', 'remove', osd, '--abort', '--yes'])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  await asBefore()
  const parked = await killAt(lab, remove(osd, '--wipe', device), begun(`osd.${osd}/purge`))
  expect(parked.signal).toBe('SIGKILL')
  const late = await lab.run(['ceph', 'osd', 'remove', osd, '--abort', '--yes'])
  // The purge had begun, or it had not.
  if (late.code !== 0) {
    expect(late, told(late)).toMatchObject({ code: 3 })
    expect(await lab.run(['run', 'resume'])).toMatchObject({ code: 0 })
  } else {
    expect((await osds()).find((one) => hostOf(one) === node)?.metadata.uid).toBe(uid)
  }
  await asBefore()
})

async function askFor(hosts: string[]): Promise<void> {
  const file = join(record.root, 'kubernetes/clusters/apps/cluster-settings.yaml')
  const all = hosts.length === nodes.length
  const text = withSetting(readFileSync(file, 'utf8'), 'CEPH_ALL_NODES', `"${all}"`)
  const named = JSON.stringify(hosts.toSorted().map((name) => ({ name })))
  writeFileSync(file, withSetting(text, 'CEPH_NODES', `'${named}'`))
  await commit(record.root, `Ceph on ${hosts.length} nodes`)
  execFileSync('git', ['-C', record.root, 'update-ref', 'refs/heads/release', 'HEAD'])
  const isLive = ({ spec }: KubeObject) => {
    const { useAllNodes, nodes: named = [] } = (spec?.storage ?? {}) as { useAllNodes?: boolean; nodes?: object[] }
    return useAllNodes === all && named.length === hosts.length
  }
  await eventually(
    () => list('cephclusters.ceph.rook.io'),
    ([ceph]) => ceph !== undefined && isLive(ceph),
    240,
  )
}
proof(
  'without a wipe it is Git that keeps it away; and Ceph grows again once Git asks and the disk is empty',
  async () => {
    const osd = await osdOf(node)
    const others = nodes.filter((name) => name !== node)
    await askFor(others)
    const removed = await lab.run(remove(osd))
    expect(removed, told(removed)).toMatchObject({ code: 0 })
    await asBefore(others)
    const early = await lab.run(['ceph', 'expand', '--node', node, '--yes'])
    expect(early.code, told(early)).toBe(3)
    expect(early.stderr).toContain(node)
    await askFor(nodes)
    // What the purged OSD has left is no empty disk.
    const stopped = await lab.run(['ceph', 'expand', '--node', node, '--yes', '--make-timeout', '10s'])
    expect(stopped.code, told(stopped)).toBe(6)
    expect(await inLab(record, 'talosctl', '-n', address, '-e', address, 'wipe', 'disk', device)).toMatchObject({
      code: 0,
    })
    const grown = await lab.run(['run', 'resume'])
    expect(grown, told(grown)).toMatchObject({ code: 0 })
    expect(statesOf(grown.result)).toMatchObject({ 'ceph/settle': 'done' })
    await asBefore()
  },
)
