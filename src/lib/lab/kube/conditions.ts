/** Status conditions as Kubernetes controllers keep them. */
import type { KubeObject } from '../../types.ts'

export interface Condition {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason: string
  message: string
  lastTransitionTime?: string
  observedGeneration?: number
}

export function conditionsOf(object: KubeObject): Condition[] {
  return (object.status?.conditions ?? []) as Condition[]
}

export function isTrue(object: KubeObject, type: string): boolean {
  return conditionsOf(object).some((condition) => condition.type === type && condition.status === 'True')
}

/**
 * The conditions that an object should have: those given, with the transition time kept where the status didn't change.
 * Conditions that are not given are dropped.
 */
export function nextConditions(object: KubeObject, wanted: Condition[]): Condition[] {
  const before = conditionsOf(object)
  return wanted.map((condition) => {
    const same = before.find(({ type, status }) => type === condition.type && status === condition.status)
    return {
      ...condition,
      observedGeneration: object.metadata.generation ?? 1,
      lastTransitionTime: same?.lastTransitionTime ?? now(),
    }
  })
}

/** RFC 3339 without fractions, as metav1.Time is written. */
export function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`
}

/** Whether the fields of `wanted` are already so in the object's status; spares a write that would wake every watcher. */
export function statusHolds(object: KubeObject, wanted: { [key: string]: unknown }): boolean {
  return Object.entries(wanted).every(([key, value]) => equal(object.status?.[key], value))
}

/** Deep equality; a field that is missing, undefined or null is the same, as in a merge patch. */
function equal(a: unknown, b: unknown): boolean {
  if (a === b || ((a ?? null) === null && (b ?? null) === null)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b || Array.isArray(a) !== Array.isArray(b)) return false
  if (Array.isArray(a) && a.length !== (b as unknown[]).length) return false
  const [left, right] = [a as Record<string, unknown>, b as Record<string, unknown>]
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].every((key) => equal(left[key], right[key]))
}
