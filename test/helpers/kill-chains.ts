/**
 * Chains: one bootstrap that is struck again and again on its way, each time by the death (or interruption) of the process
 * that has gone on with it, since a whole bootstrap for each of hundreds of strikes would take days. Where a strike falls is
 * chosen by progress, not by the clock: a machine twice as slow is struck at the same places.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Plan, RunEvent, RunResult, Step } from '../../src/lib/types.ts'
import { atWork, begun, type Moment, nextCommand, nothingLeft } from './kill.ts'
import type { CliEnded, CliProcess, LabCli } from './lab-cli.ts'

/** When each step of an undisturbed run began, in seconds from the first one on. */
export interface Timeline {
  steps: { id: string; start: number }[]
  seconds: number
}

export function timelineOf(result: RunResult): Timeline {
  const started = result.steps.map(({ id, startedAt = '' }) => ({ id, at: Date.parse(startedAt) }))
  const first = started[0]?.at ?? 0
  const last = result.steps.at(-1)
  const steps = started.map(({ id, at }) => ({ id, start: (at - first) / 1000 }))
  return { steps, seconds: (steps.at(-1)?.start ?? 0) + (last?.seconds ?? 0) }
}

/** Where a process was when it died: the step that it had begun last, and for how long. */
export interface Strike {
  step: string
  seconds: number
}

/** Before the first step: reading, planning, taking the lock. */
const starting = 'start'

export interface KillPlan {
  /** How often, at most; fewer when the run comes to its end before. */
  count: number
  timeline: Timeline
  random: () => number
  /** The journal is removed after this many kills. */
  loseJournalAfter?: number
}

/**
 * SIGKILL to the whole process group, `count` times: at one instant in each `count`-th of the undisturbed run's time. Every
 * fourth process doesn't get as far: it dies in a step that it only goes through again, or before the first.
 * @returns where, and how the run ended if it did before the last kill
 */
export async function killAlong(lab: LabCli, bootstrap: string[], plan: KillPlan): Promise<KilledAlong> {
  const { count, timeline, random } = plan
  const strikes: Strike[] = []
  const begunAt = new Map<string, number>()
  for (let index = 0; index < count; index += 1) {
    const instant = ((index + random()) / count) * timeline.seconds
    const reached = timeline.steps.findLastIndex(({ start }) => start <= instant)
    const onTheWay = index % 4 === 3
    const target = timeline.steps[onTheWay ? Math.floor(random() * (reached + 1)) : reached]!
    const offset = onTheWay ? random() / 2 : instant - target.start
    const run = lab.start(nextCommand(lab, bootstrap))
    const startedAt = Date.now()
    await Promise.race([reach(run, target.id, offset, onTheWay ? new Map() : begunAt, random()), run.ended])
    const diedAt = Date.now()
    run.signal('SIGKILL')
    const ended = await run.ended
    if (ended.signal !== 'SIGKILL') return { strikes, ended }
    strikes.push(strikeOf(ended.events, startedAt, diedAt))
    await nothingLeft(lab)
    if (strikes.length === plan.loseJournalAfter) rmSync(join(lab.record.root, '.k8sops/runs'), { recursive: true })
  }
  return { strikes }
}

export interface KilledAlong {
  strikes: Strike[]
  ended?: CliEnded
}

/**
 * Settles `offset` seconds after the step was first begun, by whichever process of the chain: the cluster goes on while no
 * process looks. Where that is over already, up to half a second (`chance`) from now.
 */
async function reach(run: CliProcess, step: string, offset: number, begunAt: Map<string, number>, chance: number) {
  // A run that ends without the step is told by how it ended.
  const event = await run.event(isBegin(step)).catch(() => undefined)
  if (!event) return
  const now = performance.now()
  const first = begunAt.get(step) ?? now
  begunAt.set(step, first)
  const left = first + offset * 1000 - now
  await Promise.race([delay(left > 0 ? left : chance * 500), run.ended])
}

const isBegin = (step: string) => (event: RunEvent) => event.type === 'step-started' && event.step === step

function strikeOf(events: RunEvent[], startedAt: number, diedAt: number): Strike {
  const last = events.findLast(({ type }) => type === 'step-started')
  if (last?.type !== 'step-started') return { step: starting, seconds: round((diedAt - startedAt) / 1000) }
  return { step: last.step, seconds: round((diedAt - Date.parse(last.at)) / 1000) }
}

/** One Ctrl-C, and what it did. */
export interface Interruption {
  step: string
  interrupt: Step['interrupt']
  /** Of that step, in the result. */
  state: string | undefined
  ended: CliEnded
}

/**
 * Ctrl-C once in every step of the plan, each time in the process that goes on with the run: while a tool of the step is
 * at work, or, in a step that only waits or has nothing to do any more, as soon as it has begun.
 */
export async function interruptEverywhere(lab: LabCli, bootstrap: string[], plan: Plan): Promise<Interruption[]> {
  const interruptions: Interruption[] = []
  for (const step of plan.steps) {
    const run = lab.start(nextCommand(lab, bootstrap))
    await within(step)(run, lab)
    run.signal('SIGINT', { group: false })
    const ended = await run.ended
    const state = ended.result?.steps.find(({ id }) => id === step.id)?.state
    interruptions.push({ step: step.id, interrupt: step.interrupt, state, ended })
  }
  return interruptions
}

const within =
  ({ id, action }: Step): Moment =>
  (run, lab) => {
    if (action.kind === 'wait') return begun(id)(run, lab)
    const over = run.event(
      (event) => 'step' in event && event.step === id && /step-(done|skipped|failed)/.test(event.type),
    )
    return Promise.race([atWork(id)(run, lab), over])
  }

/** `step: n`, in the order of the plan, also those with none: it is to be seen where nothing was struck. */
export function histogram(strikes: Strike[], plan: Plan): string {
  const names = [starting, ...plan.steps.map(({ id }) => id)]
  const width = Math.max(...names.map((name) => name.length))
  const counts = names.map((name) => strikes.filter(({ step }) => step === name).length)
  return names
    .map((name, index) => `${name.padEnd(width)} ${'#'.repeat(counts[index] ?? 0)} ${counts[index]}`)
    .join('\n')
}

const round = (seconds: number) => Math.round(seconds * 10) / 10
