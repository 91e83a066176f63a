/**
 * What a release was made on, as an in-toto statement on its commit: which commits came along, what each had earned, and the looks that it
 * was earned by. Whoever has the repository can work it out again (`rollout verify`).
 */
import { createHash } from 'node:crypto'
import { GateError } from '../../errors.ts'
import type { RolloutPolicy } from '../../types.ts'
import { clockOf, hoursText } from './clock.ts'
import { requiredSec } from './decide.ts'
import type { Stretch } from './evidence.ts'
import type { Promotion } from './record.ts'

/** Replaced by the time when it is written. */
export const nowMark = '@now@'

export interface Predicate {
  promotion: Promotion
  clusters: { first: string; later: string[] }
  policy: RolloutPolicy
  timeScale: number
  stretches: Stretch[]
  /** When the later clusters were Ready on it (RFC 3339). */
  readyAt: string
  /** sha256 over all of the above but `readyAt`. */
  digest: string
}

export interface Statement {
  _type: 'https://in-toto.io/Statement/v1'
  subject: { name: string; digest: { gitCommit: string } }[]
  predicateType: 'https://k8sops.dev/rollout/v1'
  predicate: Predicate
}

export type Attested = Omit<Predicate, 'readyAt' | 'digest'>

export function statementOf(attested: Attested, readyAt: string = nowMark): Statement {
  const { to } = attested.promotion
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'commit', digest: { gitCommit: to } }],
    predicateType: 'https://k8sops.dev/rollout/v1',
    predicate: { ...attested, readyAt, digest: digestOf(attested) },
  }
}

export function digestOf({ promotion, clusters, policy, timeScale, stretches }: Attested): string {
  const text = JSON.stringify({ promotion, clusters, policy, timeScale, stretches })
  return `sha256:${createHash('sha256').update(text).digest('hex')}`
}

/** @throws GateError for what is no attestation of this program */
export function parseStatement(commit: string, text: string): Statement {
  try {
    const statement = JSON.parse(text) as Statement
    if (statement.predicateType === 'https://k8sops.dev/rollout/v1' && statement.predicate?.promotion) return statement
  } catch {
    // Said below.
  }
  throw new GateError(`the note on ${commit.slice(0, 9)} is no attestation of a rollout`, {
    output: text.slice(0, 400),
  })
}

/** What git says of a promotion, beside the statement. */
export interface VerifyFacts {
  commit: string
  /** The release contains it. */
  released: boolean
  /** It follows from where the release was. */
  follows: boolean
  /** First-parent commits that came along, oldest first, with labels as the policy of today reads them. */
  commits: { sha: string; labels: string[]; takesBack: boolean }[]
  contains: (revision: string, commit: string) => boolean
  /** Of today. */
  policy: RolloutPolicy
}

export interface Verified {
  /** One line each; empty when all of it holds. */
  faults: string[]
  earned: { sha: string; soakedSec: number; requiredSec: number }[]
}

/** Works the soak out anew from the looks that the statement has. An override needs none, but says who and why. */
export function verifyStatement({ subject, predicate }: Statement, facts: VerifyFacts): Verified {
  const { promotion, policy, timeScale, stretches } = predicate
  const faults: string[] = []
  if (predicate.digest !== digestOf(predicate)) faults.push('its digest does not fit: it was changed after it was made')
  if (promotion.to !== facts.commit || subject[0]?.digest.gitCommit !== facts.commit)
    faults.push(`it is about ${promotion.to.slice(0, 9)}`)
  if (!facts.follows) faults.push(`it does not follow from ${promotion.from.slice(0, 9)}, where the release was`)
  if (!facts.released) faults.push('the release does not contain it')
  const earned = facts.commits.map((commit) => {
    const clock = clockOf(commit.sha, stretches, (revision) => facts.contains(revision, commit.sha), {
      policy,
      timeScale,
    })
    return { sha: commit.sha, soakedSec: clock.soakedSec, requiredSec: requiredSec(commit, policy, timeScale), clock }
  })
  if (promotion.kind === 'soaked') {
    for (const { sha, soakedSec, requiredSec: required, clock } of earned)
      if (soakedSec < required || clock.liveSince === null)
        faults.push(`${sha.slice(0, 9)} had soaked ${hoursText(soakedSec)} of ${hoursText(required)}`)
    if (earned.at(-1)?.clock.own !== true) faults.push('no good look found this very commit')
  } else if (!promotion.by || !promotion.reason) faults.push(`it says neither who nor why (${promotion.kind})`)
  if (policy.soakHours < facts.policy.soakHours)
    faults.push(`it was made under a soak of ${policy.soakHours} h, and k8sops.yaml says ${facts.policy.soakHours} h`)
  return {
    faults,
    earned: earned.map(({ sha, soakedSec, requiredSec: required }) => ({ sha, soakedSec, requiredSec: required })),
  }
}
