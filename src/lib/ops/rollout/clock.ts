/**
 * The clock of a commit (NFR39): time between two good looks at a cluster that runs the commit, or one that contains it. Pure: the same
 * evidence gives the same time on every machine, which is what makes an attestation something that can be checked.
 */
import type { RolloutPolicy } from '../../types.ts'
import { gapLimitMs, type Reason, type Stretch } from './evidence.ts'

export interface Clock {
  soakedSec: number
  /** When a look first found it live, alone or with later commits (RFC 3339). */
  liveSince: string | null
  /** Since when its time runs without having been lost (RFC 3339). */
  since: string | null
  /** A good look found this very commit, after its time was last lost: only then may it go alone. */
  own: boolean
  /** The last look was a good one, at a commit that contains it. */
  runs: boolean
  /** What stopped it last, and when. */
  stopped: { at: string; kind: Reason['kind'] | 'gap' | 'other-commit'; detail: string } | null
}

export interface ClockRule {
  policy: Pick<RolloutPolicy, 'tickMinutes' | 'onRegression' | 'onGap'>
  /** Of the target: 1 for real clusters. */
  timeScale: number
}

/** @param contains whether a revision contains the commit; the commit contains itself */
export function clockOf(
  commit: string,
  stretches: Stretch[],
  contains: (revision: string) => boolean,
  { policy, timeScale }: ClockRule,
): Clock {
  const limitMs = gapLimitMs(policy, timeScale)
  const clock: Clock = { soakedSec: 0, liveSince: null, since: null, own: false, runs: false, stopped: null }
  /** End of the last good stretch that time may run on from. */
  let before: string | undefined
  const lose = () => Object.assign(clock, { soakedSec: 0, since: null, own: false })
  const stop = (at: string, kind: NonNullable<Clock['stopped']>['kind'], detail: string) => {
    before = undefined
    clock.runs = false
    clock.stopped = { at, kind, detail }
  }
  for (const stretch of stretches) {
    const { revision, state, from, to, reasons } = stretch
    if (revision !== null && !contains(revision)) {
      // Before it came, that is what there was; afterwards somebody has taken it away again.
      if (clock.liveSince === null) continue
      lose()
      stop(from, 'other-commit', `the evidence is of ${revision.slice(0, 9)}, which does not contain it`)
      continue
    }
    // What is not the same everywhere may yet be the commit before: nothing is known of this one.
    if (revision !== null) clock.liveSince ??= from
    if (clock.liveSince === null) continue
    if (state !== 'well') {
      if (state === 'regressed' && policy.onRegression === 'restart') lose()
      const [reason] = reasons
      stop(to, reason?.kind ?? 'settling', reason?.detail ?? 'not every Kustomization has applied the same commit')
      continue
    }
    const pauseMs = before === undefined ? 0 : Date.parse(from) - Date.parse(before)
    if (pauseMs > limitMs) {
      if (policy.onGap === 'restart') lose()
      stop(from, 'gap', `nobody looked for ${hoursText(pauseMs / 1000)}`)
    } else clock.soakedSec += pauseMs / 1000
    clock.soakedSec += (Date.parse(to) - Date.parse(from)) / 1000
    clock.since ??= from
    clock.own ||= revision === commit
    clock.runs = true
    before = to
  }
  return clock
}

/** `3.2 h`, `12 min` */
export function hoursText(seconds: number): string {
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  return `${Math.floor(seconds / 360) / 10} h`
}
