/** What nobody can be faster than: a run's own tools and waits, from its journal and result. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Plan, StepResult } from '../src/lib/types.ts'
import { cli, run } from './measure.ts'

interface ProcessEvent {
  at: string
  type: string
  step: string
}

export interface RunFiles {
  journal: ProcessEvent[]
  /** Of the steps that have neighbours: what they share. */
  groups: Map<string, string>
}

/**
 * What nobody can be faster than with these tools: of each step the time that its processes ran (by the journal) and that it
 * then waited for the cluster, steps one after the other, neighbours of a group side by side. Whatever else passes is ours and
 * counts against us: start-up, planning, looking whether a step is done already, locks, journal, starting processes.
 */
export function criticalPath(steps: StepResult[], { journal, groups }: RunFiles, waitOf = wholeWait): number {
  const longest = new Map<string, number>()
  for (const step of steps) {
    const group = groups.get(step.id) ?? step.id
    const seconds = processSeconds(step.id, journal) + waitOf(step)
    longest.set(group, Math.max(longest.get(group) ?? 0, seconds))
  }
  return [...longest.values()].reduce((sum, seconds) => sum + seconds, 0)
}

const wholeWait = ({ waitedSec = 0 }: StepResult) => waitedSec

/** A look that finds all well is ours. */
const waitForSomething = ({ waitedSec = 0, waitedFor = [] }: StepResult) => (waitedFor.length > 0 ? waitedSec : 0)

/** While at least one process of the step ran. */
function processSeconds(id: string, journal: ProcessEvent[]): number {
  let running = 0
  let since = 0
  let milliseconds = 0
  for (const { at, type, step } of journal) {
    if (step !== id || !type.startsWith('process-')) continue
    const now = Date.parse(at)
    if (running > 0) milliseconds += now - since
    since = now
    running += type === 'process-started' ? 1 : -1
  }
  return milliseconds / 1000
}

/**
 * What is ours of the time between the start of the first of these steps and the end of the last one: everything but their processes and
 * the waits that had something to wait for.
 */
export function ownSeconds(steps: StepResult[], files: RunFiles): number {
  const begins = steps.flatMap(({ startedAt }) => (startedAt ? [Date.parse(startedAt)] : []))
  const ends = steps.flatMap(({ startedAt, seconds = 0 }) =>
    startedAt ? [Date.parse(startedAt) + seconds * 1000] : [],
  )
  return (Math.max(...ends) - Math.min(...begins)) / 1000 - criticalPath(steps, files, waitForSomething)
}

/**
 * The run's journal and the plan beside it, in the lab's copy of the repository.
 * @param lab `--cluster apps --lab-name bench`
 */
export function runFiles(runId: string, lab: string[]): RunFiles {
  const { stdout } = run({
    name: 'lab status',
    command: [process.execPath, cli, 'lab', 'status', ...lab, '-o', 'json'],
  })
  const root = (JSON.parse(stdout) as { items: { root: string }[] }).items[0]?.root ?? ''
  const read = (file: string) => readFileSync(join(root, '.k8sops/runs', runId, file), 'utf8')
  const lines = read('journal.ndjson').split('\n').filter(Boolean)
  const { steps } = JSON.parse(read('plan.json')) as Plan
  return {
    journal: lines.map((line) => JSON.parse(line) as ProcessEvent),
    groups: new Map(steps.flatMap(({ id, group }) => (group ? [[id, group]] : []))),
  }
}
