/**
 * `volsync snapshots`: what a repository has, as restic itself said after the last save: its mover prints what it keeps (restic 0.18, `forget`).
 * Nothing has to be started for that, and nobody needs the repository's keys. Pure.
 */
import type { Json } from '../types.ts'

export interface KeptSnapshot {
  /** As restic shortens it. */
  id: string
  /** RFC 3339; movers have no time zone of their own. */
  takenAt: string
  /** Why the policy keeps it: `hourly`, `daily`. */
  kept: string[]
}

/** A line of a mover. */
export interface MoverLine {
  pod: string
  message: string
}

const row = /^([0-9a-f]{8,})\s+(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)\s/
const reason = /\b(last|hourly|daily|weekly|monthly|yearly|within \S+) snapshot\b/

/**
 * What the newest mover among the lines has kept, newest first: VolSync looks at snapshots of /data only. Undefined when it printed no such list
 * (it did not come so far, or nothing says what is to be kept).
 */
export function keptSnapshots(lines: MoverLine[]): KeptSnapshot[] | undefined {
  const listing = lines.findLast(({ message }) => isKeepTitle(message))
  if (!listing) return undefined
  const kept: KeptSnapshot[] = []
  let keeps = false
  for (const { message } of lines.filter(({ pod }) => pod === listing.pod)) {
    if (isKeepTitle(message)) keeps = true
    else if (/^remove \d+ snapshots?/.test(message.trim())) keeps = false
    if (!keeps) continue
    const why = reason.exec(message)?.[1]
    const [, id, date, time] = row.exec(message) ?? []
    if (id && /\s\/data(\s|$)/.test(message)) kept.push({ id, takenAt: `${date}T${time}Z`, kept: why ? [why] : [] })
    // A snapshot that is kept for several reasons has a line for each.
    else if (!id && why) kept.at(-1)?.kept.push(why)
  }
  return kept.toSorted((left, right) => right.takenAt.localeCompare(left.takenAt))
}

const isKeepTitle = (message: string): boolean => /^keep \d+ snapshots?/.test(message.trim())

/** The one that a ReplicationSource's status tells of, where there are no logs. */
export function lastSnapshot(logs: string | undefined, lastSyncTime: string | undefined): KeptSnapshot[] {
  const id = /^snapshot ([0-9a-f]{8,}) saved$/m.exec(logs ?? '')?.[1]
  return id && lastSyncTime ? [{ id, takenAt: lastSyncTime, kept: [] }] : []
}

/** `previous` is what `volsync restore --previous` takes for it. */
export const snapshotRows = (cluster: string, snapshots: KeptSnapshot[]): { [key: string]: Json }[] =>
  snapshots.map((one, previous) => ({ cluster, previous, ...one }))
