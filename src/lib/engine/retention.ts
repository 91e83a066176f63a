/** How long runs are kept: on an operator's machine nobody else tidies up. */
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessPort } from '../exec/types.ts'
import type { Plan } from '../types.ts'
import { descending, isResumable, listRuns, type StoredRun } from './runs.ts'

/** Runs kept for each cluster and scope, besides those that could still be resumed. */
export const keptRuns = 20

/**
 * Removes the runs of a plan's cluster and scope that are more than the newest `keep`, and that nobody would resume: a run
 * that did not come to its end stays for as long as it is the last one of its operation with its parameters. Never throws: what can't be
 * removed now is tried again after the next run.
 *
 * The caller holds the lock of that cluster and scope, so that none of these runs is just being resumed.
 * @returns ids of the removed runs
 */
export function pruneRuns(
  stateDir: string,
  of: Pick<Plan, 'cluster' | 'scope'>,
  processes: ProcessPort,
  keep = keptRuns,
): string[] {
  try {
    if (readdirSync(join(stateDir, 'runs')).length <= keep) return []
    const isOurs = ({ cluster, scope }: Plan) => cluster === of.cluster && scope === of.scope
    const runs = listRuns(stateDir, processes, isOurs).sort((a, b) => descending(lastBegun(a), lastBegun(b)))
    const old = runs.filter((run, index) => index >= keep && isSettled(run, runs.slice(0, index)))
    return old.map(({ id, dir }) => {
      discard(stateDir, id, dir)
      return id
    })
  } catch {
    return []
  }
}

/** A run that was resumed counts from then. */
function lastBegun({ journal, startedAt }: StoredRun): string {
  return journal.findLast(({ type }) => type === 'run-started')?.at ?? startedAt
}

/** @param later runs that began after it */
function isSettled(run: StoredRun, later: StoredRun[]): boolean {
  // Without a beginning it has no place in the order; there are only a few: killed between plan and journal.
  if (run.state === 'running' || run.startedAt === '') return false
  const { operation, params } = run.plan
  const same = (other: StoredRun) =>
    other.plan.operation === operation && JSON.stringify(other.plan.params) === JSON.stringify(params)
  return !isResumable(run) || later.some(same)
}

/** Moved away first: a directory that is removed in part would look like a run that was killed. */
function discard(stateDir: string, id: string, dir: string): void {
  const removed = join(stateDir, 'removed')
  mkdirSync(removed, { recursive: true })
  renameSync(dir, join(removed, id))
  rmSync(removed, { recursive: true, force: true })
}
