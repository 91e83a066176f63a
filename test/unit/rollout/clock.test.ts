/** The clock's rule, against one that is worked out anew from every single look: no commit is let go without its soak, whatever comes. */

import { describe, expect, it } from 'vitest'
import { clockOf } from '../../../src/lib/ops/rollout/clock.ts'
import {
  type Decision,
  decide,
  labelsOf,
  requiredSec,
  type WaitingCommit,
} from '../../../src/lib/ops/rollout/decide.ts'
import { gapLimitMs, type Reason, type Sample, stateOf, withSample } from '../../../src/lib/ops/rollout/evidence.ts'
import type { RolloutPolicy } from '../../../src/lib/types.ts'
import { rolloutPolicy } from '../../helpers/cli.ts'
import { fc } from '../../helpers/seeded-check.ts'

const hour = 3_600_000
const start = Date.parse('2026-11-30T00:00:00Z')
const at = (ms: number) => new Date(start + ms).toISOString()
/** Commit number `index` of a straight line; each contains those before it. */
const sha = (index: number) => String(index).padStart(40, '0')
const foreign = 'f'.repeat(40)
const contains = (revision: string, commit: string) => revision !== foreign && revision >= commit

const commit = (index: number, more: Partial<WaitingCommit> = {}): WaitingCommit => ({
  sha: sha(index),
  subject: `change ${index}`,
  author: 'jane',
  committedAt: at(0),
  labels: [],
  takesBack: false,
  follows: true,
  ...more,
})

function judge(waiting: WaitingCommit[], samples: Sample[], policy: RolloutPolicy = rolloutPolicy): Decision {
  const limit = gapLimitMs(policy, 1)
  const stretches = samples.reduce<ReturnType<typeof withSample>>((all, one) => withSample(all, one, limit), [])
  return decide({ waiting, stretches, policy, timeScale: 1, contains, blocked: [] })
}

const well = (ms: number, index = 0): Sample => ({ at: at(ms), revision: sha(index), reasons: [] })
const hourly = (from: number, to: number, index = 0) =>
  Array.from({ length: to - from + 1 }, (_, number) => well((from + number) * hour, index))
const bad: Reason = { kind: 'node', detail: 'Node infra-w1 is not Ready' }

describe('a commit', () => {
  it('goes once it has soaked for a day, not an hour before', () => {
    expect(judge([commit(0)], hourly(0, 23)).promote).toBeUndefined()
    expect(judge([commit(0)], hourly(0, 24)).promote).toBe(sha(0))
  })

  it('needs an hour as a hotfix, two days as a major change, the longest of several', () => {
    const policy = rolloutPolicy
    expect(
      [[], ['hotfix'], ['major'], ['hotfix', 'major']].map(
        (labels) => requiredSec({ labels, takesBack: false }, policy, 1) / 3600,
      ),
    ).toEqual([24, 1, 48, 48])
    expect(judge([commit(0, { labels: ['hotfix'] })], hourly(0, 1)).promote).toBe(sha(0))
    expect(judge([commit(0, { labels: ['major'] })], hourly(0, 47)).promote).toBeUndefined()
  })

  it('is kept by one before it that has not soaked', () => {
    const waiting = [commit(0, { labels: ['major'] }), commit(1)]
    const { promote, commits } = judge(waiting, [...hourly(0, 1), ...hourly(2, 30, 1)])
    expect(promote).toBeUndefined()
    expect(commits[1]?.waits).toEqual([`behind ${sha(0).slice(0, 9)}`])
  })

  it('that was never seen live by itself goes with a later one', () => {
    const { promote, commits } = judge([commit(0), commit(1), commit(2)], [...hourly(0, 1), ...hourly(2, 26, 2)])
    expect(promote).toBe(sha(2))
    expect(commits.map(({ clock }) => clock.own)).toEqual([true, false, true])
  })

  it('from before a hotfix was taken back goes with the merge that took it, not alone', () => {
    const waiting = [commit(0, { follows: false }), commit(1, { takesBack: true })]
    const { promote, commits } = judge(waiting, hourly(0, 24))
    expect(promote).toBeUndefined()
    expect(commits[0]?.waits).toEqual(['lacks what was released since: goes with the merge that took it in'])
    expect(judge(waiting, [...hourly(0, 24), well(25 * hour, 1)]).promote).toBe(sha(1))
  })

  it('that takes back what the release has needs one good look, and hands on what was earned', () => {
    const waiting = [commit(0), commit(1, { takesBack: true })]
    expect(judge(waiting, hourly(0, 23)).promote).toBeUndefined()
    expect(judge(waiting, [...hourly(0, 23), well(24 * hour, 1)]).promote).toBe(sha(1))
  })
})

describe('what stops the clock', () => {
  const before = hourly(0, 22)
  const stopped = (samples: Sample[], policy = rolloutPolicy) => judge([commit(0)], samples, policy)

  it('a regression in hour 23 loses what was earned', () => {
    const samples = [...before, { at: at(23 * hour), revision: sha(0), reasons: [bad] }, ...hourly(24, 25)]
    const { promote, commits } = stopped(samples)
    expect(promote).toBeUndefined()
    expect(commits[0]?.clock).toMatchObject({ soakedSec: 3600, stopped: { kind: 'node' } })
    expect(stopped([...samples, ...hourly(26, 48)]).promote).toBe(sha(0))
  })

  it('or only stands still, where the policy says so', () => {
    const samples = [...before, { at: at(23 * hour), revision: sha(0), reasons: [bad] }, ...hourly(24, 26)]
    const { commits } = stopped(samples, { ...rolloutPolicy, onRegression: 'stop' })
    expect(commits[0]?.clock.soakedSec).toBe(24 * 3600)
  })

  it('two ticks without a look are none, more are a gap that does not count', () => {
    const later = (hours: number) => [...before, well((22 + hours) * hour)]
    expect(stopped(later(2)).commits[0]?.clock.soakedSec).toBe(24 * 3600)
    expect(stopped(later(2.1)).commits[0]?.clock).toMatchObject({ soakedSec: 22 * 3600, stopped: { kind: 'gap' } })
    expect(stopped(later(2.1), { ...rolloutPolicy, onGap: 'restart' }).commits[0]?.clock.soakedSec).toBe(0)
  })

  it('evidence for another commit', () => {
    const samples = [...before, { ...well(23 * hour), revision: foreign }, well(24 * hour)]
    expect(stopped(samples).commits[0]?.clock).toMatchObject({ soakedSec: 0, stopped: { kind: 'other-commit' } })
  })

  it('what could not be asked, and Flux at work, count for nothing and lose nothing', () => {
    const unknown: Reason = { kind: 'unknown', detail: 'alerts-quiet: no answer' }
    const samples = [
      ...before,
      { ...well(23 * hour), reasons: [unknown] },
      { at: at(24 * hour), revision: null, reasons: [] },
    ]
    expect(stopped(samples).commits[0]?.clock).toMatchObject({ soakedSec: 22 * 3600, runs: false })
    expect(stopped([...samples, ...hourly(25, 27)]).promote).toBe(sha(0))
  })

  it('a clock that is behind earns nothing, but what it finds counts', () => {
    const limit = gapLimitMs(rolloutPolicy, 1)
    const stretches = before.reduce<ReturnType<typeof withSample>>((all, one) => withSample(all, one, limit), [])
    expect(withSample(stretches, well(10 * hour), limit)).toEqual(stretches)
    expect(withSample(stretches, { ...well(10 * hour), reasons: [bad] }, limit).at(-1)).toMatchObject({
      state: 'regressed',
      to: at(22 * hour),
    })
  })
})

it('labels come from the message and the subject; what k8sops.yaml does not know is none', () => {
  const policy = {
    ...rolloutPolicy,
    labels: [...rolloutPolicy.labels, { name: 'risky', hours: 72, subject: '^\\w+(\\(.*\\))?!:' }],
  }
  expect(labelsOf('feat(cilium)!: replace kube-proxy', ['hotfix', 'instant'], policy)).toEqual(['hotfix', 'risky'])
})

const kinds = ['kustomization', 'helmrelease', 'restarts', 'alert', 'node', 'gate', 'unknown', 'settling'] as const
const sampleArb = fc.record({
  stepMs: fc.oneof(
    { weight: 8, arbitrary: fc.constant(hour) },
    { weight: 2, arbitrary: fc.integer({ min: -hour, max: 4 * hour }) },
  ),
  /** A step forward on main, or a commit that is none of its. */
  go: fc.oneof(
    { weight: 24, arbitrary: fc.constant('stay') },
    { weight: 2, arbitrary: fc.constant('next') },
    { weight: 1, arbitrary: fc.constantFrom('foreign', 'mixed') },
  ),
  reason: fc.oneof({ weight: 16, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(...kinds) }),
})
const policyArb = fc.record({
  onRegression: fc.constantFrom('restart' as const, 'stop' as const),
  onGap: fc.constantFrom('restart' as const, 'stop' as const),
  soakHours: fc.integer({ min: 1, max: 6 }),
})
const labelled = fc.array(fc.constantFrom([], [], ['hotfix'], ['major']), { minLength: 4, maxLength: 4 })

function looksOf(raw: { stepMs: number; go: string; reason: (typeof kinds)[number] | null }[]): Sample[] {
  let [now, index] = [0, 0]
  return raw.map(({ stepMs, go, reason }) => {
    now += stepMs
    if (go === 'next') index = Math.min(index + 1, 3)
    const revision = go === 'foreign' ? foreign : go === 'mixed' ? null : sha(index)
    return { at: at(now), revision, reasons: reason ? [{ kind: reason, detail: '' }] : [] }
  })
}

/** Seconds between neighbouring good looks after whatever took them away last, look by look. */
function earnedSec(samples: Sample[], index: number, policy: RolloutPolicy): { earned: number; own: boolean } {
  let [earned, own, live] = [0, false, false]
  let before: Sample | undefined
  let latest = Number.NEGATIVE_INFINITY
  for (const one of samples) {
    const isGood = stateOf(one) === 'well'
    if (Date.parse(one.at) <= latest && isGood) continue
    latest = Math.max(latest, Date.parse(one.at))
    const has = one.revision !== null && contains(one.revision, sha(index))
    if (one.revision !== null && !has) {
      if (live) [earned, own, before] = [0, false, undefined]
      continue
    }
    live ||= has
    if (!live) continue
    if (stateOf(one) === 'regressed' && policy.onRegression === 'restart') [earned, own] = [0, false]
    if (!isGood) {
      before = undefined
      continue
    }
    const pause = before ? (Date.parse(one.at) - Date.parse(before.at)) / 1000 : 0
    if (pause <= 2 * policy.tickMinutes * 60) earned += pause
    else if (policy.onGap === 'restart') [earned, own] = [0, false]
    own ||= one.revision === sha(index)
    before = one
  }
  return { earned, own }
}

it('no commit is let go without its soak and that of all before it, whatever looks come', () => {
  let promoted = 0
  fc.assert(
    fc.property(fc.array(sampleArb, { minLength: 1, maxLength: 80 }), policyArb, labelled, (raw, changed, labels) => {
      const more = [
        { name: 'major', hours: 8 },
        { name: 'hotfix', hours: 1 },
      ]
      const policy: RolloutPolicy = { ...rolloutPolicy, ...changed, labels: more }
      const waiting = labels.map((of, index) => commit(index, { labels: [...of] }))
      const samples = looksOf(raw)
      const { promote, commits } = judge(waiting, samples, policy)
      for (const [index, { clock }] of commits.entries())
        expect(clock.soakedSec).toBeCloseTo(earnedSec(samples, index, policy).earned, 3)
      if (promote === undefined) return
      promoted += 1
      const last = Number(promote)
      for (let index = 0; index <= last; index += 1)
        expect(earnedSec(samples, index, policy).earned).toBeGreaterThanOrEqual(
          requiredSec(waiting[index] as WaitingCommit, policy, 1),
        )
      expect(earnedSec(samples, last, policy).own).toBe(true)
      expect(stateOf(samples.at(-1) as Sample)).toBe('well')
    }),
    { numRuns: 1500 },
  )
  // It would hold of a rule that lets nothing go.
  expect(promoted).toBeGreaterThan(50)
})

it('more bad looks never let a commit go that good ones alone would not', () => {
  fc.assert(
    fc.property(
      fc.array(sampleArb, { minLength: 1, maxLength: 60 }),
      fc.nat(),
      fc.constantFrom(...kinds),
      (raw, where, kind) => {
        const samples = looksOf(raw)
        const index = where % samples.length
        const worse = samples.map((one, number) =>
          number === index ? { ...one, reasons: [...one.reasons, { kind, detail: '' }] } : one,
        )
        const clock = (all: Sample[]) => {
          const limit = gapLimitMs(rolloutPolicy, 1)
          const stretches = all.reduce<ReturnType<typeof withSample>>((seen, one) => withSample(seen, one, limit), [])
          return clockOf(sha(0), stretches, (revision) => contains(revision, sha(0)), {
            policy: rolloutPolicy,
            timeScale: 1,
          })
        }
        expect(clock(worse).soakedSec).toBeLessThanOrEqual(clock(samples).soakedSec)
      },
    ),
    { numRuns: 600 },
  )
})
