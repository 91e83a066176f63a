/** A run's lock: the file among processes of this machine, and the Lease as soon as the cluster's API answers. */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { InterruptedError } from '../errors.ts'
import type { ProcessPort } from '../exec/types.ts'
import type { NewEntry } from './journal.ts'
import { createLeaseLock } from './lease-lock.ts'
import { takeFileLock } from './lock-file.ts'
import type { LeasePort, RunLock } from './ports.ts'

export interface LockRequest {
  /** `<stateDir>/locks` */
  dir: string
  cluster: string
  scope: string
  operation: string
  runId: string
  processes: ProcessPort
  lease: LeasePort
  /** Ctrl-C while it waits to see whether a holder lives. */
  signal: AbortSignal
  /** Told what became of the locks, for the journal. */
  onChange: (entry: NewEntry) => void
  leaseSec?: number
  /** What the Lease says is not asked any more once the run has begun (Plan.endsApi). */
  endsApi?: boolean
}

const defaultLeaseSec = 15
const patienceSec = 60

/** @throws InterruptedError, so that a holder that has to be watched for a while doesn't keep Ctrl-C waiting. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {
    throw new InterruptedError('interrupted while waiting for the lock')
  })
}

/** Takes the lock, or throws LockedError (exit 5) with holder, operation and step. */
export async function takeRunLock(request: LockRequest): Promise<RunLock> {
  const { scope, operation, runId, processes } = request
  const leaseSec = request.leaseSec ?? defaultLeaseSec
  const file = takeFileLock(request.dir, `${request.cluster}/${scope}`, { operation, runId }, processes)
  request.onChange({ type: 'lock', lock: 'file', state: 'held', detail: `token ${file.token}` })
  let beginning = true
  const lease = createLeaseLock({
    port: request.lease,
    scope,
    operation,
    runId,
    processes,
    clock: { now: () => performance.now(), pause: (ms) => (beginning ? pause(ms, request.signal) : sleep(ms)) },
    leaseSec,
    patienceSec,
  })

  let acquiring: Promise<void> | undefined
  let told: string | undefined
  // Once lost, it stays lost for this run: what the other run did in between is not what our plan was made for.
  let lost: unknown
  // Steps that run side by side share one look.
  const acquire = (): Promise<void> => {
    acquiring ??= lease
      .acquire()
      .then((state) => {
        if (state !== told) request.onChange({ type: 'lock', lock: 'lease', state })
        told = state
      })
      .finally(() => {
        acquiring = undefined
      })
    return acquiring
  }
  // One request to the lease at a time: a renewal between our own read and write would look like somebody else's.
  let queue: Promise<unknown> = Promise.resolve()
  // Steps that begin together share one: it was ours a round trip ago at most, and nobody takes it within the lease's time.
  let confirming: Promise<void> | undefined
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.then(work, work)
    queue = turn.catch(() => {})
    return turn
  }

  try {
    await acquire()
  } catch (error) {
    file.release()
    throw error
  }
  beginning = false
  const timer = setInterval(() => void inTurn(lease.renew).catch(() => {}), (leaseSec / 3) * 1000)
  timer.unref()

  return {
    beforeWrite: async (step) => {
      if (lost !== undefined) throw lost
      file.setStep(step)
      if (request.endsApi) return
      if (!lease.held) return acquire()
      try {
        confirming ??= inTurn(() => lease.confirm(step)).finally(() => {
          confirming = undefined
        })
        await confirming
      } catch (error) {
        lost ??= error
        request.onChange({ type: 'lock', lock: 'lease', state: 'lost', detail: String(error) })
        throw error
      }
    },
    release: async () => {
      clearInterval(timer)
      await inTurn(lease.release).catch(() => {})
      file.release()
    },
  }
}
