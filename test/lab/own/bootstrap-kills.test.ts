/**
 * A bootstrap that is killed and interrupted wherever that can happen, each time gone on with by another process, ends as
 * one that nobody disturbed: at every journal boundary, at a hundred instants, by Ctrl-C in every step, with the journal
 * lost. Seeded (K8SOPS_TEST_SEED); its last result stands in docs/proof.md, a sample of it is in bootstrap.test.ts.
 */
import { cpSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect } from 'vitest'
import type { StoredRun } from '../../../src/lib/engine/runs.ts'
import type { RunResult } from '../../../src/lib/types.ts'
import { differences, type EndState, readEndState } from '../../helpers/end-state.ts'
import { boundaries, killAtBoundaries, nextCommand } from '../../helpers/kill.ts'
import { boundaryOf } from '../../helpers/kill-at-boundary.ts'
import { histogram, interruptEverywhere, killAlong, type Strike, timelineOf } from '../../helpers/kill-chains.ts'
import { labHome } from '../../helpers/lab.ts'
import { type CliEnded, type LabCli, labCli, statesOf, told } from '../../helpers/lab-cli.ts'
import { proof } from '../../helpers/proof.ts'
import { randomOf, seed } from '../../helpers/seed.ts'

const hour = 3_600_000
const instants = 100
const killsOfAChain = 16
/** `5:61` goes on with the fifth chain after 61 kills, where an earlier sitting of the same seed and commit said so: all of them take an hour. */
const [firstChain = 1, struckBefore = 0] = (process.env.K8SOPS_TEST_GO_ON ?? '').split(':').filter(Boolean).map(Number)

const home = labHome()
let expected: EndState
let undisturbed: StoredRun
let result: RunResult
let machines: string[]

const tell = (text: string) => console.log(`[seed ${seed}, ${new Date().toISOString().slice(11, 19)}] ${text}`)

async function onNewLab(name: string, body: (lab: LabCli) => Promise<void>): Promise<void> {
  const lab = labCli((await home.up('apps', { name })).record, home.env)
  try {
    await body(lab)
  } catch (error) {
    // The lab's state goes with it; what its processes said is what a failure is looked for in.
    const kept = mkdtempSync(join(tmpdir(), `k8sops-failed-${name}-`))
    for (const part of ['logs', 'repo/.k8sops'])
      cpSync(join(lab.record.dir, part), join(kept, part), { recursive: true })
    tell(`${name} failed, its logs and runs are in ${kept}: ${(error as Error).message}`)
    throw error
  } finally {
    await lab.down()
  }
}

/** A chain in a lab of its own; one that fails is told, and the next begins: one run finds all that there is to find. */
async function chain(failed: string[], name: string, body: (lab: LabCli) => Promise<void>): Promise<void> {
  await onNewLab(name, body).catch((error: Error) => failed.push(`${name}: ${error.message}`))
}

/**
 * Six machines are configured side by side: where one process dies the others' boundaries are past or never come, and a lab
 * of its own for each would show nothing new. One machine's boundary stands for that of another.
 */
const onAnyMachine = (boundary: string) =>
  machines.reduce((name, machine) => name.replace(`${machine}/`, 'machine/'), boundary)

/** @param before what had been done to the run, told when it didn't end well */
function expectSucceeded(ended: CliEnded, before: string): void {
  expect(ended, `after ${before}\n${told(ended)}`).toMatchObject({ code: 0, result: { outcome: 'succeeded' } })
}

async function expectSameEnd(lab: LabCli, before: string): Promise<void> {
  const found = differences(expected, await readEndState(lab.record))
  // At once: the test may have an hour to go before it says so itself.
  if (found.length > 0) tell(`not the same end after ${before}:\n${found.join('\n')}`)
  expect(found, `after ${before}`).toEqual([])
}

describe('a bootstrap ends as an undisturbed one', () => {
  beforeAll(async () => {
    await onNewLab('calm', async (lab) => {
      const ended = await lab.run(['bootstrap'])
      expectSucceeded(ended, 'nothing')
      result = ended.result!
      undisturbed = lab.runs()[0]!
      machines = Object.values(lab.record.hostnames)
      expected = await readEndState(lab.record)
      const longest = result.steps.toSorted((a, b) => (b.seconds ?? 0) - (a.seconds ?? 0)).slice(0, 8)
      tell(`undisturbed: ${result.seconds} s, ${Object.keys(expected).length} subjects to compare`)
      tell(`longest: ${longest.map(({ id, seconds }) => `${id} ${seconds} s`).join(', ')}`)
    })
  }, hour)
  afterAll(() => home.close())

  proof(
    'killed at every journal boundary',
    async () => {
      const all = [...new Set(undisturbed.journal.map(boundaryOf))]
      const dying = boundaries()
      const failed: string[] = []
      const left = () => {
        const used = dying.used().map(onAnyMachine)
        return all.filter((name) => !used.includes(onAnyMachine(name)))
      }
      try {
        // A process that goes on skips what is done, and never comes by the `step-done` of a step whose process had ended:
        // what one lab leaves out is the next one's.
        for (let number = 1; left().length > 0; number += 1) {
          const before = dying.used().length
          // Else a process would die at the first machine again, where another kind of boundary is still to come.
          if (number > 1) dying.narrow(left())
          await chain(failed, `boundaries-${number}`, async (lab) => {
            const { last, kills } = await killAtBoundaries(lab, ['bootstrap'], dying)
            const died = dying.used().slice(before)
            tell(`${kills} kills at boundaries in lab ${number}; ${left().length} of ${all.length} are left`)
            expectSucceeded(last, `${kills} kills, the last at ${died.at(-1)}`)
            await expectSameEnd(lab, `kills at ${died.join(', ')}`)
          })
          expect(dying.used().length, `not reached: ${left().join(', ')}`).toBeGreaterThan(before)
        }
        const same = all.filter((name) => !dying.used().includes(name))
        tell(
          `${dying.used().length} boundaries, among them ${all.length - same.length} of the undisturbed run's ${all.length}`,
        )
        tell(`covered on another machine only: ${same.join(', ') || 'none'}`)
        expect(failed).toEqual([])
      } finally {
        dying.remove()
      }
    },
    3 * hour,
  )

  proof(
    `killed at ${instants} instants, once with the journal lost`,
    async () => {
      const timeline = timelineOf(result)
      const strikes: Strike[] = []
      const failed: string[] = []
      for (let number = firstChain; struckBefore + strikes.length < instants; number += 1) {
        const struck = strikes.length
        await chain(failed, `instants-${number}`, async (lab) => {
          const count = Math.min(killsOfAChain, instants - struckBefore - strikes.length)
          const lost = number === 1 ? { loseJournalAfter: count / 2 } : {}
          const random = randomOf(`instants ${number}`)
          const killed = await killAlong(lab, ['bootstrap'], { count, timeline, random, ...lost })
          strikes.push(...killed.strikes)
          const before = `chain ${number}: ${killed.strikes.map(({ step, seconds }) => `${step} +${seconds} s`).join(', ')}`
          tell(`${struckBefore + strikes.length} of ${instants} kills; ${before}`)
          const last = killed.ended ?? (await lab.run(nextCommand(lab, ['bootstrap'])))
          expectSucceeded(last, before)
          await expectSameEnd(lab, before)
          tell(`same end; another sitting goes on by K8SOPS_TEST_GO_ON=${number + 1}:${struckBefore + strikes.length}`)
        })
        expect(strikes.length, 'a chain without a kill would never come to an end').toBeGreaterThan(struck)
      }
      tell(`${strikes.length} kills by the step that they fell in:\n${histogram(strikes, undisturbed.plan)}`)
      expect(failed).toEqual([])
    },
    3 * hour,
  )

  proof(
    'interrupted by Ctrl-C once in every step',
    async () => {
      await onNewLab('ctrl-c', async (lab) => {
        const { plan } = undisturbed
        const interruptions = await interruptEverywhere(lab, ['bootstrap'], plan)
        const lines = interruptions.map(({ step, interrupt, state }) => `${step} (${interrupt}): ${state}`)
        tell(`Ctrl-C in ${interruptions.length} steps:\n${lines.join('\n')}`)
        let changed = false
        for (const { step, interrupt, state, ended } of interruptions) {
          const said = `Ctrl-C in ${step}\n${told(ended)}`
          changed ||= ended.result?.changed ?? false
          expect(ended, said).toMatchObject({ code: changed ? 6 : 130, result: { outcome: 'interrupted', changed } })
          expect(ended.result?.resume, said).toContain('k8sops run resume')
          expect(['done', 'skipped', 'interrupted'], said).toContain(state)
          const index = plan.steps.findIndex(({ id }) => id === step)
          if (interrupt === 'now' || plan.steps[index]?.action.kind === 'wait') continue
          // What may not be left half done is finished first, and nothing is begun after it.
          expect(['done', 'skipped'], said).toContain(state)
          const { group = step } = plan.steps[index]!
          const next = plan.steps.slice(index).find((one) => (one.group ?? one.id) !== group)
          if (state === 'done') expect(statesOf(ended.result)[next?.id ?? ''], said).toBe('not-started')
        }
        const last = await lab.run(nextCommand(lab, ['bootstrap']))
        expectSucceeded(last, lines.join(', '))
        await expectSameEnd(lab, lines.join(', '))
      })
    },
    hour,
  )
})
