/**
 * What a node goes through beside an upgrade, with the whole CLI in the lab: held, restarted, configured, removed and added.
 * The restore of etcd is part of the full proof only (K8SOPS_TEST_FULL=1): it takes every control plane down.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { addFixtures } from '../../src/lib/lab/fixtures/index.ts'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import { eventually, kubectl } from '../helpers/lab.ts'
import { type CliEnded, type LabCli, labCli, statesOf, told } from '../helpers/lab-cli.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

let record: LabRecord
let lab: LabCli
const worker = 'apps-w1'
beforeAll(async () => {
  const shared = await sharedLab()
  record = shared.record
  lab = labCli(record, shared.env)
  await addFixtures(record, { note: () => {} })
  await well()
})

const json = <T>({ stdout }: CliEnded) => JSON.parse(stdout) as { items: T[] }
interface Row {
  name: string
  bootedAt: string
  holder: string | null
  reason: string | null
  ready: boolean
  etcd: string | null
  effect: string
  changes: { path: string }[]
}
const rows = async (...args: string[]) => json<Row>(await lab.run(args)).items
const row = async (name: string) => (await rows('node', 'list')).find((one) => one.name === name)
const well = () =>
  eventually(
    () => lab.run(['talos', 'health']),
    ({ code }) => code === 0,
    180,
  )

describe('what is there', () => {
  test('every node with its role in etcd, and nothing that differs from Git', async () => {
    const nodes = await rows('node', 'list')
    expect(nodes.map(({ name, ready, holder }) => [name, ready, holder])).toEqual(
      ['cp1', 'cp2', 'cp3', 'w1', 'w2', 'w3'].map((name) => [`apps-${name}`, true, null]),
    )
    expect(nodes.map(({ etcd }) => etcd).sort()).toEqual(['follower', 'follower', 'leader', null, null, null])
    for (const args of [
      ['talos', 'versions'],
      ['talos', 'etcd', 'status'],
      ['talos', 'diff'],
    ])
      expect((await lab.run(args)).code, args.join(' ')).toBe(0)
  })

  test('a snapshot is kept with a digest that fits, outside the repository', async () => {
    const ended = await lab.run(['talos', 'etcd', 'snapshot', '--keep', '2'])
    expect(ended, told(ended)).toMatchObject({ code: 0 })
    const [, file = ''] = /([^\s"]+\.db): \d+ bytes, sha256/.exec(ended.stderr) ?? []
    expect(file.startsWith(record.root)).toBe(false)
    expect(execFileSync('sha256sum', ['-c', `${file}.sha256`], { cwd: join(file, '..'), encoding: 'utf8' })).toContain(
      ': OK',
    )
  })
})

describe('a hold', () => {
  test('stands on the node with its reason, and comes off again', async () => {
    expect((await lab.run(['node', 'cordon', worker, '--reason', 'new memory'])).code).toBe(0)
    expect(await row(worker)).toMatchObject({
      holder: expect.stringMatching(/^node\.cordon\/.+@.+/),
      reason: 'new memory',
    })
    expect((await lab.run(['node', 'uncordon', worker])).code).toBe(0)
    expect(await row(worker)).toMatchObject({ holder: null, reason: null })
  })

  test('of somebody else is left alone, by cordon and by uncordon', async () => {
    await kubectl(record, 'cordon', worker)
    const refused = await lab.run(['node', 'uncordon', worker])
    expect(refused).toMatchObject({ code: 3, error: { message: expect.stringContaining('somebody else') } })
    expect((await row(worker))?.holder).toContain('somebody')
    expect((await lab.run(['node', 'uncordon', worker, '--force'])).code).toBe(0)
    expect((await row(worker))?.holder).toBeNull()
  })
})

test('a restart takes the node out, reads back that it was booted anew, and brings it back', async () => {
  const before = await row(worker)
  const ended = await lab.run(['node', 'reboot', worker, '--yes'])
  expect(ended, told(ended)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
  expect(statesOf(ended.result)).toMatchObject({ [`${worker}/drain`]: 'done', [`${worker}/reboot`]: 'done' })
  const after = await row(worker)
  expect(Date.parse(after?.bootedAt ?? '')).toBeGreaterThan(Date.parse(before?.bootedAt ?? ''))
  expect(after).toMatchObject({ ready: true, holder: null })
})

test('a new config is shown without its secrets, applied where no restart is needed, and then there is nothing left', async () => {
  const talconfig = join(record.root, 'talos/apps/talconfig.yaml')
  const text = readFileSync(talconfig, 'utf8')
  const label = `  - hostname: ${worker}\n    nodeLabels: {k8sops.dev/rehearsed: "yes"}\n`
  writeFileSync(talconfig, text.replace(`  - hostname: ${worker}\n`, label))
  const because = ['--worktree', '--reason', 'a test']
  try {
    const shown = await lab.run(['talos', 'diff'])
    expect(shown.code).toBe(3)
    const changed = json<Row>(shown).items.filter(({ effect }) => effect !== 'nothing')
    expect(changed).toMatchObject([{ name: worker, effect: 'no-reboot', changes: [{ path: 'machine.nodeLabels' }] }])
    expect((await lab.run(['talos', 'apply', '--yes'])).code, 'files that are not committed').toBe(3)
    const ended = await lab.run(['talos', 'apply', '--yes', ...because])
    expect(ended, told(ended)).toMatchObject({ code: 0 })
    expect(statesOf(ended.result)).toMatchObject({
      [`${worker}/apply-config`]: 'done',
      'apps-cp1/apply-config': 'skipped',
    })
    expect((await lab.run(['talos', 'diff'])).code).toBe(0)
  } finally {
    writeFileSync(talconfig, text)
  }
  expect((await lab.run(['talos', 'apply', '--yes'])).code).toBe(0)
})

describe('a node that leaves', () => {
  const remove = (...more: string[]) => lab.run(['node', 'remove', worker, '--wipe', ...more])

  test('has to be named, and is kept while there is data on it', async () => {
    expect((await lab.run(['node', 'remove', worker])).error?.message).toContain('--wipe is missing')
    expect((await remove('--yes')).error?.next).toContain(`--confirm ${worker}`)
    const refused = await remove('--confirm', worker)
    expect(refused, told(refused)).toMatchObject({ code: 3, result: { changed: false } })
    expect(refused.result?.error?.message).toContain('rook-ceph-osd')
    expect(await row(worker)).toMatchObject({ ready: true, holder: null })
  })

  test('is wiped and forgotten once its data is elsewhere, and joins again', async () => {
    await emptied(worker)
    await well()
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
  })
})

/** What an operator does with `ceph osd purge` and `kubectl cnpg destroy`: nothing is on the node any more that is nowhere else. */
async function emptied(node: string): Promise<void> {
  const others = ['cp1', 'cp2', 'cp3', 'w1', 'w2', 'w3'].map((name) => `apps-${name}`).filter((name) => name !== node)
  const storage = { useAllNodes: false, nodes: others.map((name) => ({ name })) }
  const patch = JSON.stringify({ spec: { storage } })
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

describe('bad input is refused before anything is touched', () => {
  test.each([
    [['node', 'reboot', 'nobody', 'apps-w9', '--yes'], 2, 'no node nobody, apps-w9'],
    [['node', 'cordon', 'apps-w1'], 2, '--reason is missing'],
    [['node', 'add', 'apps-w9'], 2, '--address is missing'],
    [['node', 'add', 'apps-w9', '--address', '127.13.99.9'], 3, 'is not in talconfig.yaml'],
    [['talos', 'etcd', 'restore'], 2, '--from is missing'],
    [['talos', 'etcd', 'restore', '--from', 'package.json', '--destroy-etcd-data'], 2, 'is no whole etcd snapshot'],
    [['talos', 'etcd', 'snapshot', '--keep', '0'], 2, 'expected a number of snapshots'],
    [['talos', 'diff', '--node', 'nobody'], 2, 'no node nobody'],
  ])('%j', async (args, code, message) => {
    const runs = lab.runs().length
    const ended = await lab.run(args)
    expect(ended.code, told(ended)).toBe(code)
    expect(ended.error?.message).toContain(message)
    expect(lab.runs()).toHaveLength(runs)
  })
})

test('a restore of etcd brings back what was there at the snapshot, and nothing that came after it', async (context) => {
  if (process.env.K8SOPS_TEST_FULL !== '1') {
    context.task.meta.skipReason = 'takes every control plane down; with K8SOPS_TEST_FULL=1'
    context.skip(context.task.meta.skipReason)
  }
  await kubectl(record, 'create', 'configmap', 'before-the-snapshot')
  const taken = await lab.run(['talos', 'etcd', 'snapshot'])
  const [, file = ''] = /([^\s"]+\.db): \d+ bytes, sha256/.exec(taken.stderr) ?? []
  expect(existsSync(file)).toBe(true)
  await kubectl(record, 'create', 'configmap', 'after-the-snapshot')
  const ended = await lab.run(['talos', 'etcd', 'restore', '--from', file, '--destroy-etcd-data', '--confirm', 'apps'])
  expect(ended, told(ended)).toMatchObject({ code: 0 })
  expect((await kubectl(record, 'get', 'configmap', 'before-the-snapshot')).code).toBe(0)
  expect((await kubectl(record, 'get', 'configmap', 'after-the-snapshot')).stderr).toContain('NotFound')
  await well()
})
