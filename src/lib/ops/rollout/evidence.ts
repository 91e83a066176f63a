/**
 * What was seen of the first cluster, one look after the other, each bound to the commit that Flux had applied everywhere. Looks that
 * say the same are kept as one stretch, so that the record stays small however often somebody looks.
 */
import type { RolloutPolicy } from '../../types.ts'

/** Why a look is no evidence. The first six are regressions; `unknown`: something could not be asked; `settling`: Flux is at work. */
export type ReasonKind =
  | 'kustomization'
  | 'helmrelease'
  | 'restarts'
  | 'alert'
  | 'node'
  | 'gate'
  | 'unknown'
  | 'settling'

export interface Reason {
  kind: ReasonKind
  detail: string
}

export interface Sample {
  /** RFC 3339. */
  at: string
  /** The commit that every Kustomization has applied; null when they have not come to the same one. */
  revision: string | null
  reasons: Reason[]
}

export type State = 'well' | 'regressed' | 'unknown'

export interface Stretch {
  state: State
  revision: string | null
  /** Of the first look, RFC 3339. */
  from: string
  /** Of the last one. */
  to: string
  samples: number
  /** Empty when it is well. */
  reasons: Reason[]
}

const regressions: ReadonlySet<ReasonKind> = new Set([
  'kustomization',
  'helmrelease',
  'restarts',
  'alert',
  'node',
  'gate',
])

export function stateOf({ revision, reasons }: Pick<Sample, 'revision' | 'reasons'>): State {
  if (reasons.some(({ kind }) => regressions.has(kind))) return 'regressed'
  return reasons.length > 0 || revision === null ? 'unknown' : 'well'
}

/** Longest time between two looks that is no gap (ms). @param timeScale of the target: 1 for real clusters */
export const gapLimitMs = ({ tickMinutes }: Pick<RolloutPolicy, 'tickMinutes'>, timeScale: number): number =>
  2 * tickMinutes * 60_000 * timeScale

/** So many stretches are kept; to forget the oldest ones can only make the soak shorter. */
const longest = 200
/** Of the stretches before these only the kinds of reasons are kept: all of it has to go into one request. */
const detailed = 12

/**
 * The record with one more look. A look that is not later than the last one (two machines' clocks) earns nothing, but what it found amiss
 * counts.
 */
export function withSample(stretches: Stretch[], sample: Sample, limitMs: number): Stretch[] {
  const last = stretches.at(-1)
  const state = stateOf(sample)
  const late = last !== undefined && Date.parse(sample.at) <= Date.parse(last.to)
  if (late && state === 'well') return stretches
  const at = late ? last.to : sample.at
  const reasons = state === 'well' ? [] : shortened(sample.reasons)
  const near = last !== undefined && Date.parse(at) - Date.parse(last.to) <= limitMs
  if (last && near && saysSame(last, { state, revision: sample.revision, reasons }))
    return [...stretches.slice(0, -1), { ...last, to: at, samples: last.samples + 1, reasons }]
  const next: Stretch = { state, revision: sample.revision, from: at, to: at, samples: 1, reasons }
  return [...stretches.slice(0, 1 - detailed).map(withoutDetails), ...stretches.slice(1 - detailed), next].slice(
    -longest,
  )
}

/** One of a kind, with how many more there were. */
function shortened(reasons: Reason[]): Reason[] {
  return [...Map.groupBy(reasons, ({ kind }) => kind)].map(([kind, [first, ...more]]) => {
    const text = first?.detail.replaceAll(/\s+/g, ' ') ?? ''
    const detail = text.length > 160 ? `${text.slice(0, 160)}…` : text
    return { kind, detail: more.length > 0 ? `${detail} (and ${more.length} more)` : detail }
  })
}

export const withoutDetails = (stretch: Stretch): Stretch => ({
  ...stretch,
  reasons: stretch.reasons.map(({ kind }) => ({ kind, detail: '' })),
})

type Said = Pick<Stretch, 'state' | 'revision' | 'reasons'>

/** Details change from look to look (a message with a time in it): what kind it is makes the stretch. */
function saysSame(before: Said, now: Said): boolean {
  const kinds = ({ reasons }: Said) => [...new Set(reasons.map(({ kind }) => kind))].toSorted().join()
  return before.state === now.state && before.revision === now.revision && kinds(before) === kinds(now)
}

export const reasonText = ({ kind, detail }: Reason): string => (kind === 'unknown' ? `can't tell: ${detail}` : detail)
