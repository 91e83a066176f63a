/**
 * Nodes that leave and come back, with the whole CLI in the lab: removed, replaced, dead. Here one of the ways, chosen by
 * K8SOPS_TEST_SEED; all of them with K8SOPS_TEST_FULL=1.
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { addFixtures } from '../../src/lib/lab/fixtures/index.ts'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import { eventually, kubectl, talosctl } from '../helpers/lab.ts'
import { type LabCli, labCli, statesOf, told, wellAgain } from '../helpers/lab-cli.ts'
import { full, randomOf, sample } from '../helpers/seed.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

let record: LabRecord
let lab: LabCli
const worker = 'apps-w1'
beforeAll(async () => {
  const shared = await sharedLab()
  record = shared.record
  lab = labCli(record, shared.env)
  await lab.clearFaults()
  await addFixtures(record, { note: () => {} })
  await wellAgain(lab)
})

interface Row {
  name: string
  holder: string | null
  ready: boolean
  etcd: string | null
}
const row = async (name: string) =>
  (JSON.parse((await lab.run(['node', 'list'])).stdout) as { items: Row[] }).items.find((one) => one.name === name)

const remove = (...more: string[]) => lab.run(['node', 'remove', worker, '--wipe', ...more])

describe('a node that leaves', () => {
  test('has to be named, and is kept while there is data on it', async () => {
    expect((await lab.run(['node', 'remove', worker])).error?.message).toContain('--wipe is missing')
    expect((await remove('--yes')).error?.next).toContain(`--confirm ${worker}`)
    const refused = await remove('--confirm', worker)
    expect(refused, told(refused)).toMatchObject({ code: 3, result: { changed: false } })
    expect(refused.result?.error?.message).toContain('rook-ceph-osd')
    expect(await row(worker)).toMatchObject({ ready: true, holder: null })
  })
})

/** The ways to leave. */
const ways: Record<string, () => Promise<void>> = {
  'a worker is wiped and forgotten once its data is elsewhere, and joins again': async () => {
    await emptied(worker)
    await wellAgain(lab)
    const removed = await remove('--confirm', worker)
    expect(removed, told(removed)).toMatchObject({ code: 0 })
    expect((await kubectl(record, 'get', 'node', worker)).stderr).toContain('NotFound')
    const added = await lab.run(['node', 'add', worker])
    expect(added, told(added)).toMatchObject({ code: 0 })
    expect(await row(worker)).toMatchObject({ ready: true, holder: null })
    expect((await lab.run(['talos', 'diff', '--node', worker])).code).toBe(0)
    // The same again has nothing left to do.
    const again = await lab.run(['node', 'add', worker])
    expect(again, told(again)).toMatchObject({ code: 0, result: { changed: false } })
  },
  'a control plane is replaced: it leaves etcd, is wiped, and joins again as another member': async () => {
    const node = 'apps-cp2'
    const members = async () =>
      new Map(
        (JSON.parse((await lab.run(['talos', 'etcd', 'status'])).stdout) as { items: Member[] }).items.map(
          ({ name, member }) => [name, member],
        ),
      )
    const before = await members()
    await emptied(node)
    await wellAgain(lab)
    const replaced = await lab.run(['node', 'replace', node, '--wipe', '--confirm', node])
    expect(replaced, told(replaced)).toMatchObject({ code: 0 })
    expect(statesOf(replaced.result)).toMatchObject({ [`${node}/reset`]: 'done', [`${node}/join`]: 'done' })
    const after = await members()
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort())
    expect(after.get(node)).not.toBe(before.get(node))
    expect(await row(node)).toMatchObject({ ready: true, holder: null })
  },
  'a machine that is dead is forgotten, and another one takes its place': async () => {
    const node = 'apps-w3'
    const address = Object.entries(record.hostnames).find(([, name]) => name === node)?.[0] ?? ''
    const early = await lab.run(['node', 'remove', node, '--gone', '--confirm', node])
    expect(early, told(early)).toMatchObject({ code: 3, result: { changed: false } })
    await emptied(node)
    await wellAgain(lab)
    await lab.addFault({ name: 'node-never-boots', node })
    const wipe = ['--graceful=false', '--reboot', '--system-labels-to-wipe=STATE,EPHEMERAL', '--wait=false']
    expect((await talosctl(record, address, 'reset', ...wipe)).code).toBe(0)
    await eventually(
      () => row(node),
      (one) => one?.ready === false,
      60,
    )
    const removed = await lab.run(['node', 'remove', node, '--gone', '--confirm', node])
    expect(removed, told(removed)).toMatchObject({ code: 0 })
    expect((await kubectl(record, 'get', 'node', node)).stderr).toContain('NotFound')
    await lab.clearFaults()
    const added = await lab.run(['node', 'add', node])
    expect(added, told(added)).toMatchObject({ code: 0 })
    expect(await row(node)).toMatchObject({ ready: true, holder: null })
  },
}
const names = Object.keys(ways)
test.each(full ? names : sample(names, 1, randomOf('departures')))('%s', async (name) => {
  await ways[name]?.()
  await wellAgain(lab)
})

interface Member {
  name: string
  member: string
}

/** What an operator does with `ceph osd purge` and `kubectl cnpg destroy`: nothing is on the node any more that is nowhere else. */
async function emptied(node: string): Promise<void> {
  const others = ['cp1', 'cp2', 'cp3', 'w1', 'w2', 'w3'].map((name) => `apps-${name}`).filter((name) => name !== node)
  const storage = { useAllNodes: false, nodes: others.map((name) => ({ name })) }
  const patch = JSON.stringify({ spec: { storage } })
  // Else helm-controller would put back what the release says, and Rook the disk.
  const ignored = 'helm.toolkit.fluxcd.io/driftDetection=disabled'
  await kubectl(record, '-n', 'rook-ceph', 'annotate', 'cephcluster', 'rook-ceph', ignored, '--overwrite')
  await kubectl(record, '-n', 'rook-ceph', 'patch', 'cephcluster', 'rook-ceph', '--type', 'merge', '-p', patch)
  await kubectl(record, '-n', 'rook-ceph', 'delete', 'deployment', '-l', `topology-location-host=${node}`)
  const onNode = async () => {
    const { items } = JSON.parse((await kubectl(record, 'get', 'pv', '-o', 'json')).stdout) as { items: Volume[] }
    return items.filter(({ spec }) => JSON.stringify(spec.nodeAffinity ?? '').includes(`"${node}"`))
  }
  await kubectl(record, 'cordon', node)
  for (const { spec } of await onNode()) {
    const { name, namespace } = spec.claimRef
    for (const kind of ['pvc', 'pod']) await kubectl(record, '-n', namespace, 'delete', kind, name, '--wait=false')
  }
  await eventually(onNode, (volumes) => volumes.length === 0, 60)
  await kubectl(record, 'uncordon', node)
}

interface Volume {
  spec: { nodeAffinity?: object; claimRef: { name: string; namespace: string } }
}
