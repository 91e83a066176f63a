/** An operator on a machine of his own, as a process: takes the lock of a run when he is told to, and says what he got. */
import { closeSync, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { takeRunLock } from '../../src/lib/engine/lock.ts'
import type { RunLock } from '../../src/lib/engine/ports.ts'
import { OperatorError } from '../../src/lib/errors.ts'
import { processes } from '../../src/lib/exec/process-info.ts'
import { createLeasePort } from '../../src/lib/kube/lease.ts'

export interface LockOrder {
  do: 'take' | 'release'
  trial: number
  scope: string
}

export interface LockReport {
  trial: number
  state: 'held' | 'refused' | 'released'
  exitCode?: number
  /** Somebody else was at work, whatever the lock says. */
  notAlone?: boolean
}

const [me = '', dir = '', kubeconfig = '', context = ''] = process.argv.slice(2)
const lease = createLeasePort({ kubeconfig, context })
const held = new Map<number, RunLock>()
const inside = (scope: string) => join(dir, `inside-${scope.replace('/', '-')}`)
const tell = (report: LockReport) => process.send?.(report)

async function take({ trial, scope }: LockOrder): Promise<void> {
  try {
    const lock = await takeRunLock({
      dir: join(dir, me),
      cluster: 'apps',
      scope,
      operation: 'race',
      runId: `${me}-${trial}`,
      // Another machine: neither its files nor its processes can be seen from here.
      processes: { ...processes, self: () => ({ ...processes.self(), space: me, who: `${me}@${me}` }) },
      lease,
      signal: new AbortController().signal,
      onChange: () => {},
    })
    await lock.beforeWrite('race')
    held.set(trial, lock)
    // The file system says so independently of the lock.
    let notAlone = false
    try {
      closeSync(openSync(inside(scope), 'wx'))
    } catch {
      notAlone = true
    }
    tell({ trial, state: 'held', notAlone })
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    tell({ trial, state: 'refused', exitCode: error.exitCode })
  }
}

async function release({ trial, scope }: LockOrder): Promise<void> {
  rmSync(inside(scope), { force: true })
  await held.get(trial)?.release()
  held.delete(trial)
  tell({ trial, state: 'released' })
}

process.on('message', (order: LockOrder) => void (order.do === 'take' ? take(order) : release(order)))
process.on('disconnect', () => process.exit(0))
