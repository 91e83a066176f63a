/** Runs of every cluster that can be looked at from here, for src/commands/run. */
import type { JournalEntry } from '../engine/journal.ts'
import { findResumable, listRuns, type StoredRun } from '../engine/runs.ts'
import { UsageError } from '../errors.ts'
import { processes } from '../exec/process-info.ts'
import type { StepResult } from '../types.ts'
import { createColours } from '../ui/colours.ts'
import { renderResult } from '../ui/result-text.ts'
import { renderTable } from '../ui/table.ts'
import type { CommandContext } from './define.ts'

/** Newest first. Clusters of one repository share a state directory; each lab has its own. */
export async function storedRuns(context: CommandContext): Promise<StoredRun[]> {
  const targets = await context.targets()
  const directories = new Set(targets.map(({ stateDir }) => stateDir))
  return [...directories]
    .flatMap((directory) => listRuns(directory, processes))
    .sort((a, b) => b.startedAt.localeCompare(a.startedAt))
}

/**
 * The run with that id whatever its cluster (whoever pastes an id should not have to name the cluster as well), else the
 * unfinished run of the chosen cluster.
 * @throws UsageError when there is nothing to resume
 */
export async function resumableRun(context: CommandContext, id: string | undefined): Promise<StoredRun> {
  const named = id === undefined ? undefined : (await storedRuns(context)).find((run) => run.id === id)
  if (named) return findResumable(stateDirOf(named.dir), processes, { id })
  const target = await context.target()
  return findResumable(target.stateDir, processes, { id, cluster: target.cluster })
}

/** `<stateDir>/runs/<id>` */
const stateDirOf = (runDir: string) => runDir.replace(/\/runs\/[^/]+$/, '')

/** The run whose id is or begins with `wanted`; the newest without it. */
export function pickRun(runs: StoredRun[], wanted: string | undefined): StoredRun {
  const found = runs.filter(({ id }) => wanted === undefined || id.startsWith(wanted))
  const [first] = found
  const chosen =
    found.find(({ id }) => id === wanted) ?? (found.length === 1 || wanted === undefined ? first : undefined)
  if (chosen) return chosen
  const next = 'k8sops run list'
  if (first) throw new UsageError(`${found.length} runs begin with ${wanted}`, { next })
  throw new UsageError(wanted === undefined ? 'there are no runs yet' : `there is no run ${wanted}`, { next })
}

/** What a run has done: from its result, or while it runs (and after a crash) from its journal. */
export function stepsOf(run: StoredRun): StepResult[] {
  return run.state !== 'running' && run.state !== 'unfinished' && run.result ? run.result.steps : stepsSoFar(run)
}

const stateAfter: Record<string, StepResult['state']> = {
  'step-done': 'done',
  'step-skipped': 'skipped',
  'step-failed': 'failed',
  'step-interrupted': 'interrupted',
  'step-started': 'interrupted',
}

function stepsSoFar(run: StoredRun): StepResult[] {
  return run.plan.steps.map(({ id, title }) => {
    const own = (entry: JournalEntry) => 'step' in entry && entry.step === id && entry.type in stateAfter
    const last = run.journal.findLast(own)
    if (!last) return { id, title, state: 'not-started' }
    const reason = last.type === 'step-started' ? `begun ${last.at}` : undefined
    return { id, title, state: stateAfter[last.type]!, ...(reason ? { reason } : {}) }
  })
}

export function renderRun(run: StoredRun): string {
  const steps = stepsOf(run)
  const timeline =
    run.result && steps === run.result.steps
      ? renderResult(run.result, createColours({}, {}))
      : renderTable(
          ['step', 'state', 'note'],
          steps.map(({ id, state, reason }) => [id, state, reason ?? '']),
        )
  return [
    `${run.id}  ${run.state}`,
    `  directory ${run.dir}`,
    `  basis     commit ${run.plan.basis.commit.slice(0, 12)}`,
    '',
    timeline,
    ...(run.state === 'unfinished' ? ['', `go on with: k8sops run resume ${run.id}`] : []),
  ].join('\n')
}
