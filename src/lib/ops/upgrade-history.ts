/** How long nodes took in earlier upgrades, from the runs that are kept. */
import type { Plan, RunResult } from '../types.ts'

export interface Timing {
  node: string
  /** From the check before it to everything on it being well again. */
  seconds: number
}

export interface Range {
  lowSec: number
  /** The median. */
  likelySec: number
  highSec: number
}

/**
 * One entry for each node that a run upgraded from beginning to end. Parts of a node that another process of the run did
 * aren't known, so nodes that were begun before a resume don't count.
 * @param runs newest first
 */
export function upgradeTimings(runs: { plan: Plan; result?: RunResult }[], cluster: string): Timing[] {
  const upgrades = runs.filter(({ plan }) => plan.operation === 'talos.upgrade' && plan.cluster === cluster)
  return upgrades.slice(0, 20).flatMap(({ result }) => {
    const steps = result?.steps ?? []
    const upgraded = steps.filter(({ id, state }) => id.endsWith('/upgrade') && state === 'done')
    return upgraded.flatMap(({ id }): Timing[] => {
      const node = id.slice(0, -'/upgrade'.length)
      const own = steps.filter((step) => step.id.startsWith(`${node}/`) && step.id !== `${node}/apply-config`)
      const whole = own.every(({ state }) => state === 'done' || state === 'skipped')
      const begun = own.some((step) => step.id === `${node}/check` && step.state === 'done')
      return whole && begun ? [{ node, seconds: own.reduce((sum, { seconds = 0 }) => sum + seconds, 0) }] : []
    })
  })
}

/** The node's own times, or those of all nodes while it has none; undefined without any. */
export function timingsOf(history: Timing[], node: string): Range | undefined {
  const own = history.filter((timing) => timing.node === node)
  const seconds = (own.length > 0 ? own : history).map((timing) => timing.seconds).sort((a, b) => a - b)
  const [lowSec] = seconds
  if (lowSec === undefined) return undefined
  return { lowSec, likelySec: seconds[Math.floor(seconds.length / 2)] ?? lowSec, highSec: seconds.at(-1) ?? lowSec }
}
