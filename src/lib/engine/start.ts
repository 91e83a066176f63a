/** Starts a run from a plan, or goes on with a stored one: lock, journal, guard, survivors, basis, steps. */
import { join } from 'node:path'
import { StaleError } from '../errors.ts'
import type { Exec, ProcessPort } from '../exec/types.ts'
import type { Plan, RunEvent, RunResult, Target } from '../types.ts'
import { type NewEntry, newRunId, openJournal, runDirectory, writeJsonFile } from './journal.ts'
import { takeRunLock } from './lock.ts'
import type { BasisPort, GatePort, Interrupts, LeasePort, SilencePort } from './ports.ts'
import { pruneRuns } from './retention.ts'
import { executeRun } from './run.ts'
import { progressOf, type StoredRun } from './runs.ts'
import { holdSilence, silenceOf } from './silence.ts'
import { settleSurvivors } from './survivors.ts'

export interface Surroundings {
  target: Target
  /** Runs pipelines whose children carry this run's marker. */
  execFor: (runId: string) => Exec
  gates: GatePort
  lease: LeasePort
  /** Absent where there is no Alertmanager. */
  silences?: SilencePort
  processes: ProcessPort
  interrupts: Interrupts
  emit: (event: RunEvent) => void
  basis: BasisPort
  timeoutSec?: number
  /** `k8sops run resume`, with what else has to be said (--lab, --cluster). */
  resumeCommand: (runId: string) => string
}

/**
 * Runs a plan that was just made, or (with `checkBasis`) one that was read from a file.
 * @throws LockedError before anything is written; StaleError when the basis moved.
 */
export async function startRun(plan: Plan, around: Surroundings, options: { checkBasis: boolean }): Promise<RunResult> {
  if (options.checkBasis) {
    const next = `make the plan again and look at it: k8sops ${plan.operation.replaceAll('.', ' ')} --dry-run`
    await refuseIfMoved(plan, plan.basis.digest, around, next)
  }
  return run(plan, newRunId(plan), around)
}

/**
 * Goes on with a stored run in this process. Steps that live state shows as done are skipped.
 * @throws LockedError while its old process (or another run) holds the lock; StaleError when its files moved.
 */
export async function resumeRun(stored: StoredRun, around: Surroundings): Promise<RunResult> {
  return run(stored.plan, stored.id, around, stored)
}

async function run(plan: Plan, runId: string, around: Surroundings, stored?: StoredRun): Promise<RunResult> {
  const { target, processes } = around
  // The journal begins with the lock, but a run that is refused must not leave one behind.
  const early: NewEntry[] = []
  let record = (entry: NewEntry): void => void early.push(entry)
  const lock = await takeRunLock({
    dir: join(target.stateDir, 'locks'),
    cluster: plan.cluster,
    scope: plan.scope,
    operation: plan.operation,
    runId,
    processes,
    lease: around.lease,
    signal: around.interrupts.stop,
    ...(plan.endsApi ? { endsApi: true } : {}),
    onChange: (entry) => record(entry),
  })
  try {
    if (stored) {
      // What the run itself changed among the files is in its journal; anything else is somebody's edit.
      const own = stored.journal.findLast((entry) => entry.type === 'basis-moved')
      const next = 'run the operation again: what is done already will be skipped'
      await refuseIfMoved(plan, own?.digest ?? plan.basis.digest, around, next)
    }
    const runDir = runDirectory(target.stateDir, runId)
    if (!stored) writeJsonFile(join(runDir, 'plan.json'), plan)
    const journal = openJournal(runDir)
    const { who, ...self } = processes.self()
    journal.append({ type: 'run-started', ...self, holder: who, ...(stored ? { resumeOf: stored.startedAt } : {}) })
    for (const entry of early) journal.append(entry)
    record = journal.append
    if (stored) await settleSurvivors(runId, plan, stored.journal, processes, around.interrupts.stop, journal.append)
    const exec = around.execFor(runId)
    const guard = processes.guard()
    const { silences } = around
    const before = silenceOf(stored?.journal ?? [])
    const silence =
      plan.silence && silences
        ? holdSilence({
            port: silences,
            silence: plan.silence,
            by: who,
            comment: `k8sops ${plan.operation.replaceAll('.', ' ')} of ${plan.cluster}: ${runId}`,
            ...(before === undefined ? {} : { before }),
            onChange: (entry) => {
              journal.append(entry)
              if (entry.type === 'silence' && entry.state === 'unavailable')
                around.emit({
                  type: 'run-note',
                  at: new Date().toISOString(),
                  text: `alerts are not silenced: ${entry.detail}`,
                })
            },
          })
        : undefined
    try {
      return await executeRun({
        plan,
        runId,
        runDir,
        journal,
        exec: (request) => exec({ ...request, guard: guard.mark }),
        gates: around.gates,
        basis: around.basis,
        lock,
        ...(silence ? { silence } : {}),
        interrupts: around.interrupts,
        emit: around.emit,
        ...(around.timeoutSec === undefined ? {} : { timeoutSec: around.timeoutSec }),
        ...(stored ? { before: progressOf(stored.journal) } : {}),
        resumeCommand: around.resumeCommand(runId),
      })
    } finally {
      await silence?.end()
      guard.release()
      record = () => {}
      journal.close()
      pruneRuns(target.stateDir, plan, processes)
    }
  } finally {
    await lock.release()
  }
}

async function refuseIfMoved(plan: Plan, expected: string, { basis }: Surroundings, next: string): Promise<void> {
  if ((await basis.digest(plan)) === expected) return
  throw new StaleError('what the plan was made from has moved since', {
    output: (await basis.describe(plan)).join('\n'),
    next,
  })
}
