/** `lab down`: ends a lab and takes its directory away. */
import { rm, rmdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, killProcess } from '../exec/process-info.ts'
import { callSupervisor } from './control-socket.ts'
import { lockLab } from './lock.ts'
import { sweep } from './processes.ts'
import { type LabRecord, writeRecord } from './record.ts'

export interface DownResult {
  /** It ran until now. */
  wasRunning: boolean
  /** Processes that had to be looked for: what a crash, or a supervisor that hung, left behind. */
  orphans: number
}

const stopDeadlineMs = 3_000

/**
 * @param keepState leaves the directory, so that `lab up` goes on from there
 * @throws LockedError while a `lab up` is at work on it; Error when a process doesn't end even after SIGKILL
 */
export async function labDown(record: LabRecord, keepState: boolean): Promise<DownResult> {
  const unlock = await lockLab(record.dir)
  try {
    return await end(record, keepState)
  } finally {
    unlock()
  }
}

async function end(record: LabRecord, keepState: boolean): Promise<DownResult> {
  const supervisor = record.supervisor
  const wasRunning = supervisor !== undefined && isAlive(supervisor)
  if (wasRunning) {
    // The answer may be cut off by its end; that it ends is what counts.
    await callSupervisor(record.dir, 'POST', '/stop').catch(() => {})
    const deadline = Date.now() + stopDeadlineMs
    while (isAlive(supervisor)) {
      // We aren't its parent, so nothing tells us.
      if (Date.now() > deadline) killProcess(supervisor)
      await delay(10)
    }
  }
  const orphans = await sweep(record.id)
  if (keepState) {
    const { supervisor: _, ...stopped } = record
    await writeRecord(stopped)
  } else {
    await rm(record.dir, { recursive: true, force: true })
    // The lab's name goes with its last cluster.
    await rmdir(dirname(record.dir)).catch(() => {})
  }
  return { wasRunning, orphans: wasRunning ? 0 : orphans.length }
}
