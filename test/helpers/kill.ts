/**
 * Interrupts runs in every way that there is and goes on with them from another process, as an operator would. What is
 * random comes from a seed.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { JournalEntry } from '../../src/lib/engine/journal.ts'
import { isResumable } from '../../src/lib/engine/runs.ts'
import { processes } from '../../src/lib/exec/process-info.ts'
import { eventually } from './lab.ts'
import { type CliEnded, type CliProcess, type LabCli, told } from './lab-cli.ts'
import { full, randomOf, sample, seed } from './seed.ts'

const preload = join(import.meta.dirname, 'kill-at-boundary.ts')

export interface Boundaries {
  env: NodeJS.ProcessEnv
  used: () => string[]
  /** From now on only at these. */
  narrow: (only: string[]) => void
  remove: () => void
}

/** @param only without it every boundary is one at which the process dies, once */
export function boundaries(only?: string[]): Boundaries {
  const dir = mkdtempSync(join(tmpdir(), 'k8sops-kill-'))
  const file = join(dir, 'boundaries.json')
  writeFileSync(file, JSON.stringify({ only, used: [] }))
  const used = () => (JSON.parse(readFileSync(file, 'utf8')) as { used: string[] }).used
  return {
    env: { K8SOPS_TEST_BOUNDARIES: file, K8SOPS_TEST_BOUNDARY_SEED: seed },
    used,
    narrow: (chosen) => writeFileSync(file, JSON.stringify({ only: chosen, used: used() })),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}

/** What an operator types after a run that did not come to its end: resume if there is something to resume. */
export function nextCommand(lab: LabCli, bootstrap: string[]): string[] {
  const [newest] = lab.runs()
  return newest && isResumable(newest) ? ['run', 'resume'] : bootstrap
}

/**
 * Runs `bootstrap` (or goes on with it) and dies at each boundary, again and again from a new process, until one comes
 * to its end.
 * @param options.boxSec after so long the next process is left to come to its end
 * @returns how the last process ended, and how often one was killed
 */
export async function killAtBoundaries(
  lab: LabCli,
  bootstrap: string[],
  { env, narrow }: Boundaries,
  { most = 400, boxSec = Number.POSITIVE_INFINITY } = {},
): Promise<{ last: CliEnded; kills: number }> {
  const begun = performance.now()
  for (let kills = 0; ; kills += 1) {
    if (kills > 0 && performance.now() - begun > boxSec * 1000) narrow([])
    const ended = await lab.run(nextCommand(lab, bootstrap), { env, preload })
    if (ended.signal !== 'SIGKILL') return { last: ended, kills }
    if (kills >= most) throw new Error(`killed ${kills} times and no end:\n${told(ended)}`)
    await nothingLeft(lab)
  }
}

/**
 * Kills the whole process group at random instants, each at most `longestSec` after its start.
 * @returns how the last process ended (undefined when it was killed as well), and how often one was killed
 */
export async function killAtInstants(
  lab: LabCli,
  bootstrap: string[],
  { count, longestSec, random }: { count: number; longestSec: number; random: () => number },
): Promise<{ last: CliEnded | undefined; kills: number }> {
  for (let kills = 0; kills < count; kills += 1) {
    const run = lab.start(nextCommand(lab, bootstrap))
    const tooLate = new AbortController()
    const instant = delay(random() * longestSec * 1000, undefined, { signal: tooLate.signal }).catch(() => {})
    await Promise.race([instant, run.ended])
    tooLate.abort()
    run.signal('SIGKILL')
    const ended = await run.ended
    if (ended.signal !== 'SIGKILL') return { last: ended, kills }
    await nothingLeft(lab)
  }
  return { last: undefined, kills: count }
}

/** After SIGKILL nothing of a run may go on writing: children die with it, and the guard takes care of the rest. */
export async function nothingLeft(lab: LabCli): Promise<void> {
  const ids = lab.runs().map(({ id }) => id)
  const left = async () => ids.flatMap((id) => processes.ofRun(id))
  await eventually(left, (alive) => alive.length === 0, 2)
}

/** When to strike: settles at that moment of a run, rejects when the run ends without it. */
export type Moment = (run: CliProcess, lab: LabCli) => Promise<unknown>

/** The step has begun; it still looks whether there is anything to do. */
export const begun =
  (step: string): Moment =>
  (run) =>
    run.event((event) => event.type === 'step-started' && event.step === step)

/** A process of the step is at work, as the journal says. */
export const atWork =
  (step: string): Moment =>
  async (run, lab) => {
    const since = new Date().toISOString()
    const ended = run.ended.then(({ stderr }) => stderr)
    const isAtWork = (entry: JournalEntry) =>
      entry.type === 'process-started' && entry.step === step && entry.at > since
    while (!lab.runs()[0]?.journal.some(isAtWork)) {
      const text = await Promise.race([delay(100), ended])
      if (text !== undefined) throw new Error(`${step} never started a process:\n${text.slice(-2000)}`)
    }
  }

/** Ctrl-C: SIGINT to the process alone. */
export async function interruptAt(lab: LabCli, args: string[], moment: Moment): Promise<CliEnded> {
  const run = lab.start(args)
  await moment(run, lab)
  run.signal('SIGINT', { group: false })
  return run.ended
}

/** SIGKILL to the whole process group. */
export async function killAt(lab: LabCli, args: string[], moment: Moment): Promise<CliEnded> {
  const run = lab.start(args)
  await moment(run, lab)
  run.signal('SIGKILL')
  const ended = await run.ended
  await nothingLeft(lab)
  return ended
}

/**
 * A bootstrap costs minutes of two cores, so a run of all tests disturbs one of its two: that of `apps` is interrupted, or that of
 * `infra` meets faults; the whole proof has both.
 */
const disturbed = sample(['apps', 'infra'], 1, randomOf('disturbed'))[0]
export const isDisturbed = (cluster: 'apps' | 'infra'): boolean => full || disturbed === cluster
