/** Waits until a stream of verdicts says what is wanted. */
import type { WaitOptions } from '../engine/ports.ts'
import type { Verdict } from '../types.ts'

/** Feeds on verdicts until one has passed for `stableMs` on end, one is final, the time is over or we are interrupted. */
export async function untilPassed(
  observe: (signal: AbortSignal, emit: (verdict: Verdict) => void) => Promise<void>,
  stableMs: number,
  options: WaitOptions,
): Promise<Verdict> {
  const { promise, resolve, reject } = Promise.withResolvers<Verdict>()
  const observing = new AbortController()
  let last: Verdict = { status: 'unknown', detail: 'no answer within the time', cause: 'unreachable' }
  let shown = ''
  let stable: NodeJS.Timeout | undefined
  const give = () => resolve(last)
  const show = (lines: string[]) => {
    const text = lines.join('\n')
    if (text !== shown) options.onWaiting(lines)
    shown = text
  }

  const emit = (verdict: Verdict) => {
    if (observing.signal.aborted) return
    last = verdict
    if (verdict.status === 'pass') {
      if (stableMs === 0) return give()
      stable ??= setTimeout(give, stableMs)
      return show([`${verdict.detail}: holds, has to for ${Math.ceil(stableMs / 1000)} s`])
    }
    clearTimeout(stable)
    stable = undefined
    if (verdict.final) return give()
    show(verdict.waitingFor ?? [verdict.detail])
  }

  const end = () =>
    resolve(last.status === 'pass' ? { ...last, status: 'fail', detail: `${last.detail}, but not long enough` } : last)
  options.signal.addEventListener('abort', end, { once: true })
  if (options.signal.aborted) end()
  const deadline = setTimeout(end, Math.max(0, options.deadline - performance.now()))
  observe(observing.signal, emit).catch(reject)
  try {
    return await promise
  } finally {
    clearTimeout(deadline)
    clearTimeout(stable)
    options.signal.removeEventListener('abort', end)
    observing.abort()
  }
}
