/** The verdict for what could not be read. */
import type { Result, Verdict } from '../types.ts'

type Unread = Extract<Result<never>, { ok: false }>

/** `unknown`, and exit code 4 when nobody answered or all refused us. Give at least one. */
export function unreadable(...reads: Unread[]): Exclude<Verdict, { status: 'pass' }> {
  // Of a machine that is asked for four things and does not answer it is said once.
  const details = [...new Set(reads.map(({ detail }) => detail))]
  const unreachable = reads.every(({ why }) => why === 'unreachable' || why === 'denied')
  return {
    status: 'unknown',
    detail: details.join('; '),
    waitingFor: details,
    ...(unreachable ? { cause: 'unreachable' as const } : {}),
  }
}
