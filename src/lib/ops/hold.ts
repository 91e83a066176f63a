/** What is held open on purpose: read from the objects that it stands on. */
import { holdKeys } from '../tools/kubectl-hold.args.ts'
import type { Json, KubeObject } from '../types.ts'

export interface Hold {
  /** Empty where nobody left a note: suspended without k8sops. */
  id: string
  owner: string
  reason: string | null
  since: string | null
  until: string | null
  scope: string
  detached: boolean
}

/** The hold that an object carries in its annotations. */
export function holdOf({ metadata }: KubeObject): Hold | undefined {
  const annotations = metadata.annotations ?? {}
  const id = annotations[holdKeys.id]
  if (!id) return undefined
  return {
    id,
    owner: annotations[holdKeys.owner] ?? 'somebody',
    reason: annotations[holdKeys.reason] ?? null,
    since: annotations[holdKeys.since] ?? null,
    until: annotations[holdKeys.until] ?? null,
    scope: annotations[holdKeys.scope] ?? '',
    detached: annotations[holdKeys.detached] === 'true',
  }
}

/** An `until` that can't be read has passed: somebody damaged the note, and nothing may stay suspended for ever by that. */
export function isExpired({ until }: Hold, now: number): boolean {
  return until !== null && !(Date.parse(until) > now)
}

/** `jane@desk until 14:30Z: memory limit`, for tables. */
export function holderText(hold: Hold, now: number): string {
  const end = hold.until === null ? '' : isExpired(hold, now) ? ', expired' : ` until ${shortTime(hold.until, now)}`
  return `${hold.owner}${end}${hold.reason ? `: ${hold.reason}` : ''}`
}

/** The time of today, the date of another day, both in UTC. */
export function shortTime(iso: string, now: number): string {
  const time = new Date(iso)
  if (Number.isNaN(time.getTime())) return iso
  const text = time.toISOString()
  const today = text.slice(0, 10) === new Date(now).toISOString().slice(0, 10)
  return today ? `${text.slice(11, 16)}Z` : `${text.slice(0, 10)} ${text.slice(11, 16)}Z`
}

export const holdFields = (hold: Hold): { [key: string]: Json } => ({ ...hold })
