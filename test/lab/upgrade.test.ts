/**
 * `k8sops talos upgrade --rolling` in the lab, with Ceph, databases, volumes and guarded workloads to look after: what it does
 * undisturbed, and that it comes to the same end when it is killed and when something breaks. Here one worker and one control
 * plane and a sample of the ways, chosen by K8SOPS_TEST_SEED; all six nodes, every boundary and every fault, alone and in pairs,
 * with K8SOPS_TEST_FULL=1 (docs/proof.md).
 */
import { beforeAll, describe, expect, test } from 'vitest'
import { addFixtures } from '../../src/lib/lab/fixtures/index.ts'
import type { ActiveFault } from '../../src/lib/lab/types.ts'
import { boundaries, full, killAtBoundaries, randomOf, sample, seed } from '../helpers/kill.ts'
import { boundaryOf } from '../helpers/kill-at-boundary.ts'
import { kubectl } from '../helpers/lab.ts'
import { type LabCli, labCli, statesOf, told } from '../helpers/lab-cli.ts'
import { recordService } from '../helpers/service-recorder.ts'
import { sharedLab } from '../helpers/shared-lab.ts'

let lab: LabCli
const now = ['--now', '--reason', 'a test of the lab']

interface NodeState {
  name: string
  version: string
  cordoned: boolean
  cordonedBy: string
}

async function nodes(): Promise<NodeState[]> {
  const { stdout } = await kubectl(lab.record, 'get', 'nodes', '-o', 'json')
  const { items } = JSON.parse(stdout) as {
    items: {
      metadata: { name: string; annotations?: Record<string, string> }
      spec: { unschedulable?: boolean }
      status: { nodeInfo: { osImage: string } }
    }[]
  }
  return items.map(({ metadata, spec, status }) => ({
    name: metadata.name,
    version: /\((v[^)]+)\)/.exec(status.nodeInfo.osImage)?.[1] ?? '',
    cordoned: spec.unschedulable === true,
    cordonedBy: metadata.annotations?.['k8sops.dev/cordoned-by'] ?? '',
  }))
}

/** There and back again: a lab that was upgraded by an earlier run goes to another version than it runs. */
let there: string
let back: string
const to = (version: string) => [
  'talos',
  'upgrade',
  '--rolling',
  '--to',
  version,
  ...(version === there ? [] : ['--downgrade']),
  ...now,
]
const all = async (version: string) =>
  expect(await nodes()).toEqual((await nodes()).map(({ name }) => ({ name, version, cordoned: false, cordonedBy: '' })))

beforeAll(async () => {
  const shared = await sharedLab()
  lab = labCli(shared.record, shared.env)
  await lab.clearFaults()
  await addFixtures(lab.record, { note: () => {} })
  back = (await nodes())[0]?.version ?? ''
  const [, minor = 0, patch = 0] = (/^v1\.(\d+)\.(\d+)$/.exec(back) ?? []).map(Number)
  there = minor === 12 ? 'v1.13.0' : `v1.${minor}.${patch + 1}`
})

describe('before anything is touched', () => {
  test.each([
    ['how is not said', ['talos', 'upgrade'], 2, '--rolling'],
    ['a node is unknown', ['talos', 'upgrade', '--rolling', '--node', 'apps-w9'], 2, 'apps-w9'],
    ['a minor version is skipped', ['talos', 'upgrade', '--rolling', '--to', 'v1.15.0', ...now], 2, 'skips'],
    ['no registry has the image', ['talos', 'upgrade', '--rolling', '--to', 'v1.13.99', ...now], 2, 'v1.13.99'],
    ['it has not soaked', ['talos', 'upgrade', '--rolling', '--to', 'v1.13.0'], 3, 'soaked'],
  ])('refuses when %s', async (_, args, code, message) => {
    const runs = lab.runs().length
    const ended = await lab.run(args)
    expect(ended.code, told(ended)).toBe(code)
    expect(ended.stderr).toContain(message)
    expect(lab.runs()).toHaveLength(runs)
  })

  test('--forecast says what each drain would meet, and changes nothing', async () => {
    const ended = await lab.run(['talos', 'upgrade', '--forecast', '--to', there])
    expect([0, 3], told(ended)).toContain(ended.code)
    const { items } = JSON.parse(ended.stdout) as { items: { node: string; batch: number; risks: string[] }[] }
    expect(items.map(({ batch }) => batch)).toEqual([1, 2, 3, 4, 5, 6])
    expect(items.flatMap(({ risks }) => risks).join()).toMatch(/Ceph without OSD/)
    await all(back)
  })
})

/** Hundreds of processes, each killed. */
const proofTimeoutMs = full ? 3_600_000 : 600_000

/** All nodes, or in the sample one of each role. */
const some = full ? [] : ['--node', 'apps-w1', 'apps-cp3']
const count = full ? 6 : 2

describe('undisturbed', () => {
  test('rolls the nodes, never two out at once, never below the quorum of etcd', async () => {
    const recorder = recordService(lab.record)
    const ended = await lab.run([...to(there), ...some])
    const seen = await recorder.stop()
    expect(ended, told(ended)).toMatchObject({ code: 0, result: { outcome: 'succeeded', changed: true } })
    expect(seen.out.filter((names) => names.length > 1)).toEqual([])
    expect(seen.out).toHaveLength(count)
    expect(seen.controlPlanes).toBe(2)
    expect(seen.looks).toBeGreaterThan(50)
    const states = statesOf(ended.result)
    const upgraded = Object.keys(states).filter((id) => id.endsWith('/upgrade'))
    expect(upgraded).toHaveLength(count)
    expect(upgraded.at(0)).toBe('apps-w1/upgrade')
    for (const id of upgraded.flatMap((one) =>
      ['upgrade', 'settle', 'uncordon'].map((verb) => one.replace('upgrade', verb)),
    ))
      expect(states[id], id).toBe('done')
    const after = await nodes()
    expect(after.filter(({ version }) => version === there)).toHaveLength(count)
    expect(after.filter(({ cordoned, cordonedBy }) => cordoned || cordonedBy !== '')).toEqual([])
    expect(lab.runs()[0]?.plan.params.now).toBe('a test of the lab')
  })

  test('again it changes nothing', async () => {
    const again = await lab.run([...to(there), ...some])
    expect(again, told(again)).toMatchObject({ code: 0, result: { outcome: 'succeeded', changed: false } })
  })
})

describe(`disturbed (seed ${seed})`, () => {
  test(
    'killed at boundaries of the journal and gone on with, it ends the same',
    async () => {
      const [undisturbed] = lab
        .runs()
        .filter(({ plan, result }) => plan.operation === 'talos.upgrade' && result?.changed)
      const known = [...new Set((undisturbed?.journal ?? []).map(boundaryOf))].filter(
        (name) => name.startsWith('step-') || name.startsWith('process-'),
      )
      const at = boundaries(full ? undefined : sample(known, 4, randomOf('upgrade boundaries')))
      const recorder = recordService(lab.record)
      const { last, kills } = await killAtBoundaries(lab, [...to(back), ...some], at)
      const seen = await recorder.stop()
      at.remove()
      expect(last, told(last)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
      expect(kills).toBeGreaterThan(1)
      expect(seen.out.filter((names) => names.length > 1)).toEqual([])
      expect(seen.controlPlanes).toBeGreaterThanOrEqual(2)
      await all(back)
    },
    proofTimeoutMs,
  )

  /** Where a volume is attached, so that there is something to wait for. */
  const subjectOf = async () =>
    (await kubectl(lab.record, '-n', 'lab-fixtures', 'get', 'pod', 'store-0', '-o', 'jsonpath={.spec.nodeName}')).stdout

  /** Each on the one node that is touched; `step` is where the run stops, and what it says of it. */
  const faults: { fault: ActiveFault; step: RegExp; says: RegExp }[] = [
    { fault: { name: 'upgrade-rolls-back', node: 'subject' }, step: /upgrade/, says: /went back to the image/ },
    {
      fault: { name: 'node-never-returns', node: 'subject' },
      step: /upgrade/,
      says: /does not answer|refused|unreachable|not running/i,
    },
    { fault: { name: 'image-not-found', params: { for: 'node' } }, step: /upgrade/, says: /not found/ },
    { fault: { name: 'ceph-degraded' }, step: /check|recover/, says: /OSD_NEARFULL|HEALTH_WARN/ },
    { fault: { name: 'volume-never-detaches' }, step: /detach/, says: /VolumeAttachment/ },
    { fault: { name: 'pdb-blocks-drain' }, step: /check|drain/, says: /disruption budget|PodDisruptionBudget|timeout/ },
    { fault: { name: 'other-upgrader-active' }, step: /check/, says: /upgrade/i },
    { fault: { name: 'etcd-member-lost', node: 'apps-cp2' }, step: /check|drain|upgrade/, says: /etcd/ },
  ]
  const pairs = faults.flatMap((one, index) => faults.slice(index + 1).map((other) => [one, other]))
  const chosen = full
    ? [...faults.map((one) => [one]), ...sample(pairs, 6, randomOf('upgrade pairs'))]
    : sample(faults.slice(0, 6), 1, randomOf('upgrade faults')).map((one) => [one])

  test.each(chosen.map((set) => [set.map(({ fault }) => fault.name).join(' and '), set] as const))(
    '%s: it stops, names node and reason, and is gone on from',
    async (_, set) => {
      const limits = ['--settle-timeout', '25s', '--drain-timeout', '15s', '--upgrade-timeout', '25s']
      const subject = await subjectOf()
      const run = lab.start([...to(there), '--node', subject, ...limits])
      // Past the check of the whole cluster, which would refuse before anything is touched.
      await run.event((event) => event.type === 'step-started' && event.step === 'etcd/snapshot')
      for (const { fault } of set) await lab.addFault(fault.node === 'subject' ? { ...fault, node: subject } : fault)
      const ended = await run.ended
      expect([3, 6], told(ended)).toContain(ended.code)
      const failed = ended.result?.steps.find(({ state }) => state === 'failed')
      expect(
        set.some(({ step }) => step.test(failed?.id ?? '')),
        told(ended),
      ).toBe(true)
      const message = `${failed?.title} ${ended.result?.error?.message} ${ended.result?.error?.next}`
      expect(message).toContain(subject)
      expect(
        set.some(({ says }) => says.test(message)),
        message,
      ).toBe(true)
      expect(ended.result?.resume).toContain('k8sops run resume')
      expect((await nodes()).filter(({ name, cordoned }) => cordoned && name !== subject)).toEqual([])
      await lab.clearFaults()
      const resumed = await lab.run(['run', 'resume'])
      expect(resumed, told(resumed)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
      const undone = await lab.run([...to(back), '--node', subject])
      expect(undone.code, told(undone)).toBe(0)
      await all(back)
    },
  )
})
