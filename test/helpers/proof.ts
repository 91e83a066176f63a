/** Proofs that take too long for `npm test`: whole with `npm run test:full`, otherwise skipped, counted, with the reason. */
import { test } from 'vitest'
import { full } from './seed.ts'

declare module 'vitest' {
  interface TaskMeta {
    skipReason?: string
  }
}

/** @param timeoutMs instead of the ring's own limit */
export function proof(name: string, body: () => Promise<void>, timeoutMs?: number): void {
  const options = { skip: !full, meta: { skipReason: 'a long proof: npm run test:full' } }
  test(name, { ...options, ...(timeoutMs === undefined ? {} : { timeout: timeoutMs }) }, body)
}
