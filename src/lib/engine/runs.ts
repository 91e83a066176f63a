/** The runs of a target on disk: listing, finding the unfinished one, reading what an earlier process did. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { UsageError } from '../errors.ts'
import type { ProcessId, ProcessPort } from '../exec/types.ts'
import type { Plan, RunResult } from '../types.ts'
import { type JournalEntry, readJournal, readText, runDirectory } from './journal.ts'

export type RunState = 'running' | 'unfinished' | RunResult['outcome']

export interface StoredRun {
  id: string
  dir: string
  plan: Plan
  journal: JournalEntry[]
  /** Absent while it runs, and after a crash. */
  result?: RunResult
  state: RunState
  startedAt: string
}

/**
 * Every run that has a readable plan, newest first.
 * @param meant those whose plan it accepts; nothing else of the others is read
 */
export function listRuns(
  stateDir: string,
  processes: ProcessPort,
  meant: (plan: Plan) => boolean = () => true,
): StoredRun[] {
  return namesIn(join(stateDir, 'runs'))
    .flatMap((id) => readRun(stateDir, id, processes, meant) ?? [])
    .sort((a, b) => descending(a.startedAt, b.startedAt) || descending(a.id, b.id))
}

/** Not by the rules of a language, whose tables take 8 ms to load: times and ids need none. */
export const descending = (a: string, b: string): number => (a < b ? 1 : a > b ? -1 : 0)

/** Undefined when there is no such run, it is not meant, or it died before its plan was on the disk. */
export function readRun(
  stateDir: string,
  id: string,
  processes: ProcessPort,
  meant: (plan: Plan) => boolean = () => true,
): StoredRun | undefined {
  const dir = runDirectory(stateDir, id)
  const plan = readJson<Plan>(join(dir, 'plan.json'))
  if (!plan || !meant(plan)) return undefined
  const journal = readJournal(dir)
  const result = readJson<RunResult>(join(dir, 'result.json'))
  const start = journal.find(({ type }) => type === 'run-started')
  return {
    id,
    dir,
    plan,
    journal,
    ...(result ? { result } : {}),
    state: stateOf(journal, result, processes),
    startedAt: start?.at ?? result?.startedAt ?? '',
  }
}

function stateOf(journal: JournalEntry[], result: RunResult | undefined, processes: ProcessPort): RunState {
  const last = journal.findLast((entry) => entry.type === 'run-started')
  const finished = journal.findLastIndex(({ type }) => type === 'run-finished')
  const started = last ? journal.lastIndexOf(last) : -1
  if (result && finished > started) return result.outcome
  if (last && last.space === processes.self().space && processes.isAlive(last)) return 'running'
  return 'unfinished'
}

/** Whether there is something to go on with. */
export function isResumable(run: StoredRun): boolean {
  return run.state === 'unfinished' || run.state === 'stopped' || run.state === 'interrupted' || run.state === 'failed'
}

/**
 * The run to resume: the named one, else the cluster's last run, if that did not come to its end.
 * @throws UsageError when there is none, or it is finished or still running.
 */
export function findResumable(
  stateDir: string,
  processes: ProcessPort,
  wanted: { id?: string | undefined; cluster?: string },
): StoredRun {
  const next = 'k8sops run list'
  if (wanted.id !== undefined) {
    const run = readRun(stateDir, wanted.id, processes)
    if (!run) throw new UsageError(`there is no run ${wanted.id} in ${join(stateDir, 'runs')}`, { next })
    if (run.state === 'running')
      throw new UsageError(`run ${run.id} is still running`, { next: `k8sops run show ${run.id}` })
    if (!isResumable(run)) throw new UsageError(`run ${run.id} has ended well; there is nothing to resume`, { next })
    return run
  }
  const runs = listRuns(stateDir, processes, ({ cluster }) => cluster === wanted.cluster)
  // A run that ended well says that what an older one left undone is settled.
  const newest = runs.find(({ state }) => state !== 'running')
  if (newest && isResumable(newest)) return newest
  const running = runs.find(({ state }) => state === 'running')
  throw new UsageError(
    running ? `run ${running.id} is still running` : `cluster ${wanted.cluster} has no unfinished run`,
    { next },
  )
}

export interface Progress {
  changed: boolean
  /** Steps that an earlier process has done. */
  done: Set<string>
  /** Steps whose action was started, without a word of how it ended. */
  begun: Set<string>
}

/** What the journal says was done, so that live state need only confirm it. */
export function progressOf(journal: JournalEntry[]): Progress {
  const done = new Set<string>()
  const begun = new Set<string>()
  for (const entry of journal) {
    if (entry.type === 'process-started') begun.add(entry.step)
    if (entry.type === 'step-done' || entry.type === 'step-skipped') done.add(entry.step)
    if (entry.type === 'step-done' || entry.type === 'step-skipped' || entry.type === 'step-failed')
      begun.delete(entry.step)
    // Begun again by a later process and not finished: not done any more.
    if (entry.type === 'step-started') done.delete(entry.step)
  }
  return { changed: journal.some(({ type }) => type === 'process-started'), done, begun }
}

/** Children that were started and never seen to end: they may still be there. */
export function openChildren(journal: JournalEntry[]): (ProcessId & { step: string })[] {
  const open = new Map<number, ProcessId & { step: string }>()
  for (const entry of journal) {
    if (entry.type === 'process-started')
      open.set(entry.pid, { pid: entry.pid, startTime: entry.startTime, step: entry.step })
    if (entry.type === 'process-ended') open.delete(entry.pid)
  }
  return [...open.values()]
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function readJson<T>(path: string): T | undefined {
  try {
    return JSON.parse(readText(path) ?? '') as T
  } catch {
    return undefined
  }
}
