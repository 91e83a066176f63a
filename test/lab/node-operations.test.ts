/**
 * What a node goes through beside an upgrade, with the whole CLI in the lab: held, drained, restarted and configured.
 * K8SOPS_TEST_SEED chooses either a restart and a config that needs none, or a config that needs one, and some of the bad
 * input. All of it with K8SOPS_TEST_FULL=1, and then the restore of etcd as well, which takes every control plane down.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { addFixtures } from '../../src/lib/lab/fixtures/index.ts'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import { eventually, kubectl, talosctl } from '../helpers/lab.ts'
import { type CliEnded, type LabCli, labCli, statesOf, told, wellAgain } from '../helpers/lab-cli.ts'
import { full, randomOf, sample } from '../helpers/seed.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

let record: LabRecord
let lab: LabCli
const worker = 'apps-w1'
beforeAll(async () => {
  const shared = await sharedLab()
  record = shared.record
  lab = labCli(record, shared.env)
  await addFixtures(record, { note: () => {} })
  await wellAgain(lab)
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
interface Pod {
  metadata: { ownerReferences?: { kind: string }[] }
}
const rows = async (...args: string[]) => json<Row>(await lab.run(args)).items
const row = async (name: string) => (await rows('node', 'list')).find((one) => one.name === name)

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

  test('may be a drain: nothing is left on the node, and it stays out', async () => {
    const ended = await lab.run(['node', 'drain', worker, '--reason', 'new memory', '--drain-timeout', '2m'])
    expect(ended, told(ended)).toMatchObject({ code: 0 })
    expect(await row(worker)).toMatchObject({ holder: expect.stringMatching(/^node\.drain\//), reason: 'new memory' })
    const on = ['get', 'pods', '-A', '--field-selector', `spec.nodeName=${worker}`, '-o', 'json']
    const { items } = JSON.parse((await kubectl(record, ...on)).stdout) as { items: Pod[] }
    const owners = items.map(({ metadata }) => metadata.ownerReferences?.[0]?.kind ?? 'nobody')
    expect(owners.filter((kind) => kind !== 'DaemonSet' && kind !== 'Node')).toEqual([])
    expect((await lab.run(['node', 'uncordon', worker])).code).toBe(0)
    await wellAgain(lab)
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

/** With `lines` more in the worker's entry of talconfig.yaml, as if it had been committed. */
async function withTalconfig(lines: string, act: () => Promise<void>): Promise<void> {
  const talconfig = join(record.root, 'talos/apps/talconfig.yaml')
  const text = readFileSync(talconfig, 'utf8')
  writeFileSync(talconfig, text.replace(`  - hostname: ${worker}\n`, `  - hostname: ${worker}\n${lines}\n`))
  try {
    await act()
  } finally {
    writeFileSync(talconfig, text)
  }
}
const because = ['--worktree', '--reason', 'a test']

const configFile = () => join(record.root, `talos/apps/clusterconfig/apps-${worker}.yaml`)

/** The worker's earlier config: in the sample by talosctl alone, since the same way back is another minute. */
async function giveBack(config: string): Promise<void> {
  if (full) return expect((await lab.run(['talos', 'apply', '--node', worker, '--yes'])).code).toBe(0)
  const { bootedAt = '' } = (await row(worker)) ?? {}
  const [address = ''] = Object.entries(record.hostnames).find(([, name]) => name === worker) ?? []
  writeFileSync(configFile(), config)
  expect((await talosctl(record, address, 'apply-config', '-f', configFile(), '--mode', 'reboot')).code).toBe(0)
  await eventually(
    () => row(worker),
    (now) => now?.ready === true && Date.parse(now.bootedAt) > Date.parse(bootedAt),
    60,
  )
  await wellAgain(lab)
}

/** What changes a node; the first two take as long as the third. */
const changes: Record<string, () => Promise<void>> = {
  'a new config is shown without its secrets, applied where no restart is needed, and then there is nothing left':
    async () => {
      await withTalconfig('    nodeLabels: {k8sops.dev/rehearsed: "yes"}', async () => {
        const shown = await lab.run(['talos', 'diff'])
        expect(shown.code).toBe(3)
        const changed = json<Row>(shown).items.filter(({ effect }) => effect !== 'nothing')
        expect(changed).toMatchObject([
          { name: worker, effect: 'no-reboot', changes: [{ path: 'machine.nodeLabels' }] },
        ])
        expect((await lab.run(['talos', 'apply', '--yes'])).code, 'files that are not committed').toBe(3)
        const ended = await lab.run(['talos', 'apply', '--yes', ...because])
        expect(ended, told(ended)).toMatchObject({ code: 0 })
        expect(statesOf(ended.result)).toMatchObject({
          [`${worker}/apply-config`]: 'done',
          'apps-cp1/apply-config': 'skipped',
        })
        expect((await lab.run(['talos', 'diff'])).code).toBe(0)
      })
      expect((await lab.run(['talos', 'apply', '--yes'])).code).toBe(0)
    },
  'a restart takes the node out, reads back that it was booted anew, and brings it back': async () => {
    const before = await row(worker)
    const ended = await lab.run(['node', 'reboot', worker, '--yes'])
    expect(ended, told(ended)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
    expect(statesOf(ended.result)).toMatchObject({ [`${worker}/drain`]: 'done', [`${worker}/reboot`]: 'done' })
    const after = await row(worker)
    expect(Date.parse(after?.bootedAt ?? '')).toBeGreaterThan(Date.parse(before?.bootedAt ?? ''))
    expect(after).toMatchObject({ ready: true, holder: null })
  },
  'a new config that needs a restart takes the node out for it, and nobody else': async () => {
    const before = await row(worker)
    const generated = readFileSync(configFile(), 'utf8')
    await withTalconfig(
      '    machineFiles: [{content: rehearsed, permissions: 0o644, path: /var/rehearsed, op: create}]',
      async () => {
        expect(json<Row>(await lab.run(['talos', 'diff', '--node', worker])).items).toMatchObject([
          { effect: 'reboot' },
        ])
        const ended = await lab.run(['talos', 'apply', '--node', worker, '--yes', ...because])
        expect(ended, told(ended)).toMatchObject({ code: 0 })
        const states = statesOf(ended.result)
        for (const verb of ['cordon', 'drain', 'apply-config', 'settle', 'uncordon', 'recover'])
          expect(states[`${worker}/${verb}`], verb).toBe('done')
        expect((await lab.run(['talos', 'diff', '--node', worker])).code).toBe(0)
      },
    )
    const after = await row(worker)
    expect(Date.parse(after?.bootedAt ?? '')).toBeGreaterThan(Date.parse(before?.bootedAt ?? ''))
    expect(after).toMatchObject({ ready: true, holder: null })
    await giveBack(generated)
    expect((await lab.run(['talos', 'diff', '--node', worker])).code).toBe(0)
  },
}
const [plain = '', restart = '', withRestart = ''] = Object.keys(changes)
const ways = sample([[plain, restart], [withRestart]], full ? 2 : 1, randomOf('changes')).flat()
test.each(ways)('%s', (name) => changes[name]?.())

describe('bad input is refused before anything is touched', () => {
  const inputs: [args: string[], code: number, message: string][] = [
    [['node', 'reboot', 'nobody', 'apps-w9', '--yes'], 2, 'no node nobody, apps-w9'],
    [['node', 'cordon', 'apps-w1'], 2, '--reason is missing'],
    [['node', 'add', 'apps-w9'], 2, '--address is missing'],
    [['node', 'add', 'apps-w9', '--address', '127.13.99.9'], 3, 'is not in talconfig.yaml'],
    [['talos', 'etcd', 'restore'], 2, '--from is missing'],
    [['talos', 'etcd', 'restore', '--from', 'package.json', '--destroy-etcd-data'], 2, 'is no whole etcd snapshot'],
    [['talos', 'etcd', 'snapshot', '--keep', '0'], 2, 'expected a number of snapshots'],
    [['talos', 'diff', '--node', 'nobody'], 2, 'no node nobody'],
  ]
  test.each(full ? inputs : sample(inputs, 3, randomOf('bad input')))('%j', async (args, code, message) => {
    const runs = lab.runs().length
    const ended = await lab.run(args)
    expect(ended.code, told(ended)).toBe(code)
    expect(ended.error?.message).toContain(message)
    expect(lab.runs()).toHaveLength(runs)
  })
})

test('a restore of etcd brings back what was there at the snapshot, and nothing that came after it', async (context) => {
  if (!full) {
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
  await wellAgain(lab)
})
