/** The weekly health report: what was asked, held against what the PRD wants. Pure; commands/report.ts reads. */
import type { Json } from '../types.ts'
import type { StatusRow } from './cluster-status.ts'
import type { FigureQuestion, TopQuestion, TrendQuestion, Unit } from './report-questions.ts'

export interface Figure {
  id: string
  title: string
  unit: Unit
  /** Null where nothing is known. */
  value: number | null
  text: string
  /** What the PRD wants of it, `at least 99.9 % (NFR17)`. */
  target: string | null
  /** Undecided where nothing is known or wanted. */
  met: boolean | null
}

export interface Trend {
  id: string
  title: string
  unit: Unit
  limit: number
  /** Seconds since 1970 and value. */
  points: [at: number, value: number][]
  last: number | null
  /** By a straight line through all of it. */
  perDay: number | null
  /** Until the limit, if it goes on like that; null when it does not rise, or leads there only after two years. */
  daysLeft: number | null
  text: string
}

export interface Top {
  id: string
  title: string
  unit: Unit
  rows: { name: string; value: number; text: string }[]
}

export interface Change {
  commit: string
  /** RFC 3339. */
  at: string
  author: string
  subject: string
}

export interface ClusterReport {
  name: string
  /** Git ref that the cluster follows. */
  follows: string
  figures: Figure[]
  trends: Trend[]
  tops: Top[]
  /** As it is now. */
  status: Pick<StatusRow, 'name' | 'state' | 'summary' | 'next'>[]
  /** What came to the ref that it follows. */
  changes: Change[]
  /** What could not be asked, and why. */
  gaps: string[]
}

export interface Report {
  /** RFC 3339. */
  from: string
  to: string
  clusters: ClusterReport[]
}

export interface Sample {
  labels: Record<string, string>
  points: [at: number, value: number][]
}

export function figureOf(question: FigureQuestion, answer: Sample[] | undefined, rangeSec: number): Figure {
  const { id, title, unit, target, perDay } = question
  const told = answer?.[0]?.points.at(-1)?.[1]
  const value = told === undefined || !Number.isFinite(told) ? null : perDay ? (told * 86_400) / rangeSec : told
  const met =
    value === null || !target
      ? null
      : (target.atLeast === undefined || value >= target.atLeast) &&
        (target.atMost === undefined || value <= target.atMost)
  return { id, title, unit, value, text: valueText(value, unit), target: target ? targetText(target, unit) : null, met }
}

function targetText({ requirement, atLeast, atMost }: NonNullable<FigureQuestion['target']>, unit: Unit): string {
  const bound =
    atLeast === undefined ? `at most ${valueText(atMost ?? 0, unit)}` : `at least ${valueText(atLeast, unit)}`
  return `${bound} (${requirement})`
}

export function topOf({ id, title, unit, by }: TopQuestion, answer: Sample[] | undefined): Top {
  const rows = (answer ?? []).flatMap(({ labels, points }) => {
    const value = points.at(-1)?.[1]
    const name = by.map((label) => labels[label] ?? '').join('/')
    return value === undefined || !Number.isFinite(value) ? [] : [{ name, value, text: valueText(value, unit) }]
  })
  return { id, title, unit, rows: rows.toSorted((a, b) => b.value - a.value || a.name.localeCompare(b.name)) }
}

const farDays = 730

export function trendOf({ id, title, unit, limit }: TrendQuestion, answer: Sample[] | undefined): Trend {
  const points = (answer?.[0]?.points ?? []).filter(([, value]) => Number.isFinite(value))
  const last = points.at(-1)?.[1] ?? null
  const perDay = slopePerDay(points)
  const days = last === null || perDay === null || perDay <= 0 ? null : Math.max(0, (limit - last) / perDay)
  const daysLeft = days === null || days > farDays ? null : Math.round(days)
  const text = trendText({ last, perDay, daysLeft, limit, unit })
  return { id, title, unit, limit, points, last, perDay, daysLeft, text }
}

/** Least squares; null below two different times. */
export function slopePerDay(points: [at: number, value: number][]): number | null {
  const count = points.length
  const meanAt = points.reduce((sum, [at]) => sum + at, 0) / count
  const meanValue = points.reduce((sum, [, value]) => sum + value, 0) / count
  let above = 0
  let below = 0
  for (const [at, value] of points) {
    above += (at - meanAt) * (value - meanValue)
    below += (at - meanAt) ** 2
  }
  return count < 2 || below === 0 ? null : (above / below) * 86_400
}

/** Lines of `git log --format=%H%x09%cI%x09%an%x09%s`. */
export function parseChanges(log: string): Change[] {
  return log
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      const [commit = '', at = '', author = '', ...subject] = line.split('\t')
      return { commit, at, author, subject: subject.join('\t') }
    })
}

/** `99.95 %`, `12.3`, `4.2 s`; a dash for what is not known. */
export function valueText(value: number | null, unit: Unit): string {
  if (value === null) return '–'
  if (unit === 'part') return `${Number((value * 100).toFixed(value > 0.99 && value < 1 ? 3 : 1))} %`
  const short = String(Number(value.toFixed(Math.abs(value) < 10 ? 2 : 0)))
  return unit === 'seconds' ? `${short} s` : short
}

/** `rises 1.2 % a day: 85 % in 31 days` */
function trendText({ last, perDay, daysLeft, limit, unit }: Omit<Trend, 'id' | 'title' | 'points' | 'text'>): string {
  if (last === null) return 'nothing is known'
  const step = perDay ?? 0
  const moves =
    Math.abs(step) < 0.0005 ? 'steady' : `${step > 0 ? 'rises' : 'falls'} ${valueText(Math.abs(step), unit)} a day`
  const ends =
    daysLeft === null ? '' : `: ${valueText(limit, unit)} ${daysLeft === 0 ? 'is reached' : `in ${daysLeft} days`}`
  return `${valueText(last, unit)}, ${moves}${ends}`
}

/** For -o and --format json. */
export const reportFields = ({ from, to, clusters }: Report): { [key: string]: Json } => ({
  from,
  to,
  clusters: clusters as unknown as Json,
})
