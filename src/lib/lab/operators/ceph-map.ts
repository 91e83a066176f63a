/** What the lab's Ceph knows beyond its pods: who is out of its map, how far its data have moved, and what a purged OSD has left on its disk. */
import type { Lab } from '../types.ts'

/** Seconds at pace 1 that data take to move. */
const rebalanceSec = 20
const leastMs = 1500
const groups = 97

export interface CephMap {
  /** Numbers of the OSDs that are out. */
  out: Set<string>
  /** Nodes with an OSD, as the Deployments say. */
  hosts: Set<string>
  /** Nodes whose disk still carries an OSD that was purged. */
  left: Set<string>
  /** An OSD has come or gone, in or out: data begin to move. */
  moved(): void
  /** Placement groups that are not where they belong, and since when (ms since 1970) nothing has moved. */
  progress(): { left: number; since: number }
}

const maps = new WeakMap<Lab, CephMap>()

/** One for each lab: Ceph goes on while Rook's operator is away. */
export function cephMap(lab: Lab): CephMap {
  const known = maps.get(lab) ?? newMap(lab)
  maps.set(lab, known)
  return known
}

function newMap(lab: Lab): CephMap {
  const lengthMs = Math.max(leastMs, rebalanceSec * 1000 * lab.spec.pace)
  let leftMs = 0
  let lookedAt = Date.now()
  let since = lookedAt
  // Fault ceph-rebalance-stalls: time goes by, and nothing moves.
  const advance = () => {
    const now = Date.now()
    if (leftMs > 0 && !lab.faults.active('ceph-rebalance-stalls')) {
      leftMs = Math.max(0, leftMs - (now - lookedAt))
      since = now
    }
    lookedAt = now
  }
  return {
    out: new Set(),
    hosts: new Set(),
    left: new Set(),
    moved() {
      advance()
      leftMs = lengthMs
      since = Date.now()
    },
    progress() {
      advance()
      return { left: Math.ceil((leftMs / lengthMs) * groups), since }
    },
  }
}
