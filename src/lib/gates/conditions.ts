/** Judges objects against an expectation. Pure: fixtures in test/fixtures/gates go through here. */
import type { KubeObject, Verdict } from '../types.ts'
import { listOf } from './fill.ts'
import type { Condition, Expectation } from './types.ts'

/** What is common to a Kubernetes object and a Talos resource. */
export type Observed = Pick<KubeObject, 'kind' | 'spec' | 'status' | 'data'> & {
  metadata: { name: string; namespace?: string; generation?: number; labels?: Record<string, string> }
}

/** @param kind for the message when objects are missing */
export function judge(kind: string, objects: Observed[], expect: Expectation): Verdict {
  const { wanted, absent } = select(kind, objects, expect)
  const waitingFor = [...absent]
  for (const object of wanted) {
    const reasons = expect.every.flatMap((condition) => reasonAgainst(object, condition) ?? [])
    if (reasons[0]) waitingFor.push(`${titleOf(object)}: ${reasons[0]}`)
  }
  if (wanted.length < expect.atLeast && absent.length === 0) {
    waitingFor.push(`${kind}: ${wanted.length} there, at least ${expect.atLeast} expected`)
  }
  if (waitingFor.length === 0) {
    const counted = wanted.length === 1 && wanted[0] ? titleOf(wanted[0]) : `${wanted.length} × ${kind}`
    return { status: 'pass', detail: counted }
  }
  const detail =
    waitingFor.length === 1 ? (waitingFor[0] ?? '') : `${waitingFor[0]} (and ${waitingFor.length - 1} more)`
  return { status: 'fail', detail, waitingFor }
}

/** The objects to look at, and a line for each that should be there and isn't. */
function select(kind: string, objects: Observed[], expect: Expectation): { wanted: Observed[]; absent: string[] } {
  const named = listOf(expect.named)
  const lacking = [...named, ...listOf(expect.including)].filter((name) => !objects.some((one) => isNamed(one, name)))
  const absent = lacking.map((name) => `${kind} ${name}: not there yet`)
  const { covering } = expect
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
export function reasonAgainst(object: Observed, condition: Condition): string | undefined {
  if ('condition' in condition) return conditionReason(object, condition.condition, condition.is)
  if ('observed' in condition) {
    const seen = valueAt(object, 'status.observedGeneration')
    const current = object.metadata.generation
    return seen === current
      ? undefined
      : `the controller has not seen the current spec yet (generation ${current}, seen ${seen ?? 'none'})`
  }
  const value = valueAt(object, condition.path)
  const text = textOf(value)
  if ('in' in condition) {
    return condition.in.includes(text)
      ? undefined
      : `${condition.path} is ${text || 'empty'}, not ${condition.in.join(' or ')}`
  }
  if ('notIn' in condition) return condition.notIn.includes(text) ? `${condition.path} is ${text}` : undefined
  if ('has' in condition) {
    const lacking = listOf(condition.has).filter((key) => !(value as Record<string, unknown> | undefined)?.[key])
    return lacking.length > 0 ? `${condition.path} lacks ${lacking.join(', ')}` : undefined
  }
  const least = Number(valueAt(object, condition.atLeastPath) ?? 0)
  const have = Number(value ?? 0)
  if (least < 1) return `${condition.atLeastPath} is ${least}`
  return have >= least ? undefined : `${condition.path} is ${have} of ${least}`
}

interface StatusCondition {
  type: string
  status: string
  reason?: string
  message?: string
  observedGeneration?: number
}

function conditionReason(object: Observed, type: string, is: string): string | undefined {
  const conditions = valueAt(object, 'status.conditions') as StatusCondition[] | undefined
  const found = conditions?.find((condition) => condition.type === type)
  if (!found) return `no ${type} condition yet`
  const old = found.observedGeneration !== undefined && found.observedGeneration < (object.metadata.generation ?? 0)
  if (old)
    return `${type} was judged for generation ${found.observedGeneration}, now it is ${object.metadata.generation}`
  if (found.status === is) return undefined
  return oneLine(found.message) || found.reason || `${type} is ${found.status}`
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
