/** One look at a step's gates: whether it is done already, and what it needs. To wait for them is step.ts's. */
import { performance } from 'node:perf_hooks'
import type { Check, Step, Verdict } from '../types.ts'
import type { GatePort, Gates } from './ports.ts'

export interface Phase {
  signal: AbortSignal
  /** Milliseconds of `performance.now()`. */
  deadline: number
}

/** Gates through which a step is looked at, in one go: what several of them read is read once. */
export interface Look {
  gates: Gates
  /** Milliseconds of `performance.now()`. */
  begun: number
  /** Aborted by `end`. */
  signal: AbortSignal
  end: () => void
}

export interface Skip {
  reason: string
  by: 'unless' | 'orUnless' | 'before'
}

/** One look at a gate takes at most this long; what it can't tell by then it can't tell. */
const lookLimitMs = 60_000
/** How much later than its deadline a gate may settle before it is given up. */
export const overrunMs = 5_000
/** What was read in one go is the state of one moment for so long: no machine restarts in less. */
const momentMs = 2_000

export function beginLook(gates: GatePort): Look {
  const over = new AbortController()
  const { signal } = over
  return { gates: gates.together(signal), begun: performance.now(), signal, end: () => over.abort() }
}

export const isOfThisMoment = ({ begun }: Look): boolean => performance.now() - begun < momentMs

/**
 * Begins to read what these gates will be asked about, so that one round of reads answers those that the step is skipped for and these.
 * Their verdicts are not taken from here.
 */
export function readAhead(look: Look, checks: Check[], phase: Phase): void {
  const { signal } = limited(look, phase)
  for (const check of checks) look.gates.evaluate(check, signal).catch(() => {})
}

/**
 * Why the step need not be done, or undefined.
 * @param doneBefore an earlier process of the run did it, as its journal says: `verify` decides whether it still is true
 */
export async function alreadyTrue(
  look: Look,
  step: Step,
  phase: Phase,
  doneBefore: boolean,
): Promise<Skip | undefined> {
  const probe = async (checks: Check[] = []): Promise<string | undefined> => {
    if (checks.length === 0) return undefined
    const verdicts = await lookAtAll(look, checks, phase)
    return verdicts.every(({ status }) => status === 'pass')
      ? verdicts.map(({ detail }) => detail).join('; ')
      : undefined
  }
  const other = probe(step.orUnless)
  // Whoever is skipped for the first reason waits for no look at the second.
  other.catch(() => {})
  const done = await probe(step.unless)
  if (done !== undefined) return { reason: done, by: 'unless' }
  const otherwise = await other
  if (otherwise !== undefined) return { reason: otherwise, by: 'orUnless' }
  if (!doneBefore) return undefined
  // The journal says where to look, live state whether it is so: an action without `unless` is not repeated for nothing.
  const still = await probe(step.verify)
  return still === undefined ? undefined : { reason: `done before, and still: ${still}`, by: 'before' }
}

/** One look at each, bounded by us too: a step must not hang on a gate that forgets its signal. */
export async function lookAtAll(look: Look, checks: Check[], phase: Phase): Promise<Verdict[]> {
  const { signal, limitMs } = limited(look, phase)
  const late = `no answer within ${Math.round(limitMs / 1000)} s`
  return Promise.all(checks.map((check) => orGiveUp(look.gates.evaluate(check, signal), limitMs + overrunMs, late)))
}

function limited(look: Look, { signal, deadline }: Phase): { signal: AbortSignal; limitMs: number } {
  const limitMs = Math.max(Math.min(deadline - performance.now(), lookLimitMs), 0)
  const limit = AbortSignal.timeout(Math.ceil(limitMs))
  return { signal: AbortSignal.any([signal, look.signal, limit]), limitMs }
}

/** What `looking` says, or the verdict `unknown` when it doesn't settle. */
export async function orGiveUp(looking: Promise<Verdict>, limitMs: number, detail: string): Promise<Verdict> {
  const { promise, resolve } = Promise.withResolvers<Verdict>()
  const timer = setTimeout(() => resolve({ status: 'unknown', detail }), Math.min(limitMs, 2 ** 31 - 1))
  try {
    return await Promise.race([looking, promise])
  } finally {
    clearTimeout(timer)
  }
}
