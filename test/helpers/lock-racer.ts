/** A worker thread that takes the file lock again and again, as a process of its own that now and then dies holding it. */
import { closeSync, openSync, rmSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { takeFileLock } from '../../src/lib/engine/lock-file.ts'
import type { ProcessPort } from '../../src/lib/exec/types.ts'

const { dir, me, wanted, alive, inside } = workerData as {
  dir: string
  me: number
  /** How often it wants to get the lock. */
  wanted: number
  /** One number for each (racer, life): 1 while that "process" lives. */
  alive: Int32Array
  inside: string
}
let life = 0
const slot = () => me * 1000 + life
const port: ProcessPort = {
  self: () => ({ pid: slot(), startTime: '1', space: 'race', who: `racer ${me}` }),
  isAlive: ({ pid }) => Atomics.load(alive, pid) === 1,
  ofRun: () => [],
  end: () => {},
  guard: () => ({ mark: '', release: () => {} }),
}

let violations = 0
let taken = 0
for (let round = 0; taken < wanted; round += 1) {
  Atomics.store(alive, slot(), 1)
  try {
    const lock = takeFileLock(dir, 'cluster', { operation: 'race', runId: `${me}-${round}` }, port)
    taken += 1
    // Only one may be inside: the file system says so independently of the lock.
    try {
      closeSync(openSync(inside, 'wx'))
    } catch {
      violations += 1
    }
    rmSync(inside, { force: true })
    if (taken % 3 === 0) {
      Atomics.store(alive, slot(), 0)
      life += 1
    } else lock.release()
  } catch (error) {
    if ((error as Error).name !== 'LockedError') throw error
  }
}
parentPort?.postMessage({ violations })
