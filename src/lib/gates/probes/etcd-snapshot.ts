import type { Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'

/** The way back when everything else fails: taken before the first machine is touched. */
export function etcdSnapshotProbes(ports: GatePorts): Record<'etcd-snapshot-fresh', Probe> {
  return {
    /** The file at `path` is a whole snapshot of at most `maxAgeSec`. */
    async 'etcd-snapshot-fresh'({ path = '', maxAgeSec }, signal): Promise<Verdict> {
      const limitSec = Number(maxAgeSec)
      const snapshot = await ports.etcdSnapshot(path, signal)
      if (!snapshot.ok) return { status: 'fail', detail: snapshot.detail }
      const ageSec = Math.round((ports.now() - snapshot.value.takenAt.getTime()) / 1000)
      const size = `${(snapshot.value.bytes / 1e6).toFixed(1)} MB`
      if (ageSec <= limitSec && ageSec >= -limitSec)
        return { status: 'pass', detail: `${path} is whole (${size}), taken ${Math.max(ageSec, 0)} s ago` }
      if (ageSec < 0)
        return { status: 'fail', detail: `${path} was taken ${-ageSec} s in the future: a clock is wrong` }
      return { status: 'fail', detail: `${path} was taken ${ageSec} s ago, more than ${maxAgeSec} s` }
    },
  }
}
