/** Events that Flux' controllers have left. Pure. */
import type { KubeObject } from '../types.ts'
import { type FluxKind, type FluxRow, fluxKinds } from './flux-view.ts'

interface WireEvent {
  involvedObject?: { kind?: string; namespace?: string; name?: string }
  type?: string
  reason?: string
  message?: string
  count?: number
  firstTimestamp?: string | null
  lastTimestamp?: string | null
  eventTime?: string | null
  series?: { count?: number; lastObservedTime?: string }
}

export interface EventFilter {
  /** Ids of Flux objects; undefined: all of them. */
  only: Set<string> | undefined
  /** Milliseconds since 1970. */
  after: number
  warnings: boolean
}

export function eventRows(cluster: string, events: KubeObject[], filter: EventFilter): FluxRow[] {
  return events.flatMap((object) => {
    const event = object as KubeObject & WireEvent
    const { kind = '', namespace = '', name = '' } = event.involvedObject ?? {}
    if (!fluxKinds.includes(kind as FluxKind)) return []
    const id = `${kind}/${namespace}/${name}`
    const at = event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.firstTimestamp ?? ''
    if (filter.only && !filter.only.has(id)) return []
    if (filter.warnings && event.type !== 'Warning') return []
    if (!(Date.parse(at) >= filter.after)) return []
    const { type = '', reason = '', message = '' } = event
    return [
      {
        cluster,
        at,
        type,
        object: id,
        reason,
        count: event.series?.count ?? event.count ?? 1,
        message: message.trim(),
      },
    ]
  })
}
