/** Leases with the API server's optimistic concurrency, in memory. */
import type { Lease, LeasePort } from '../../src/lib/engine/ports.ts'
import type { Result } from '../../src/lib/types.ts'

export interface MemoryLeases {
  port: LeasePort
  current: () => Lease | undefined
  remove: () => void
  /** While true every request fails. */
  down: boolean
}

/** @param delay awaited before and after each request is carried out, so that requests of several clients mix */
export function createMemoryLeases(delay: () => Promise<void> = async () => {}): MemoryLeases {
  let stored: Lease | undefined
  let version = 0
  const leases: MemoryLeases = {
    down: false,
    current: () => stored,
    remove: () => {
      stored = undefined
    },
    port: {
      get: () => request(() => (stored ? { ok: true, value: stored } : { ok: false, why: 'not-found', detail: '' })),
      create: (lease) =>
        request(() =>
          stored ? { ok: false, why: 'failed', detail: 'exists' } : write({ ...lease, resourceVersion: '' }),
        ),
      replace: (lease) =>
        request(() =>
          stored?.resourceVersion === lease.resourceVersion
            ? write(lease)
            : { ok: false, why: 'failed', detail: 'conflict' },
        ),
    },
  }
  const write = (lease: Lease): Result<Lease> => {
    version += 1
    stored = { ...lease, resourceVersion: String(version) }
    return { ok: true, value: stored }
  }
  const request = async (act: () => Result<Lease>): Promise<Result<Lease>> => {
    await delay()
    const result: Result<Lease> = leases.down ? { ok: false, why: 'unreachable', detail: 'connection refused' } : act()
    await delay()
    return result
  }
  return leases
}
