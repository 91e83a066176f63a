/** A lock file that survives `kill -9` of its holder: it counts only while the process that wrote it is running. */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isAlive, startTimeOf } from '../exec/process-info.ts'
import type { ProcessId } from '../exec/types.ts'

/** Waits for a lock and takes it; returns what gives it back. `onWait` is called about twice a second meanwhile. */
export async function acquireLock(file: string, signal?: AbortSignal, onWait?: () => void): Promise<() => void> {
  mkdirSync(dirname(file), { recursive: true })
  const mine = JSON.stringify({ pid: process.pid, startTime: startTimeOf(process.pid) ?? '' } satisfies ProcessId)
  const draft = `${file}.${process.pid}`
  for (;;) {
    signal?.throwIfAborted()
    if (tryLock(file, draft, mine)) return () => rmSync(file, { force: true })
    const text = readOrNothing(file)
    if (text !== undefined && !isHeld(text)) removeStale(file, text)
    else {
      onWait?.()
      await sleep(500, undefined, signal ? { signal } : {})
    }
  }
}

/** A link appears with its content at once, unlike a file that is created and then written. */
function tryLock(file: string, draft: string, content: string): boolean {
  writeFileSync(draft, content)
  try {
    linkSync(draft, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Takes a stale lock away, unless another process did so first and already holds a new one: that is put back. */
function removeStale(file: string, staleText: string): void {
  const aside = `${file}.stale.${process.pid}`
  try {
    renameSync(file, aside)
  } catch {
    return
  }
  if (readOrNothing(aside) !== staleText) {
    try {
      linkSync(aside, file)
    } catch {
      // A third process has it by now. Two builds of one tool are wasteful, not wrong: each renames a whole result.
    }
  }
  rmSync(aside, { force: true })
}

function isHeld(text: string): boolean {
  try {
    return isAlive(JSON.parse(text) as ProcessId)
  } catch {
    return false
  }
}

function readOrNothing(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
