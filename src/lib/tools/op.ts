/** Reads from 1Password through `op`. Values stay in memory; exec registers them with the redactor. */
import type { Exec } from '../exec/types.ts'
import type { Result } from '../types.ts'
import { readArgs, whoamiArgs } from './op.args.ts'

export interface OpPort {
  /** The signed-in account, as a person recognises it. */
  signedIn(signal: AbortSignal): Promise<Result<string>>
  /** One field; kept for the life of this process, so that one approval of the desktop app is enough. */
  read(reference: string, signal: AbortSignal): Promise<Result<string>>
}

/** The desktop app may ask for a fingerprint. */
const timeoutSec = 60

export function createOpPort(exec: Exec): OpPort {
  const values = new Map<string, string>()
  const call = async (command: ReturnType<typeof whoamiArgs>, signal: AbortSignal): Promise<Result<string>> => {
    try {
      const result = await exec({ pipeline: [command], timeoutSec, signal })
      if (result.exitCode === 0) return { ok: true, value: result.stdout.replace(/\r?\n$/, '') }
      const message = result.tail.at(-1) ?? result.ended ?? `exit code ${result.exitCode}`
      return { ok: false, why: 'denied', detail: message.replace(/^\[ERROR\] \S+ \S+ /, '') }
    } catch (error) {
      return { ok: false, why: 'failed', detail: (error as Error).message }
    }
  }
  return {
    async signedIn(signal) {
      const answer = await call(whoamiArgs(), signal)
      return answer.ok ? { ok: true, value: accountOf(answer.value) } : answer
    },
    async read(reference, signal) {
      const known = values.get(reference)
      if (known !== undefined) return { ok: true, value: known }
      const answer = await call(readArgs(reference), signal)
      if (answer.ok && answer.value === '') return { ok: false, why: 'not-found', detail: `${reference} is empty` }
      if (answer.ok) values.set(reference, answer.value)
      return answer
    },
  }
}

/** `op whoami --format json` of op 2: url, email and user type; a service account has no email. */
function accountOf(text: string): string {
  try {
    const account = JSON.parse(text) as { url?: string; email?: string; user_type?: string }
    return [account.email ?? account.user_type, account.url].filter(Boolean).join(' at ') || 'signed in'
  } catch {
    return 'signed in'
  }
}
