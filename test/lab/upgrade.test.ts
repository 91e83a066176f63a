/**
 * `k8sops talos upgrade --rolling` in the lab, with Ceph, databases, volumes and guarded workloads to look after: what it does
 * undisturbed, and that it comes to the same end when it is killed and when something breaks. Here one worker and one control
 * plane and a sample of the ways, chosen by K8SOPS_TEST_SEED: the control plane is killed on its way back, and something breaks
 * on the worker's. All six nodes, every boundary and every fault, alone and in pairs, with K8SOPS_TEST_FULL=1 (docs/proof.md).
 */
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { isResumable } from '../../src/lib/engine/runs.ts'
import { addFixtures } from '../../src/lib/lab/fixtures/index.ts'
import type { ActiveFault } from '../../src/lib/lab/types.ts'
import { boundaries, killAtBoundaries } from '../helpers/kill.ts'
import { boundaryOf } from '../helpers/kill-at-boundary.ts'
import { eventually, kubectl } from '../helpers/lab.ts'
import { type CliEnded, isStart, type LabCli, labCli, statesOf, told } from '../helpers/lab-cli.ts'
import { full, randomOf, sample, seed } from '../helpers/seed.ts'
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
/** In service and at that version: these, or all of them. */
async function inService(version: string, names?: string[]): Promise<void> {
  const chosen = (await nodes()).filter(({ name }) => !names || names.includes(name))
  expect(chosen).toEqual(chosen.map(({ name }) => ({ name, version, cordoned: false, cordonedBy: '' })))
  expect(chosen).toHaveLength(names?.length ?? 6)
}

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
  const refusals: [when: string, args: string[], code: number, message: string][] = [
    ['how is not said', ['talos', 'upgrade'], 2, '--rolling'],
    ['a node is unknown', ['talos', 'upgrade', '--rolling', '--node', 'apps-w9'], 2, 'apps-w9'],
    ['a minor version is skipped', ['talos', 'upgrade', '--rolling', '--to', 'v1.15.0', ...now], 2, 'skips'],
    ['no registry has the image', ['talos', 'upgrade', '--rolling', '--to', 'v1.13.99', ...now], 2, 'v1.13.99'],
    ['it has not soaked', ['talos', 'upgrade', '--rolling', '--to', 'v1.13.0'], 3, 'soaked'],
  ]
  const chosen = full ? refusals : sample(refusals, 2, randomOf('upgrade refusals'))
  test.each(chosen)('refuses when %s', async (_, args, code, message) => {
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
    await inService(back)
  })
})

/** Hundreds of processes, each killed. */
const proofTimeoutMs = full ? 3_600_000 : 600_000

/** Of 250 pairs. */
const pairsInFull = 12

/** All nodes, or in the sample one of each role. */
const worker = 'apps-w1'
const some = full ? undefined : [worker, 'apps-cp3']
const count = some?.length ?? 6
/** And those of them that are killed on their way back. */
const killed = full ? undefined : ['apps-cp3']
/** In the sample nobody is killed any more after this time. */
const killsBoxSec = full ? Number.POSITIVE_INFINITY : 30
const only = (names: string[] | undefined) => (names ? ['--node', ...names] : [])

describe('undisturbed', () => {
  test('rolls the nodes, never two out at once, never below the quorum of etcd', async () => {
    const recorder = recordService(lab.record)
    const ended = await lab.run([...to(there), ...only(some)])
    const seen = await recorder.stop()
    expect(ended, told(ended)).toMatchObject({ code: 0, result: { outcome: 'succeeded', changed: true } })
    expect(seen.out.filter((names) => names.length > 1)).toEqual([])
    expect(seen.out).toHaveLength(count)
    expect(seen.controlPlanes).toBe(2)
    expect(seen.looks).toBeGreaterThan(50)
    const states = statesOf(ended.result)
    const upgraded = Object.keys(states).filter((id) => id.endsWith('/upgrade'))
    expect(upgraded).toHaveLength(count)
    expect(upgraded.at(0)).toBe(`${worker}/upgrade`)
    for (const id of upgraded.flatMap((one) =>
      ['upgrade', 'settle', 'uncordon'].map((verb) => one.replace('upgrade', verb)),
    ))
      expect(states[id], id).toBe('done')
    const after = await nodes()
    expect(after.filter(({ version }) => version === there)).toHaveLength(count)
    expect(after.filter(({ cordoned, cordonedBy }) => cordoned || cordonedBy !== '')).toEqual([])
    expect(lab.runs()[0]?.plan.params.now).toBe('a test of the lab')
  })
})

describe(`disturbed (seed ${seed})`, () => {
  test(
    'killed at boundaries of the journal and gone on with, it ends the same',
    async () => {
      const [undisturbed] = lab
        .runs()
        .filter(({ plan, result }) => plan.operation === 'talos.upgrade' && result?.changed)
      // Of the run as a whole, and of the nodes that are rolled here: not of the worker.
      const known = [...new Set((undisturbed?.journal ?? []).map(boundaryOf))].filter(
        (name) => /^(step|process)-/.test(name) && !name.includes(` ${worker}/`),
      )
      const at = boundaries(full ? undefined : sample(known, 4, randomOf('upgrade boundaries')))
      const recorder = recordService(lab.record)
      const { last, kills } = await killAtBoundaries(lab, [...to(back), ...only(killed)], at, { boxSec: killsBoxSec })
      const seen = await recorder.stop()
      at.remove()
      expect(last, told(last)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
      expect(kills).toBeGreaterThan(0)
      expect(seen.out.filter((names) => names.length > 1)).toEqual([])
      expect(seen.controlPlanes).toBeGreaterThanOrEqual(2)
      await inService(back, killed)
    },
    proofTimeoutMs,
  )

  /** Where a volume is attached, so that there is something to wait for. */
  const volumeNode = async () =>
    (await kubectl(lab.record, '-n', 'lab-fixtures', 'get', 'pod', 'store-0', '-o', 'jsonpath={.spec.nodeName}')).stdout
  /** Where a database has its primary. */
  const primaryNode = async () => {
    const primary = ['-l', 'cnpg.io/instanceRole=primary', '-o', 'jsonpath={.items[0].spec.nodeName}']
    return (await kubectl(lab.record, 'get', 'pod', '-A', ...primary)).stdout
  }

  // One that failed leaves the cluster to the next as if it had not.
  afterEach(async () => {
    await lab.clearFaults()
    const [newest] = lab.runs()
    if (newest && isResumable(newest))
      await eventually(
        () => lab.run(['run', 'resume']),
        ({ code }) => code === 0,
        60,
      )
  })

  const silent = /(does not|no) answer|refused|unreachable|not running/i
  type Upset = {
    fault: ActiveFault
    /** The node that is upgraded; default: the worker that is still at the other version, else the one with the volume. */
    subjectOf?: () => Promise<string>
  } & (
    | { rides: true }
    /** Where the run stops, and what it says of it. `everywhere`: it is no matter of the node that is upgraded. */
    | { step: RegExp; says: RegExp; everywhere?: true }
  )
  /** The first six take seconds; others, above all those that the run's lock waits out, minutes. */
  const faults: Upset[] = [
    { fault: { name: 'upgrade-rolls-back', node: 'subject' }, step: /upgrade/, says: /went back to the image/ },
    {
      fault: { name: 'node-never-returns', node: 'subject' },
      step: /upgrade/,
      says: silent,
    },
    { fault: { name: 'image-not-found', params: { for: 'node' } }, step: /upgrade/, says: /not found/ },
    { fault: { name: 'ceph-degraded' }, step: /check|recover/, says: /OSD_NEARFULL|HEALTH_WARN/ },
    { fault: { name: 'volume-never-detaches' }, subjectOf: volumeNode, step: /detach/, says: /VolumeAttachment/ },
    {
      fault: { name: 'pdb-blocks-drain' },
      subjectOf: volumeNode,
      step: /check|drain/,
      says: /disruption budget|PodDisruptionBudget|timeout/,
    },
    { fault: { name: 'other-upgrader-active' }, step: /check/, says: /upgrade/i },
    { fault: { name: 'etcd-member-lost', node: 'apps-cp2' }, step: /check|drain|upgrade/, says: /etcd/ },
    { fault: { name: 'slow-boot', node: 'subject' }, rides: true },
    {
      fault: { name: 'boots-without-network', node: 'subject' },
      step: /upgrade/,
      says: silent,
    },
    { fault: { name: 'etcd-learner-stuck', node: 'apps-cp2' }, step: /check|drain|upgrade/, says: /learner|voting/ },
    // Neither lets the run's own lock be renewed: it stops before it is anybody else's.
    {
      fault: { name: 'etcd-no-leader' },
      step: /./,
      says: /lease \S+ could not be renewed.*no answer/s,
      everywhere: true,
    },
    { fault: { name: 'etcd-alarm' }, step: /./, says: /NOSPACE|database space exceeded/, everywhere: true },
    { fault: { name: 'cnpg-no-switchover' }, subjectOf: primaryNode, step: /drain/, says: /primary/ },
    {
      fault: { name: 'ceph-degraded', params: { key: 'none', lastChecked: '900' } },
      step: /check|recover/,
      says: /lastChecked|looked at|ago/,
    },
    { fault: { name: 'api-restarts' }, rides: true },
    { fault: { name: 'api-flaps', params: { times: '3' } }, rides: true },
    { fault: { name: 'api-slow', params: { ms: '300' } }, rides: true },
    {
      fault: { name: 'flux-never-ready', params: { name: 'flux-system/reloader' } },
      step: /^cluster\/check/,
      says: /held back by the lab/,
      everywhere: true,
    },
    { fault: { name: 'lock-stolen' }, step: /./, says: /somebody@elsewhere/, everywhere: true },
    { fault: { name: 'clock-moves', node: 'subject' }, step: /check|drain|upgrade/, says: /clock/ },
    { fault: { name: 'clock-moves' }, step: /./, says: /future|clock/, everywhere: true },
    {
      fault: { name: 'registry-down', params: { host: 'factory.talos.dev' } },
      step: /upgrade/,
      says: /factory\.talos\.dev.*timeout/s,
    },
  ]
  const pairs = faults
    .flatMap((one, index) => faults.slice(index + 1).map((other) => [one, other]))
    .filter(([one, other]) => one?.fault.name !== other?.fault.name)
  const chosen = full
    ? [...faults.map((one) => [one]), ...sample(pairs, pairsInFull, randomOf('upgrade pairs'))]
    : sample(faults.slice(0, 6), 1, randomOf('upgrade faults')).map((one) => [one])
  const nameOf = ({ fault: { name, node = '', params = {} } }: Upset) =>
    [name, node && `on ${node}`, ...Object.entries(params).map((pair) => pair.join('='))].filter(Boolean).join(' ')

  /** Flux's controllers, drained with the node, look at everything anew, which takes longer than the limits below: then a run is gone on with. */
  const throughFlux = (ended: CliEnded): Promise<CliEnded> => {
    const open = ({ result }: CliEnded) =>
      result?.steps.find(({ id, state }) => id === 'cluster/check' && state === 'failed')
    const isFluxBusy = (one: CliEnded) => /: (Kustomization|HelmRelease) /.test(open(one)?.reason ?? '')
    if (!isFluxBusy(ended)) return Promise.resolve(ended)
    return eventually(
      () => lab.run(['run', 'resume']),
      (one) => !isFluxBusy(one),
      120,
    )
  }

  test.each(chosen.map((set) => [set.map(nameOf).join(' and '), set] as const))('%s', async (_, set) => {
    const limits = ['--settle-timeout', '25s', '--drain-timeout', '15s', '--upgrade-timeout', '25s']
    const subject = await (
      set.find(({ subjectOf }) => subjectOf)?.subjectOf ?? (full ? volumeNode : async () => worker)
    )()
    const before = await nodes()
    const runs = before.find(({ name }) => name === subject)?.version
    const target = runs === back ? there : back
    // Refused while Flux's controllers, drained by the run before, look at everything anew; then one asks again.
    const run = await eventually(
      async () => {
        const begins = lab.start([...to(target), '--node', subject, ...limits])
        // Past the check of the whole cluster, which would refuse before anything is touched.
        return begins.event(isStart('etcd/snapshot')).then(
          () => begins,
          () => undefined,
        )
      },
      (begun) => begun !== undefined,
      60,
    )
    if (!run) throw new Error('it never began')
    for (const { fault } of set) await lab.addFault(fault.node === 'subject' ? { ...fault, node: subject } : fault)
    let ended = await run.ended
    const stops = set.flatMap((upset) => ('rides' in upset ? [] : [upset]))
    if (stops.length === 0) ended = await throughFlux(ended)
    if (stops.length === 0) expect(ended.code, told(ended)).toBe(0)
    else {
      expect([3, 4, 5, 6], told(ended)).toContain(ended.code)
      const failed = ended.result?.steps.find(({ state }) => state === 'failed')
      const message = `${failed?.title} ${ended.result?.error?.message} ${ended.result?.error?.next}`
      const stop = stops.find(({ step, says }) => step.test(failed?.id ?? '') && says.test(message))
      expect(stop, told(ended)).toBeDefined()
      if (!stop?.everywhere) expect(message).toContain(subject)
      expect(ended.result?.resume).toContain('k8sops run resume')
    }
    await lab.clearFaults()
    const othersServe = (now: NodeState[]) =>
      now.length > 0 && now.every(({ name, cordoned }) => name === subject || !cordoned)
    // The API server may still be on its way back.
    await eventually(() => nodes().catch(() => []), othersServe, 30)
    if (stops.length > 0) {
      ended = await throughFlux(await lab.run(['run', 'resume']))
      expect(ended, told(ended)).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
    }
    // What an undisturbed run leaves.
    expect(await nodes()).toEqual(before.map((node) => (node.name === subject ? { ...node, version: target } : node)))
  })

  test('what they left comes back as it was, and then another roll changes nothing', async () => {
    const roll = () =>
      eventually(
        () => lab.run(to(back)),
        ({ code }) => code === 0,
        60,
      )
    const ended = await roll()
    const again = ended.result?.changed ? await roll() : ended
    expect(again, told(again)).toMatchObject({ result: { outcome: 'succeeded', changed: false } })
    await inService(back)
  })
})
