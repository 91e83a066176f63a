/** Processes that an earlier process of a run started and that outlived it. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { LockedError } from '../errors.ts'
import type { ProcessId, ProcessPort } from '../exec/types.ts'
import type { Plan, Step } from '../types.ts'
import type { JournalEntry, NewEntry } from './journal.ts'
import { openChildren } from './runs.ts'

/** A process that is not our child can't be waited for by an event on every platform, so its end is looked for. */
const lookEveryMs = 200
/** What was killed is gone at once, but where the machine is busy. */
const dyingMs = 5_000
/** A process that is killed and still has children each time is no survivor but somebody who goes on. */
const mostLooks = 10

/**
 * Makes sure that nothing of a dead run still writes: survivors of a `now` step are killed, those of an `after` step are
 * left to finish until that step's time limit, counted from its start, is over. As a rule there are none, since children
 * die with their run (child.ts, guard.ts).
 * @throws LockedError when new ones are found again and again: somebody goes on with that run
 */
export async function settleSurvivors(
  runId: string,
  plan: Plan,
  journal: JournalEntry[],
  processes: ProcessPort,
  signal: AbortSignal,
  onSettled: (entry: NewEntry) => void,
): Promise<void> {
  const known = openChildren(journal).filter(processes.isAlive)
  const settled = new Set<string>()
  const name = ({ pid, startTime }: ProcessId) => `${pid} ${startTime}`
  // One that was listed may have forked before it was ended: looked for again, until nothing is found that was not there before.
  for (let looks = 1; ; looks += 1) {
    const found = [...known, ...processes.ofRun(runId)].filter((child) => !settled.has(name(child)))
    const all = [...new Map(found.map((child) => [name(child), child])).values()]
    if (all.length === 0) return
    if (looks > mostLooks)
      throw new LockedError(`processes of run ${runId} go on starting others`, {
        next: `look who they are, and end them: ps -p ${all.map(({ pid }) => pid).join(',')}`,
      })
    await Promise.all(
      all.map(async (child) => {
        settled.add(name(child))
        const step = plan.steps.find(({ id }) => id === child.step)
        const leftMs = step?.interrupt === 'after' ? timeLeft(step, journal) : 0
        const ended = leftMs > 0 && (await hasEnded(child, leftMs, processes, signal))
        if (!ended) {
          processes.end(child)
          await hasEnded(child, dyingMs, processes, signal)
        }
        onSettled({ type: 'survivor', step: child.step, pid: child.pid, outcome: ended ? 'ended' : 'killed' })
      }),
    )
  }
}

function timeLeft(step: Step, journal: JournalEntry[]): number {
  const started = journal.findLast((entry) => entry.type === 'step-started' && entry.step === step.id)
  return started ? Date.parse(started.at) + step.timeoutSec * 1000 - Date.now() : 0
}

async function hasEnded(
  child: ProcessId,
  withinMs: number,
  processes: ProcessPort,
  signal: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + withinMs
  while (processes.isAlive(child)) {
    if (performance.now() >= deadline || signal.aborted) return false
    await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
  }
  return true
}
