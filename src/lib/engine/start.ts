/** Starts a run from a plan, or goes on with a stored one: lock, journal, guard, survivors, basis, steps. */
import { join } from 'node:path'
import { StaleError } from '../errors.ts'
import type { Exec, ProcessPort } from '../exec/types.ts'
import type { Plan, RunEvent, RunResult, Target } from '../types.ts'
import { type NewEntry, newRunId, openJournal, runDirectory, writeJsonFile } from './journal.ts'
import { takeRunLock } from './lock.ts'
import type { GatePort, Interrupts, LeasePort } from './ports.ts'
import { executeRun } from './run.ts'
import { progressOf, type StoredRun } from './runs.ts'
import { settleSurvivors } from './survivors.ts'

export interface Surroundings {
  target: Target
  /** Runs pipelines whose children carry this run's marker. */
  execFor: (runId: string) => Exec
  gates: GatePort
  lease: LeasePort
  processes: ProcessPort
  interrupts: Interrupts
  emit: (event: RunEvent) => void
  /** What differs now from what the plan was based on, one line each (`talos/apps/talconfig.yaml changed`). */
  movedSince: (plan: Plan) => Promise<string[]>
  timeoutSec?: number
  /** `k8sops run resume`, with what else has to be said (--lab, --cluster). */
  resumeCommand: (runId: string) => string
}

/**
 * Runs a plan that was just made, or (with `checkBasis`) one that was read from a file.
 * @throws LockedError before anything is written; StaleError when the basis moved.
 */
export async function startRun(plan: Plan, around: Surroundings, options: { checkBasis: boolean }): Promise<RunResult> {
  if (options.checkBasis)
    await refuseIfMoved(plan, around, `make the plan again and look at it: k8sops ${plan.operation} --dry-run`)
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
    onChange: (entry) => record(entry),
  })
  try {
    if (stored) await refuseIfMoved(plan, around, `run the operation again: what is done already will be skipped`)
    const runDir = runDirectory(target.stateDir, runId)
    if (!stored) writeJsonFile(join(runDir, 'plan.json'), plan)
    const journal = openJournal(runDir)
    const { who, ...self } = processes.self()
    journal.append({ type: 'run-started', ...self, holder: who, ...(stored ? { resumeOf: stored.startedAt } : {}) })
    for (const entry of early) journal.append(entry)
    record = journal.append
    if (stored) await settleSurvivors(runId, plan, stored.journal, processes, around.interrupts.stop, journal.append)
    const guard = processes.guard(runId)
    try {
      return await executeRun({
        plan,
        runId,
        runDir,
        journal,
        exec: around.execFor(runId),
        gates: around.gates,
        lock,
        interrupts: around.interrupts,
        emit: around.emit,
        ...(around.timeoutSec === undefined ? {} : { timeoutSec: around.timeoutSec }),
        ...(stored ? { before: progressOf(stored.journal) } : {}),
        resumeCommand: around.resumeCommand(runId),
      })
    } finally {
      guard.release()
      record = () => {}
      journal.close()
    }
  } finally {
    await lock.release()
  }
}

async function refuseIfMoved(plan: Plan, around: Surroundings, next: string): Promise<void> {
  const moved = await around.movedSince(plan)
  if (moved.length === 0) return
  throw new StaleError(
    `what the plan was made from has moved since: ${moved.length} difference${moved.length === 1 ? '' : 's'}`,
    {
      output: moved.join('\n'),
      next,
    },
  )
}
