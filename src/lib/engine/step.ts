/** One step: skip if already true, wait for what it needs, act, verify. */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { InterruptedError, OperatorError } from '../errors.ts'
import type { Exec, ExecResult } from '../exec/types.ts'
import type { Check, RunEvent, Step, StepResult, Verdict } from '../types.ts'
import { type ExecAction, gateError, interrupted, said, toolError, unexpected } from './failures.ts'
import type { Journal } from './journal.ts'
import type { GatePort, RunLock } from './ports.ts'

export interface StepContext {
  exec: Exec
  gates: GatePort
  lock: RunLock
  journal: Journal
  logDir: string
  emit: (event: RunEvent) => void
  /** No new work: Ctrl-C, or the run's own time limit. */
  stop: AbortSignal
  /** Everything ends now. */
  kill: AbortSignal
  /** An earlier process of this run already did this step, as its journal says; then `verify` decides whether it still is true. */
  doneBefore: boolean
  /** An earlier process of this run started the step's action, and its journal doesn't say how that ended. */
  begunBefore: boolean
  /** Why the step of `skipWith` was skipped, if it was because of its `unless`. */
  skippedWith: string | undefined
  /** Called just before the first process of a step is started. */
  onWrite: () => void
}

export interface StepOutcome {
  result: StepResult
  /** Skipped, because its `unless` held. */
  unneeded?: string
  error?: OperatorError
}

/** One look at a gate takes at most this long; what it can't tell by then it can't tell. */
const lookLimitMs = 60_000
/** How much later than its deadline a gate may settle before it is given up. */
const overrunMs = 5_000

type Phase = { signal: AbortSignal; deadline: number }

/** Runs one step to its end. Never rejects: what went wrong is in the outcome. */
export async function runStep(context: StepContext, step: Step): Promise<StepOutcome> {
  const started = performance.now()
  const result: StepResult = { id: step.id, title: step.title, state: 'failed', startedAt: new Date().toISOString() }
  const seconds = () => round((performance.now() - started) / 1000)
  const at = () => new Date().toISOString()
  const waits: Waits = { seconds: 0, for: new Set() }
  context.journal.append({ type: 'step-started', step: step.id })
  context.emit({ type: 'step-started', at: at(), step: step.id })
  try {
    const skip = await attempt(context, step, started + step.timeoutSec * 1000, waits)
    if (skip !== undefined) {
      const { reason, by } = skip
      context.journal.append({ type: 'step-skipped', step: step.id, reason })
      Object.assign(result, { state: 'skipped', reason, seconds: seconds() })
      context.emit({ type: 'step-skipped', at: at(), step: step.id, reason })
      return by === 'unless' ? { result, unneeded: reason } : { result }
    }
    context.journal.append({ type: 'step-done', step: step.id, seconds: seconds() })
    Object.assign(result, { state: 'done', seconds: seconds() }, waited(waits))
    context.emit({ type: 'step-done', at: at(), step: step.id, seconds: seconds() })
    return { result }
  } catch (thrown) {
    const error = thrown instanceof OperatorError ? thrown : unexpected(step, thrown)
    const state = error instanceof InterruptedError ? 'interrupted' : 'failed'
    Object.assign(result, { state, reason: error.message, seconds: seconds() }, waited(waits))
    const entry =
      state === 'interrupted'
        ? { type: 'step-interrupted' as const }
        : { type: 'step-failed' as const, message: error.message }
    context.journal.append({ ...entry, step: step.id })
    context.emit({ type: 'step-failed', at: at(), step: step.id, seconds: seconds(), message: error.message })
    return { result, error }
  }
}

interface Skip {
  reason: string
  by: 'unless' | 'orUnless' | 'before'
}

/** Returns why the step was skipped, or undefined when it was done. Throws what stopped it. */
async function attempt(context: StepContext, step: Step, deadline: number, waits: Waits): Promise<Skip | undefined> {
  if (context.skippedWith !== undefined) return { reason: context.skippedWith, by: 'unless' }
  const idle: Phase = { signal: AbortSignal.any([context.stop, context.kill]), deadline }
  const skip = await alreadyTrue(context, step, idle)
  stopIfInterrupted(context, step, idle.signal)
  if (skip !== undefined) return skip

  if (context.begunBefore)
    await waitForAll(context, step, { checks: step.onceBegun ?? [], phase: idle, waits, how: 'begun before, and ' })
  const require = step.require ?? []
  if (require.length > 0 || context.begunBefore) {
    await waitForAll(context, step, { checks: require, phase: idle, waits, how: 'not started, ' })
    const meanwhile = await alreadyTrue(context, step, idle)
    stopIfInterrupted(context, step, idle.signal)
    if (meanwhile !== undefined) return meanwhile
  }
  // From here on an `after` step is past the point where it can be left half done.
  const busy: Phase = { signal: step.interrupt === 'now' ? idle.signal : context.kill, deadline }
  const accepted = step.action.kind === 'exec' ? await act(context, step, step.action, busy) : undefined
  await waitForAll(context, step, { checks: step.verify, phase: busy, waits, how: '', accepted })
  return undefined
}

async function alreadyTrue(context: StepContext, step: Step, phase: Phase): Promise<Skip | undefined> {
  const probe = async (checks: Check[] | undefined): Promise<string | undefined> => {
    if (!checks || checks.length === 0) return undefined
    const verdicts = await lookAtAll(context, checks, phase)
    return verdicts.every(({ status }) => status === 'pass')
      ? verdicts.map(({ detail }) => detail).join('; ')
      : undefined
  }
  const done = await probe(step.unless)
  if (done !== undefined) return { reason: done, by: 'unless' }
  const otherwise = await probe(step.orUnless)
  if (otherwise !== undefined) return { reason: otherwise, by: 'orUnless' }
  if (!context.doneBefore) return undefined
  // The journal says where to look, live state whether it is so: an action without `unless` is not repeated for nothing.
  const still = await probe(step.verify)
  return still === undefined ? undefined : { reason: `done before, and still: ${still}`, by: 'before' }
}

/** One look at each, bounded by us too: a step must not hang on a gate that forgets its signal. */
async function lookAtAll(context: StepContext, checks: Check[], phase: Phase): Promise<Verdict[]> {
  const limitMs = Math.max(Math.min(phase.deadline - performance.now(), lookLimitMs), 0)
  const signal = AbortSignal.any([phase.signal, AbortSignal.timeout(Math.ceil(limitMs))])
  const gates = context.gates.together(signal)
  const late = `no answer within ${Math.round(limitMs / 1000)} s`
  return Promise.all(checks.map((check) => orGiveUp(gates.evaluate(check, signal), limitMs + overrunMs, late)))
}

/** What `looking` says, or the verdict `unknown` when it doesn't settle. */
async function orGiveUp(looking: Promise<Verdict>, limitMs: number, detail: string): Promise<Verdict> {
  const { promise, resolve } = Promise.withResolvers<Verdict>()
  const timer = setTimeout(() => resolve({ status: 'unknown', detail }), Math.min(limitMs, 2 ** 31 - 1))
  try {
    return await Promise.race([looking, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Returns what the tool said when it failed and that was accepted: the reason, should `verify` not hold. */
async function act(
  context: StepContext,
  step: Step,
  action: ExecAction,
  phase: Phase,
): Promise<ExecResult | undefined> {
  const patterns = (action.retry?.while ?? []).map((source) => new RegExp(source, 'i'))
  const accepted = (action.accept ?? []).map((source) => new RegExp(source, 'i'))
  // What the tool said before it was asked again: the reason, when the last try is ended before it can say it.
  let failed: ExecResult | undefined
  for (let starts = 1; ; starts++) {
    await orAborted(context.lock.beforeWrite(step.id), AbortSignal.any([phase.signal, context.kill]))
    stopIfInterrupted(context, step, phase.signal, failed)
    const result = await context.exec({
      pipeline: action.pipeline,
      timeoutSec: Math.max((phase.deadline - performance.now()) / 1000, 0),
      ...(action.stall ? { stallSec: action.stall.afterSec } : {}),
      signal: phase.signal,
      kill: context.kill,
      step: step.id,
      logFile: join(context.logDir, `${step.id.replaceAll('/', '__')}.log`),
      onLine: (line) => context.emit({ type: 'step-output', at: new Date().toISOString(), step: step.id, line }),
      onSpawn: ({ pid, startTime, argv }) => {
        context.onWrite()
        context.journal.append({ type: 'process-started', step: step.id, pid, startTime, argv })
      },
      onExit: ({ pid }, exitCode) => context.journal.append({ type: 'process-ended', step: step.id, pid, exitCode }),
    })
    if (result.exitCode === 0) return undefined
    if (result.ended === 'signal') throw interrupted(step, said(result, failed))
    if (result.ended === 'stalled' && starts < (action.stall?.attempts ?? 1)) continue
    // Done already, says the tool (a call that was cut off and made again): verify looks whether that is so.
    if (result.ended === undefined && accepted.some((pattern) => pattern.test(textOf(result)))) return result
    const again = result.ended === undefined && patterns.some((pattern) => pattern.test(textOf(result)))
    const pauseMs = (action.retry?.everySec ?? 0) * 1000
    if (!again || performance.now() + pauseMs >= phase.deadline)
      throw toolError(step, action, said(result, failed), again)
    failed = result
    await sleep(pauseMs, undefined, { signal: phase.signal }).catch(() => {})
  }
}

function textOf(result: ExecResult): string {
  return `${result.stderr}\n${result.stdout.slice(-64 * 1024)}`
}

interface Waits {
  seconds: number
  for: Set<string>
}

interface Wait {
  checks: Check[]
  phase: Phase
  /** What was waited for is added. */
  waits: Waits
  /** How far the step came, for the error. */
  how: string
  /** What the tool said when it failed and that was accepted. */
  accepted?: ExecResult | undefined
}

/** Until all of them hold at one time: one that held at first is looked at again when another one had to be waited for. */
async function waitForAll(context: StepContext, step: Step, wait: Wait): Promise<void> {
  const { checks, phase, waits } = wait
  const begun = performance.now()
  try {
    for (let together = false; !together; ) {
      const waited = await waitForEach(context, step, wait)
      const verdicts = waited && checks.length > 1 ? await lookAtAll(context, checks, phase) : []
      together = verdicts.every(({ status }) => status === 'pass')
    }
  } finally {
    waits.seconds += (performance.now() - begun) / 1000
  }
}

/** Returns whether any of them had to be waited for. */
async function waitForEach(context: StepContext, step: Step, wait: Wait): Promise<boolean> {
  const { checks, phase, waits, how, accepted } = wait
  if (checks.length === 0) return false
  const open = new Map<Check, string[]>()
  const tell = (check: Check, waitingFor: string[]) => {
    open.set(check, waitingFor)
    for (const line of waitingFor) if (waits.for.size < 200) waits.for.add(line)
    context.emit({
      type: 'step-waiting',
      at: new Date().toISOString(),
      step: step.id,
      waitingFor: [...open.values()].flat(),
    })
  }
  const over = new AbortController()
  const gates = context.gates.together(over.signal)
  // One that no waiting changes ends the wait for the others, each as soon as it has said what it waits for.
  let hopeless = false
  const told = new Set<AbortController>()
  const verdicts = await Promise.all(
    checks.map(async (check) => {
      const ending = new AbortController()
      const waiting = gates.waitFor(check, {
        deadline: phase.deadline,
        signal: AbortSignal.any([phase.signal, ending.signal]),
        onWaiting: (waitingFor) => {
          tell(check, waitingFor)
          told.add(ending)
          if (hopeless) ending.abort()
        },
      })
      const limitMs = Math.max(phase.deadline - performance.now(), 0) + overrunMs
      const verdict = await orGiveUp(waiting, limitMs, 'the gate did not answer in time')
      if (verdict.status !== 'pass' && verdict.final) {
        hopeless = true
        for (const one of told) one.abort()
      }
      if (open.has(check)) tell(check, verdict.status === 'pass' ? [] : (verdict.waitingFor ?? []))
      return verdict
    }),
  ).finally(() => over.abort())
  if (verdicts.every(({ status }) => status === 'pass')) return open.size > 0
  if (phase.signal.aborted || context.kill.aborted) {
    throw new InterruptedError(`${step.title}: interrupted`, { output: [...open.values()].flat().join('\n') })
  }
  throw gateError(step, checks, verdicts, how, accepted)
}

/** Waiting for a lock while its API server is away must not keep Ctrl-C waiting. */
async function orAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const give = () => resolve()
  signal.addEventListener('abort', give)
  if (signal.aborted) give()
  // Given up, it may still fail; nobody is interested any more.
  work.catch(() => {})
  await Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', give))
}

function stopIfInterrupted(context: StepContext, step: Step, signal: AbortSignal, failed?: ExecResult): void {
  if (signal.aborted || context.kill.aborted) throw interrupted(step, failed)
}

function waited(waits: Waits): Partial<StepResult> {
  return waits.for.size === 0 && waits.seconds < 0.05
    ? {}
    : { waitedSec: round(waits.seconds), waitedFor: [...waits.for] }
}

const round = (seconds: number) => Math.round(seconds * 10) / 10
