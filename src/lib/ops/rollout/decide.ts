/**
 * Which commit may go on to the next clusters, and what keeps each of the others. Pure. A commit goes only with all that is before it,
 * so what has not soaked keeps whatever came after it.
 */
import type { RolloutPolicy } from '../../types.ts'
import { type Clock, clockOf, hoursText } from './clock.ts'
import type { Stretch } from './evidence.ts'

/** A commit on the first cluster's branch that the release does not have yet. */
export interface WaitingCommit {
  sha: string
  subject: string
  author: string
  /** RFC 3339. */
  committedAt: string
  labels: string[]
  /** A merge that brings in nothing but what the release has already: there is nothing in it to soak. */
  takesBack: boolean
  /** It contains the release. One from before a hotfix was taken back does not, and goes with the merge that did that. */
  follows: boolean
}

export interface CommitState extends WaitingCommit {
  clock: Clock
  requiredSec: number
  soaked: boolean
  /** Why it can't go yet, one line each; empty for what may go now. */
  waits: string[]
}

export interface Situation {
  /** Oldest first. */
  waiting: WaitingCommit[]
  stretches: Stretch[]
  policy: RolloutPolicy
  timeScale: number
  /** Whether `revision` contains `commit`. */
  contains: (revision: string, commit: string) => boolean
  /** What keeps everything: a hold, a promotion that is not through, a release that was moved by somebody else. */
  blocked: string[]
}

export interface Decision {
  commits: CommitState[]
  /** The newest commit that has soaked together with all before it. */
  ready: string | undefined
  /** That one, unless something keeps everything. */
  promote: string | undefined
  blocked: string[]
}

/** The longest soak that one of its labels asks for (seconds). */
export function requiredSec(
  commit: Pick<WaitingCommit, 'labels' | 'takesBack'>,
  policy: RolloutPolicy,
  timeScale: number,
): number {
  if (commit.takesBack) return 0
  const hours = policy.labels.filter(({ name }) => commit.labels.includes(name)).map((label) => label.hours)
  return (hours.length > 0 ? Math.max(...hours) : policy.soakHours) * 3600 * timeScale
}

/** Labels that a commit says (`Rollout-Label: hotfix`, one or several) or that its subject tells. Unknown ones are dropped. */
export function labelsOf(subject: string, said: string[], policy: RolloutPolicy): string[] {
  return policy.labels
    .filter(
      ({ name, subject: pattern }) =>
        said.includes(name) || (pattern !== undefined && new RegExp(pattern).test(subject)),
    )
    .map(({ name }) => name)
}

export function decide(situation: Situation): Decision {
  const { waiting, stretches, policy, timeScale, contains, blocked } = situation
  const judged = waiting.map((commit) => {
    const clock = clockOf(commit.sha, stretches, (revision) => contains(revision, commit.sha), { policy, timeScale })
    const required = requiredSec(commit, policy, timeScale)
    return { ...commit, clock, requiredSec: required, soaked: clock.liveSince !== null && clock.soakedSec >= required }
  })
  const firstOpen = judged.findIndex(({ soaked }) => !soaked)
  const together = firstOpen < 0 ? judged : judged.slice(0, firstOpen)
  const ready = together.findLast(({ clock, follows }) => clock.own && clock.runs && follows)?.sha
  const readyAt = judged.findIndex(({ sha }) => sha === ready)
  const commits = judged.map((commit, index): CommitState => {
    if (index <= readyAt) return { ...commit, waits: [] }
    const keeper = firstOpen >= 0 && firstOpen < index ? judged[firstOpen] : undefined
    return { ...commit, waits: [...waitsOf(commit), ...(keeper ? [`behind ${keeper.sha.slice(0, 9)}`] : [])] }
  })
  return { commits, ready, promote: blocked.length === 0 ? ready : undefined, blocked }
}

function waitsOf({ clock, requiredSec: required, soaked, follows }: Omit<CommitState, 'waits'>): string[] {
  if (clock.liveSince === null) return ['not live yet']
  const lines = soaked ? [] : [`soaked ${hoursText(clock.soakedSec)} of ${hoursText(required)}`]
  if (!clock.runs && clock.stopped) lines.push(`the clock stands: ${clock.stopped.detail}`)
  if (soaked && !follows) lines.push('lacks what was released since: goes with the merge that took it in')
  else if (soaked && !clock.own) lines.push('never seen live by itself: goes with a later one')
  return lines
}
