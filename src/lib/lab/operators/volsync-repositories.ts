/** What restic would keep, as far as VolSync looks at it: which snapshots a repository has, and which of them a restore takes. No data. */
import { createHash } from 'node:crypto'
import type { KubeObject } from '../../types.ts'

export interface Snapshot {
  /** Eight hexadecimal digits, as restic shortens its own. */
  id: string
  /** Milliseconds since 1970. */
  takenAt: number
}

export interface Repositories {
  /** The snapshots of an object's repository, oldest first. */
  of(object: KubeObject): Snapshot[]
  /** One more, of now. */
  save(source: KubeObject): Snapshot
}

/** Of this lab's time: a supervisor that starts anew knows of a source only what its status says. */
export function createRepositories(now: () => number = Date.now): Repositories {
  const known = new Map<string, Snapshot[]>()
  const keyOf = ({ metadata, spec }: KubeObject) =>
    `${metadata.namespace}/${(spec?.restic as { repository?: string } | undefined)?.repository ?? ''}`
  const of = (object: KubeObject): Snapshot[] => known.get(keyOf(object)) ?? []
  const add = (object: KubeObject, takenAt: number): Snapshot => {
    const before = of(object)
    const id = createHash('sha256')
      .update(`${keyOf(object)} ${takenAt} ${before.length}`)
      .digest('hex')
      .slice(0, 8)
    const made = { id, takenAt }
    known.set(keyOf(object), [...before, made])
    return made
  }
  return {
    of,
    save(source) {
      const last = Date.parse(String(source.status?.lastSyncTime ?? ''))
      if (of(source).length === 0 && !Number.isNaN(last)) add(source, last)
      return add(source, now())
    },
  }
}

/**
 * Restic's mover (VolSync 0.15, mover-restic/entry.sh) goes back from the newest to the first that is not younger than `restoreAsOf`, and then
 * `previous` further; by whole seconds.
 * @returns undefined when there is none so old, which the mover takes for a restore that went well
 */
export function selectSnapshot(
  snapshots: Snapshot[],
  { restoreAsOf, previous = 0 }: { restoreAsOf?: string; previous?: number },
): Snapshot | undefined {
  const latest = restoreAsOf === undefined ? Number.POSITIVE_INFINITY : Math.floor(Date.parse(restoreAsOf) / 1000)
  const fitting = snapshots.filter(({ takenAt }) => Math.floor(takenAt / 1000) <= latest)
  return fitting.at(-1 - previous)
}
