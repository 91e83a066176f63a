/** One step: skip if already true, wait for what it needs, act, verify. */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { InterruptedError, OperatorError } from '../errors.ts'
import type { Exec, ExecResult } from '../exec/types.ts'
import type { Check, RunEvent, Step, StepResult } from '../types.ts'
import { type ExecAction, gateError, interrupted, said, toolError, unexpected } from './failures.ts'
import type { Journal } from './journal.ts'
import {
  alreadyTrue,
  beginLook,
  isOfThisMoment,
  type Look,
  lookAtAll,
  orGiveUp,
  overrunMs,
  type Phase,
  readAhead,
  type Skip,
} from './look.ts'
import type { GatePort, Gates, RunLock } from './ports.ts'

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

/** Returns why the step was skipped, or undefined when it was done. Throws what stopped it. */
async function attempt(context: StepContext, step: Step, deadline: number, waits: Waits): Promise<Skip | undefined> {
  if (context.skippedWith !== undefined) return { reason: context.skippedWith, by: 'unless' }
  const idle: Phase = { signal: AbortSignal.any([context.stop, context.kill]), deadline }
  // From its action on an `after` step is past the point where it can be left half done.
  const busy: Phase = { signal: step.interrupt === 'now' ? idle.signal : context.kill, deadline }
  const verified: Wait = { checks: step.verify, phase: busy, waits, how: '' }
  const look = beginLook(context.gates)
  try {
    const skip = await prepare(context, step, look, idle, waits)
    if (skip !== undefined) return skip
    if (step.action.kind === 'wait') {
      await waitForAll(context, step, step.require?.length ? verified : { ...verified, look })
      return undefined
    }
  } finally {
    look.end()
  }
  const accepted = await act(context, step, step.action, busy)
  await waitForAll(context, step, { ...verified, accepted })
  return undefined
}

/** Until the step can begin, or returns why it need not. */
async function prepare(
  context: StepContext,
  step: Step,
  look: Look,
  idle: Phase,
  waits: Waits,
): Promise<Skip | undefined> {
  const { doneBefore, begunBefore } = context
  const { require = [], onceBegun = [] } = step
  const looking = alreadyTrue(look, step, idle, doneBefore)
  readAhead(look, step.action.kind === 'wait' && require.length === 0 ? step.verify : require, idle)
  const skip = await looking
  stopIfInterrupted(context, step, idle.signal)
  if (skip !== undefined || (require.length === 0 && !begunBefore)) return skip
  if (begunBefore) await waitForAll(context, step, { checks: onceBegun, phase: idle, waits, how: 'begun before, and ' })
  const waited = await waitForAll(context, step, { checks: require, phase: idle, waits, how: 'not started, ', look })
  if (!waited && !begunBefore && isOfThisMoment(look)) return undefined
  const again = beginLook(context.gates)
  const meanwhile = await alreadyTrue(again, step, idle, doneBefore).finally(again.end)
  stopIfInterrupted(context, step, idle.signal)
  return meanwhile
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
  /** Begun already, with these checks read ahead. */
  look?: Look
}

/**
 * Until all of them hold at one time: one that held at first is looked at again when another one had to be waited for.
 * @returns whether any of them had to be waited for
 */
async function waitForAll(context: StepContext, step: Step, { look, ...wait }: Wait): Promise<boolean> {
  const begun = performance.now()
  // What it read ahead is the beginning of this wait, which it answers as long as that is the state of now.
  const first = look !== undefined && isOfThisMoment(look) ? look : undefined
  try {
    let waited = await waitForEach(context, step, wait, first?.gates)
    const any = waited
    while (waited && wait.checks.length > 1) {
      const look = beginLook(context.gates)
      const verdicts = await lookAtAll(look, wait.checks, wait.phase).finally(look.end)
      if (verdicts.every(({ status }) => status === 'pass')) break
      waited = await waitForEach(context, step, wait)
    }
    return any
  } finally {
    wait.waits.seconds += (performance.now() - (first?.begun ?? begun)) / 1000
  }
}

/** Returns whether any of them had to be waited for. */
async function waitForEach(context: StepContext, step: Step, wait: Wait, through?: Gates): Promise<boolean> {
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
  const gates = through ?? context.gates.together(over.signal)
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
