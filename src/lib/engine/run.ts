/** The loop over a plan's steps. Live state decides what is done; the journal says where to look. */
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { exitCodes, InterruptedError, OperatorError } from '../errors.ts'
import type { Exec } from '../exec/types.ts'
import type { Plan, RunEvent, RunResult, Step, StepResult, ToolName } from '../types.ts'
import { type Journal, writeJsonFile } from './journal.ts'
import type { BasisPort, GatePort, Interrupts, RunLock } from './ports.ts'
import type { Progress } from './runs.ts'
import type { HeldSilence } from './silence.ts'
import { runStep, type StepOutcome } from './step.ts'

export interface RunRequest {
  plan: Plan
  runId: string
  /** `<stateDir>/runs/<runId>`; plan.json is already there. */
  runDir: string
  journal: Journal
  exec: Exec
  gates: GatePort
  basis: BasisPort
  /** Held already. */
  lock: RunLock
  /** Of the alerts that the work would raise. */
  silence?: HeldSilence
  interrupts: Interrupts
  emit: (event: RunEvent) => void
  /** Limit for the whole run; when it is over, `after` steps finish and the run stops. */
  timeoutSec?: number
  /** What an earlier process of this run is known to have done. */
  before?: Progress
  /** Pasteable, e.g. `k8sops run resume bootstrap-apps-...`. */
  resumeCommand: string
}

/** Runs the plan and writes result.json. Rejects only when the journal or the result can't be written. */
export async function executeRun(request: RunRequest): Promise<RunResult> {
  const { plan, interrupts, emit } = request
  const started = performance.now()
  const startedAt = new Date().toISOString()
  const results = new Map<string, StepResult>()
  const unneeded = new Map<string, string>()
  const active = new Set<Step>()
  let changed = request.before?.changed ?? false

  const timeUp = new AbortController()
  const timer = startTimer(request.timeoutSec, () => timeUp.abort())
  const stop = AbortSignal.any([interrupts.stop, timeUp.signal])
  const tellStop = () => {
    for (const step of active)
      emit({
        type: 'run-interrupted',
        at: new Date().toISOString(),
        step: step.id,
        finishing: step.interrupt === 'after',
      })
  }
  stop.addEventListener('abort', tellStop)
  if (changed) request.silence?.begin()
  emit({
    type: 'run-started',
    at: startedAt,
    runId: request.runId,
    operation: plan.operation,
    cluster: plan.cluster,
    steps: plan.steps.map(({ id, title, group }) => ({ id, title, ...(group ? { group } : {}) })),
  })

  const runOne = async (step: Step, until = stop): Promise<StepOutcome> => {
    active.add(step)
    const outcome = await runStep(
      {
        exec: request.exec,
        gates: request.gates,
        lock: request.lock,
        journal: request.journal,
        logDir: join(request.runDir, 'logs'),
        emit,
        stop: until,
        kill: interrupts.kill,
        doneBefore: request.before?.done.has(step.id) ?? false,
        skippedWith: step.skipWith === undefined ? undefined : unneeded.get(step.skipWith),
        begunBefore: request.before?.begun.has(step.id) ?? false,
        onWrite: () => {
          changed = true
          request.silence?.begin()
        },
      },
      step,
    )
    active.delete(step)
    results.set(step.id, outcome.result)
    if (outcome.unneeded !== undefined) unneeded.set(step.id, outcome.unneeded)
    if (mayWriteFiles(step)) await recordBasis(request, step)
    return outcome
  }

  const errors: OperatorError[] = []
  for (const batch of batches(plan.steps)) {
    if (stop.aborted || interrupts.kill.aborted) {
      errors.push(new InterruptedError(`interrupted before "${batch[0]!.title}"`))
      break
    }
    const outcomes = await Promise.all(batch.map((step) => runOne(step)))
    errors.push(...outcomes.flatMap(({ error }) => error ?? []))
    if (errors.length > 0) break
  }
  // Neither Ctrl-C nor the time limit keeps them from it; a second Ctrl-C does.
  for (const step of plan.steps) {
    if (!step.always || results.has(step.id) || !changed || interrupts.kill.aborted) continue
    errors.push(...[(await runOne(step, new AbortController().signal)).error ?? []].flat())
  }
  clearTimeout(timer)
  stop.removeEventListener('abort', tellStop)

  const error = summarise(errors, timeUp.signal.aborted && !interrupts.stop.aborted ? request.timeoutSec : undefined)
  const result: RunResult = {
    apiVersion: 'k8sops.dev/v1',
    kind: 'RunResult',
    runId: request.runId,
    operation: plan.operation,
    cluster: plan.cluster,
    ...(isFinding(plan.steps, results, error) ? found : judge(error, changed)),
    startedAt,
    seconds: Math.round((performance.now() - started) / 100) / 10,
    changed,
    ...(plan.targetSec === undefined ? {} : { targetSec: plan.targetSec }),
    steps: plan.steps.map(({ id, title }) => results.get(id) ?? { id, title, state: 'not-started' }),
    ...(error ? { error: describe(error) } : {}),
    ...(error && !isFinding(plan.steps, results, error) ? { resume: request.resumeCommand } : {}),
  }
  writeJsonFile(join(request.runDir, 'result.json'), result)
  request.journal.append({ type: 'run-finished', outcome: result.outcome, exitCode: result.exitCode })
  emit({ type: 'run-finished', at: new Date().toISOString(), result })
  return result
}

/** Tools that write into the repository; the others write to clusters and machines. */
const fileWriters = new Set<ToolName>(['age', 'git', 'k8sops', 'sops', 'talhelper'])

function mayWriteFiles({ action }: Step): boolean {
  return action.kind === 'exec' && action.pipeline.some(({ tool }) => fileWriters.has(tool))
}

/** So that a resume can tell the run's own changes to files from somebody's edit. */
async function recordBasis({ basis, plan, journal }: RunRequest, step: Step): Promise<void> {
  const digest = await basis.digest(plan)
  if (digest !== plan.basis.digest) journal.append({ type: 'basis-moved', step: step.id, digest })
}

/** Neighbours of one group together, everything else one by one. */
export function batches(steps: Step[]): Step[][] {
  const all: Step[][] = []
  for (const step of steps) {
    const last = all.at(-1)
    if (last && step.group !== undefined && last[0]!.group === step.group) last.push(step)
    else all.push([step])
  }
  return all
}

/** Exit codes of design section 4: before the first change an error keeps its own, after it everything is 6 but a finding. */
export function judge(error: OperatorError | undefined, changed: boolean): Pick<RunResult, 'outcome' | 'exitCode'> {
  if (!error) return { outcome: 'succeeded', exitCode: exitCodes.ok }
  if (error instanceof InterruptedError)
    return { outcome: 'interrupted', exitCode: changed ? exitCodes.stopped : exitCodes.interrupted }
  return changed ? { outcome: 'stopped', exitCode: exitCodes.stopped } : { outcome: 'failed', exitCode: error.exitCode }
}

const found: Pick<RunResult, 'outcome' | 'exitCode'> = { outcome: 'failed', exitCode: exitCodes.gate }

/** Nothing failed but what was to be found out. */
function isFinding(steps: Step[], results: Map<string, StepResult>, error: OperatorError | undefined): boolean {
  const failed = steps.filter(({ id }) => results.get(id)?.state === 'failed')
  return failed.length > 0 && failed.every(({ finding }) => finding) && !(error instanceof InterruptedError)
}

/** One error for the run: of several steps side by side that failed, all are named, and the first real failure leads. */
function summarise(errors: OperatorError[], timeUpSec: number | undefined): OperatorError | undefined {
  const first = errors.find((error) => !(error instanceof InterruptedError)) ?? errors[0]
  if (first instanceof InterruptedError && timeUpSec !== undefined)
    return new OperatorError(`the run's time limit of ${timeUpSec} s is over`, exitCodes.gate, {
      ...(first.detail.command ? { command: first.detail.command } : {}),
      output: [first.message, first.detail.output].filter(Boolean).join('\n'),
    })
  if (!first || errors.length === 1) return first
  const rest = errors.filter((error) => error !== first)
  const output = [first.detail.output, ...rest.flatMap((error) => [error.message, error.detail.output])]
  const detail = { ...first.detail, output: output.filter(Boolean).join('\n') }
  // It stays what it is: the run is judged by its kind.
  if (first instanceof InterruptedError) return new InterruptedError(first.message, detail)
  return Object.assign(new OperatorError(first.message, first.exitCode, detail), { name: first.name })
}

/** The error as it stands in result.json: message, command and output in one text, next apart. */
function describe(error: OperatorError): NonNullable<RunResult['error']> {
  const { command, output, next, runbook } = error.detail
  const message = [error.message, command && `$ ${command}`, output, runbook && `Runbook: ${runbook}`]
  return { name: error.name, message: message.filter(Boolean).join('\n'), ...(next ? { next } : {}) }
}

function startTimer(seconds: number | undefined, onEnd: () => void): NodeJS.Timeout | undefined {
  return seconds === undefined ? undefined : setTimeout(onEnd, Math.min(seconds * 1000, 2 ** 31 - 1))
}
