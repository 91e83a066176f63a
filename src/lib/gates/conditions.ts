/** Judges objects against an expectation. Pure: fixtures in test/fixtures/gates go through here. */
import type { KubeObject, Verdict } from '../types.ts'
import { countOf, listOf } from './fill.ts'
import type { Condition, Expectation, Tolerance } from './types.ts'

/** What is common to a Kubernetes object and a Talos resource. */
export type Observed = Pick<KubeObject, 'kind' | 'spec' | 'status' | 'data'> & {
  metadata: { name: string; namespace?: string; generation?: number; labels?: Record<string, string> }
}

/**
 * @param kind for the message when objects are missing
 * @param now milliseconds since 1970, for the age of what objects say
 */
export function judge(kind: string, objects: Observed[], expect: Expectation, now = Date.now()): Verdict {
  const { wanted, absent } = select(kind, objects, expect, now)
  const waitingFor = [...absent]
  const since: string[] = []
  let atWork = 0
  for (const object of wanted) {
    const open = expect.every.filter((condition) => reasonAgainst(object, condition, now) !== undefined)
    if (open[0]) waitingFor.push(`${titleOf(object)}: ${reasonAgainst(object, open[0], now)}`)
    else if (expect.atMost === 0) waitingFor.push(`${titleOf(object)} is still there`)
    if (open.length > 0 && open.every((condition) => isAtWork(object, condition))) atWork += 1
    since.push(...changesOf(object, expect, open.length > 0))
  }
  const least = countOf(expect.atLeast)
  if (wanted.length < least && absent.length === 0) {
    waitingFor.push(`${kind}: ${wanted.length} there, at least ${least} expected`)
  }
  if (waitingFor.length === 0) {
    const counted = wanted.length === 1 && wanted[0] ? titleOf(wanted[0]) : `${wanted.length} × ${kind}`
    return { status: 'pass', detail: counted, ...latest(since) }
  }
  const detail =
    waitingFor.length === 1 ? (waitingFor[0] ?? '') : `${waitingFor[0]} (and ${waitingFor.length - 1} more)`
  const settling = atWork === waitingFor.length ? { settling: true as const } : {}
  return { status: 'fail', detail, waitingFor, ...latest(since), ...settling }
}

/** Its controller is just looking at it, and has not said yet how it is: Flux does that every few minutes. */
function isAtWork(object: Observed, condition: Condition): boolean {
  if (!('condition' in condition)) return false
  const conditions = (valueAt(object, 'status.conditions') ?? []) as StatusCondition[]
  return conditions.some(({ type, status }) => type === condition.condition && status === 'Unknown')
}

/** The objects to look at, and a line for each that should be there and isn't. */
function select(
  kind: string,
  all: Observed[],
  expect: Expectation,
  now: number,
): { wanted: Observed[]; absent: string[] } {
  const { where = [], covering } = expect
  const objects = all.filter((object) => where.every((condition) => !reasonAgainst(object, condition, now)))
  const named = listOf(expect.named)
  const lacking = [...named, ...listOf(expect.including)].filter((name) => !objects.some((one) => isNamed(one, name)))
  const absent = lacking.map((name) => `${kind} ${name}: not there yet`)
  if (covering) {
    const values = listOf(covering.values)
    const found = (object: Observed) => textOf(valueAt(object, covering.path))
    const uncovered = values.filter((value) => !objects.some((object) => found(object) === value))
    return {
      wanted: objects.filter((object) => values.includes(found(object))),
      absent: [...absent, ...uncovered.map((value) => `${kind} with ${covering.path} ${value}: none there yet`)],
    }
  }
  const wanted = named.length > 0 ? objects.filter((object) => named.some((name) => isNamed(object, name))) : objects
  return { wanted, absent }
}

/** Why an object fails one condition, or undefined when it holds. */
export function reasonAgainst(object: Observed, condition: Condition, now = Date.now()): string | undefined {
  if ('condition' in condition) return conditionReason(object, condition.condition, condition.is)
  if ('observed' in condition) {
    const seen = valueAt(object, 'status.observedGeneration')
    const current = object.metadata.generation
    return seen === current && current !== undefined ? undefined : unseen(current, seen)
  }
  const { path } = condition
  const value = valueAt(object, path)
  const text = textOf(value)
  if ('in' in condition) {
    const allowed = condition.in.flatMap(listOf)
    if (allowed.includes(text)) return undefined
    if (condition.tolerating?.value === text) return intolerable(object, path, condition.tolerating)
    return `${path} is ${text || 'empty'}, not ${allowed.join(' or ')}`
  }
  if ('notIn' in condition) return condition.notIn.flatMap(listOf).includes(text) ? `${path} is ${text}` : undefined
  if ('has' in condition) {
    const lacking = listOf(condition.has).filter((key) => !(value as Record<string, unknown> | undefined)?.[key])
    return lacking.length > 0 ? `${path} lacks ${lacking.join(', ')}` : undefined
  }
  if ('empty' in condition) return isEmpty(value) ? undefined : `${path} has ${oneLine(text)}`
  if ('youngerThanSec' in condition) return ageReason(path, text, condition.youngerThanSec, now)
  if ('notBefore' in condition)
    return Date.parse(text) >= Date.parse(condition.notBefore)
      ? undefined
      : `${path} is ${text || 'empty'}, before ${condition.notBefore}`
  if ('dueForSec' in condition) return dueReason(path, text, condition.dueForSec, now)
  if ('equalsPath' in condition) {
    const other = textOf(valueAt(object, condition.equalsPath))
    if (text !== '' && text === other) return undefined
    return `${path} is ${text || 'empty'}, ${condition.equalsPath} is ${other || 'empty'}`
  }
  if ('atLeast' in condition) {
    const { atLeast } = condition
    return typeof value === 'number' && value >= atLeast ? undefined : `${path} is ${text || 'empty'}, not ${atLeast}`
  }
  const least = Number(valueAt(object, condition.atLeastPath) ?? 0)
  const have = Number(value ?? 0)
  if (least < 1) return `${condition.atLeastPath} is ${least}`
  return have >= least ? undefined : `${path} is ${have} of ${least}`
}

/** The reasons that nobody tolerates, or that there is none to tolerate. */
function intolerable(object: Observed, path: string, { value, reasons, named }: Tolerance): string | undefined {
  const given = valueAt(object, reasons)
  const entries = typeof given === 'object' && given !== null ? Object.entries(given) : []
  if (entries.length === 0) return `${path} is ${value} and names no reason`
  const others = entries.filter(([reason]) => !listOf(named).includes(reason))
  if (others.length === 0) return undefined
  return `${path} is ${value}: ${others.map(([reason, about]) => `${reason}${messageOf(about)}`).join(', ')}`
}

function messageOf(about: unknown): string {
  const message = (about as { message?: unknown } | null)?.message
  return typeof message === 'string' ? ` (${oneLine(message, 80)})` : ''
}

function ageReason(path: string, text: string, limitSec: number, now: number): string | undefined {
  const ageSec = (now - Date.parse(text)) / 1000
  if (Number.isNaN(ageSec)) return `${path} is ${text || 'empty'}, no time`
  if (ageSec > limitSec) return `${path} is ${Math.round(ageSec)} s ago, more than ${limitSec} s`
  if (ageSec < -limitSec) return `${path} is ${Math.round(-ageSec)} s in the future: a clock is wrong`
  return undefined
}

function dueReason(path: string, text: string, graceSec: number, now: number): string | undefined {
  const overdueSec = (now - Date.parse(text)) / 1000
  if (Number.isNaN(overdueSec)) return `${path} is ${text || 'empty'}, no time`
  return overdueSec > graceSec ? `${path} was ${Math.round(overdueSec)} s ago, and nothing came of it` : undefined
}

const isEmpty = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === '' ||
  (typeof value === 'object' && Object.keys(value).length === 0)

const unseen = (current: unknown, seen: unknown) =>
  `the controller has not seen the current spec yet (generation ${current}, seen ${seen ?? 'none'})`

interface StatusCondition {
  type: string
  status: string
  reason?: string
  message?: string
  observedGeneration?: number
  lastTransitionTime?: string
}

function conditionReason(object: Observed, type: string, is: string): string | undefined {
  const conditions = valueAt(object, 'status.conditions') as StatusCondition[] | undefined
  const found = conditions?.find((condition) => condition.type === type)
  if (!found) return `no ${type} condition yet`
  const { generation = 0 } = object.metadata
  const judged = found.observedGeneration
  if (judged !== undefined && judged < generation)
    return `${type} was judged for generation ${judged}, now it is ${generation}`
  // One that names no generation is as old as the status that it is part of.
  const seen = valueAt(object, 'status.observedGeneration')
  if (judged === undefined && typeof seen === 'number' && seen < generation) return unseen(generation, seen)
  if (found.status === is) return undefined
  return oneLine(found.message) || found.reason || `${type} is ${found.status}`
}

/** When the conditions that decide about an object last changed: of one that does not hold, those that don't. */
function changesOf(object: Observed, expect: Expectation, failing: boolean): string[] {
  const conditions = (valueAt(object, 'status.conditions') ?? []) as StatusCondition[]
  return expect.every.flatMap((one) => {
    if (!('condition' in one)) return []
    const found = conditions.find(({ type }) => type === one.condition)
    return found?.lastTransitionTime && (found.status !== one.is) === failing ? [found.lastTransitionTime] : []
  })
}

/** What is true since the last of several changes. */
function latest(times: string[]): { since?: string } {
  const since = times.toSorted().at(-1)
  return since === undefined ? {} : { since }
}

/** What stands at a dotted path; a segment in brackets may itself contain dots. */
export function valueAt(object: unknown, path: string): unknown {
  const segments = path.match(/[^.[\]]+|\[[^\]]*\]/g) ?? []
  let value = object
  for (const segment of segments) {
    const key = segment.startsWith('[') ? segment.slice(1, -1) : segment
    value = (value as Record<string, unknown> | null | undefined)?.[key]
  }
  return value
}

function isNamed(object: Observed, name: string): boolean {
  return name.includes('/')
    ? `${object.metadata.namespace ?? ''}/${object.metadata.name}` === name
    : object.metadata.name === name
}

export function titleOf(object: Observed): string {
  const { namespace, name } = object.metadata
  return `${object.kind} ${namespace ? `${namespace}/` : ''}${name}`
}

/** Messages of controllers can be pages long; a waiting line is read at a glance. */
export function oneLine(text: string | undefined, longest = 160): string {
  const line = (text ?? '').replace(/\s+/g, ' ').trim()
  return line.length > longest ? `${line.slice(0, longest - 1)}…` : line
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
