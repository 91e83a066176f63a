/** The plan of an upgrade, carried out by the real engine on a cluster in memory: safe whatever goes wrong. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { JournalEntry, NewEntry } from '../../src/lib/engine/journal.ts'
import { executeRun } from '../../src/lib/engine/run.ts'
import { progressOf } from '../../src/lib/engine/runs.ts'
import { gates } from '../../src/lib/gates/catalog.ts'
import { fillGate } from '../../src/lib/gates/fill.ts'
import type { Gate } from '../../src/lib/gates/types.ts'
import { planUpgrade } from '../../src/lib/ops/upgrade.ts'
import type { UpgradeInput } from '../../src/lib/ops/upgrade-input.ts'
import { upgradeBatches } from '../../src/lib/ops/upgrade-order.ts'
import type { Check, ClusterNode, Plan, RunResult, Step } from '../../src/lib/types.ts'
import { fc } from '../helpers/seeded-check.ts'
import { schematic, upgradeInput } from '../helpers/upgrade-input.ts'
import { type Fault, UpgradeWorld } from '../helpers/upgrade-world.ts'

const directory = mkdtempSync(join(tmpdir(), 'k8sops-upgrade-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const checksOf = ({ unless = [], orUnless = [], onceBegun = [], require = [], verify }: Step): Check[] => [
  ...unless,
  ...orUnless,
  ...onceBegun,
  ...require,
  ...verify,
]
const basis = { commit: 'c', digest: 'd', observed: {} }
const planOf = (input: UpgradeInput) => planUpgrade(input, basis)

describe('order', () => {
  const names = (input: UpgradeInput) =>
    upgradeBatches(input.nodes, input.params, input.leader).map((batch) => batch.map(({ node }) => node.hostname))

  it('is one worker, the other workers, then control planes with the leader of etcd last', () => {
    expect(names(upgradeInput())).toEqual([
      ['apps-w1'],
      ['apps-w2'],
      ['apps-w3'],
      ['apps-cp1'],
      ['apps-cp3'],
      ['apps-cp2'],
    ])
  })

  it('takes several workers at a time once the first has shown that it works, and never several control planes', () => {
    expect(names(upgradeInput({ params: { maxUnavailable: 3, order: 'control-planes-first' } }))).toEqual([
      ['apps-cp1'],
      ['apps-cp3'],
      ['apps-cp2'],
      ['apps-w1'],
      ['apps-w2', 'apps-w3'],
    ])
  })
})

describe('the plan', () => {
  it('names only gates that there are, with exactly their parameters', () => {
    for (const { gate, params } of planOf(upgradeInput()).steps.flatMap(checksOf)) {
      const definition = (gates as Record<string, Gate>)[gate]
      expect(definition, gate).toBeDefined()
      if (definition) expect(() => fillGate(gate, definition, params ?? {}), gate).not.toThrow()
    }
  })

  it('leaves out nodes that are at the target', () => {
    const plan = planOf(upgradeInput({ running: { 'apps-w1': 'v1.12.12', 'apps-cp2': 'v1.12.12' } }))
    expect(plan.steps.map(({ id }) => id).filter((id) => id.endsWith('/upgrade'))).toEqual([
      'apps-w2/upgrade',
      'apps-w3/upgrade',
      'apps-cp1/upgrade',
      'apps-cp3/upgrade',
    ])
  })

  it('names the image in full, one machine a call, and follows each to its end', () => {
    const steps = planOf(upgradeInput()).steps.filter(({ id }) => id.endsWith('/upgrade'))
    for (const { action, interrupt, verify } of steps) {
      const args = action.kind === 'exec' ? (action.pipeline[0]?.args ?? []) : []
      expect(args[args.indexOf('--image') + 1]).toMatch(/metal-installer\/[0-9a-f]{64}:v1\.12\.12$/)
      expect(args.filter((arg) => arg === '-n')).toHaveLength(1)
      expect(args).not.toContain('--preserve')
      expect(interrupt).toBe('after')
      expect(verify.map(({ gate }) => gate)).toContain('node-upgraded')
    }
  })

  it('does not hold machine configs against Git for a version that Git does not name', () => {
    const gates = (input: UpgradeInput) =>
      planOf(input)
        .steps.at(-1)!
        .verify.map(({ gate }) => gate)
    expect(gates(upgradeInput())).toContain('machine-configs-applied')
    expect(gates(upgradeInput({ params: { to: 'v1.12.13' } }))).not.toContain('machine-configs-applied')
  })
})

describe('carried out', () => {
  it('rolls six nodes, and again changes nothing', async () => {
    const { world, input } = worldOf(upgradeInput())
    expect(await run(planOf(input), world)).toMatchObject({ outcome: 'succeeded', changed: true })
    expect(world.upgrades).toEqual(['apps-w1', 'apps-w2', 'apps-w3', 'apps-cp1', 'apps-cp3', 'apps-cp2'])
    expect(world.breaches).toEqual([])
    const again = upgradeInput({ running: 'v1.12.12' })
    expect(await run(planOf(again), world)).toMatchObject({ outcome: 'succeeded', changed: false })
  })

  it('tells of a rollback, leaves the node cordoned, touches no other; goes on when told to', async () => {
    const { world, input } = worldOf(upgradeInput())
    world.faults = [{ kind: 'rolls-back', node: 'apps-w2' }]
    const journal: JournalEntry[] = []
    const result = await run(planOf(input), world, journal)
    expect(result).toMatchObject({ outcome: 'stopped', exitCode: 6, resume: 'k8sops run resume r' })
    expect(result.steps.find(({ state }) => state === 'failed')?.id).toBe('apps-w2/upgrade')
    expect(world.at('apps-w2')).toMatchObject({ unschedulable: true, version: 'v1.12.11' })
    expect(world.upgrades).toEqual(['apps-w1', 'apps-w2'])
    world.faults = []
    expect(await run(planOf(input), world, journal)).toMatchObject({ outcome: 'succeeded' })
    expect(world.upgrades.filter((name) => name === 'apps-w2')).toHaveLength(2)
  })

  it('finds out what became of an upgrade whose run was killed, and makes no second call while it goes on', async () => {
    const { world, input } = worldOf(upgradeInput())
    const journal: JournalEntry[] = []
    const plan = planOf(input)
    world.killWhen = () => world.upgrades.length === 1
    await run(plan, world, journal)
    expect(world.at('apps-w1').away).toBeGreaterThan(0)
    world.killWhen = () => false
    expect(await run(plan, world, journal)).toMatchObject({ outcome: 'succeeded' })
    expect(world.upgrades.filter((name) => name === 'apps-w1')).toHaveLength(1)
  })

  it('tells of a rollback that nobody saw', async () => {
    const { world, input } = worldOf(upgradeInput())
    const journal: JournalEntry[] = []
    const plan = planOf(input)
    world.faults = [{ kind: 'rolls-back', node: 'apps-w1' }]
    world.killWhen = () => world.upgrades.length === 1
    await run(plan, world, journal)
    world.killWhen = () => false
    const resumed = await run(plan, world, journal)
    expect(resumed.error?.message).toContain('begun before, and not-rolled-back')
    expect(world.upgrades).toEqual(['apps-w1'])
  })

  it('never hurts the cluster, and ends as an undisturbed run does (seeded)', async () => {
    await fc.assert(
      fc.asyncProperty(scenario, async ({ input, faults, kills }) => {
        const { world } = worldOf(input)
        world.faults = faults
        const plan = planOf(input)
        const journal: JournalEntry[] = []
        let result: RunResult | undefined
        for (const after of [...kills, Number.POSITIVE_INFINITY]) {
          const until = world.tick + after
          world.killWhen = () => world.tick >= until
          result = await run(plan, world, journal)
          expect(world.breaches).toEqual([])
          if (result.outcome === 'succeeded') break
        }
        // What was in the way is gone; a rollback that nobody saw is told once more.
        world.repair()
        world.killWhen = () => false
        for (let more = 0; result?.outcome !== 'succeeded' && more < 3; more++) {
          result = await run(plan, world, journal)
          expect(world.breaches).toEqual([])
        }
        expect(result?.error?.message).toBeUndefined()
        const undisturbed = worldOf(input).world
        await run(plan, undisturbed)
        expect(world.state()).toEqual(undisturbed.state())
      }),
      { numRuns: process.env.K8SOPS_TEST_FULL ? 3000 : 60 },
    )
  })
})

const node = (name: string, index: number): ClusterNode => ({
  hostname: name,
  address: `10.25.13.${11 + index}`,
  controlPlane: name.startsWith('cp'),
})

const scenario = fc
  .record({
    controlPlanes: fc.constantFrom(1, 3, 5),
    workers: fc.integer({ min: 0, max: 5 }),
    maxUnavailable: fc.integer({ min: 1, max: 3 }),
    order: fc.constantFrom('workers-first' as const, 'control-planes-first' as const),
    leader: fc.nat(4),
    done: fc.array(fc.nat(9), { maxLength: 3 }),
    faults: fc.array(fc.tuple(fc.nat(4), fc.nat(9), fc.nat(120)), { maxLength: 2 }),
    kills: fc.array(fc.integer({ min: 1, max: 60 }), { maxLength: 3 }),
  })
  .map(({ controlPlanes, workers, maxUnavailable, order, leader, done, faults, kills }) => {
    const names = [
      ...Array.from({ length: controlPlanes }, (_, index) => `cp${index + 1}`),
      ...Array.from({ length: workers }, (_, index) => `w${index + 1}`),
    ]
    const nodes = names.map(node)
    const pick = (number: number) => names[number % names.length]!
    const input = upgradeInput({
      nodes,
      leader: `cp${(leader % controlPlanes) + 1}`,
      running: Object.fromEntries(done.map((number) => [pick(number), 'v1.12.12'])),
      params: { maxUnavailable, order },
    })
    const kinds = ['rolls-back', 'never-returns', 'image-refused', 'drain-blocked', 'ceph-warns', 'dies'] as const
    return {
      input,
      kills,
      faults: faults.map(([kind, at, tick]): Fault => {
        const chosen = kinds[(kind + at) % kinds.length]!
        if (chosen === 'ceph-warns') return { kind: chosen, from: tick }
        return chosen === 'dies' ? { kind: chosen, node: pick(at), at: tick } : { kind: chosen, node: pick(at) }
      }),
    }
  })

function worldOf(input: UpgradeInput): { world: UpgradeWorld; input: UpgradeInput } {
  const running = new Map(input.nodes.map(({ node: { hostname }, runs }) => [hostname, runs]))
  const world = new UpgradeWorld(input.cluster.nodes, {
    version: (hostname) => (running.get(hostname) as { version: string }).version,
    schematic,
    leader: input.leader ?? '',
  })
  for (const batch of upgradeBatches(
    input.nodes.filter(({ runs, target }) => runs !== 'unknown' && runs.version !== target.version),
    input.params,
    input.leader,
  ))
    if (batch.length > 1) world.together.push(new Set(batch.map(({ node: { hostname } }) => hostname)))
  return { world, input }
}

/** The engine with everything in memory but the result. The journal of earlier calls says what they did. */
function run(plan: Plan, world: UpgradeWorld, entries: JournalEntry[] = []): Promise<RunResult> {
  const before = progressOf(entries)
  const none = new AbortController().signal
  return executeRun({
    plan,
    runId: 'r',
    runDir: directory,
    // What a killed process would have written is not there.
    journal: {
      append: (entry: NewEntry) => {
        if (!world.killed()) entries.push({ at: '', ...entry } as JournalEntry)
      },
      close: () => {},
    },
    exec: world.exec,
    gates: world.gates,
    basis: { digest: async () => 'd', describe: async () => [] },
    lock: { beforeWrite: async () => {}, release: async () => {} },
    interrupts: { stop: none, kill: none },
    emit: () => {},
    ...(entries.length > 0 ? { before } : {}),
    resumeCommand: 'k8sops run resume r',
  })
}
