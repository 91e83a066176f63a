/** What restic would keep, as far as VolSync looks at it: which snapshots a repository has, and which of them a restore takes. No data. */
import { createHash } from 'node:crypto'

export interface Snapshot {
  /** Eight hexadecimal digits, as restic shortens its own. */
  id: string
  /** Milliseconds since 1970. */
  takenAt: number
}

/** By where they are, as a Secret's RESTIC_REPOSITORY says it. */
export interface Repositories {
  /** The snapshots of one, oldest first. */
  of(repository: string): Snapshot[]
  /** One more, of now. @param lastSync when the source last synchronised, as its status says */
  save(repository: string, lastSync: unknown): Snapshot
  /** One of an earlier cluster, in a repository that this one has not written yet. */
  inherit(repository: string): void
}

/** Of this lab's time: a supervisor that starts anew knows of a source only what its status says. */
export function createRepositories(now: () => number = Date.now): Repositories {
  const known = new Map<string, Snapshot[]>()
  const of = (repository: string): Snapshot[] => known.get(repository) ?? []
  const add = (repository: string, takenAt: number): Snapshot => {
    const before = of(repository)
    const id = createHash('sha256').update(`${repository} ${takenAt} ${before.length}`).digest('hex').slice(0, 8)
    const made = { id, takenAt }
    known.set(repository, [...before, made])
    return made
  }
  return {
    of,
    inherit(repository) {
      if (of(repository).length === 0) add(repository, now() - 3_600_000)
    },
    save(repository, lastSync) {
      const last = Date.parse(String(lastSync ?? ''))
      if (of(repository).length === 0 && !Number.isNaN(last)) add(repository, last)
      return add(repository, now())
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
