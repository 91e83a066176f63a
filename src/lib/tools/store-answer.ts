/** Whether a service of S3 answers at all: without a key it refuses, and that is an answer. Whether a bucket is there, only its key can tell. */
import type { Result } from '../types.ts'

const limitMs = 5_000

/** @param endpoint `https://…` */
export async function storeAnswer(endpoint: string, signal: AbortSignal): Promise<Result<string>> {
  try {
    const answer = await fetch(endpoint, {
      method: 'HEAD',
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(limitMs)]),
    })
    return { ok: true, value: `answers (HTTP ${answer.status} without a key)` }
  } catch (error) {
    const { message, cause } = error as Error
    return { ok: false, why: 'unreachable', detail: cause instanceof Error ? cause.message : message }
  }
}
