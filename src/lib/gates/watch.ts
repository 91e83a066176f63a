/** Watches many gates at once until all of them hold, and shows it as it shows a run: each gate is a row. */
import type { GateReader } from '../engine/ports.ts'
import type { Check, RunEvent, Verdict } from '../types.ts'
import { gates as catalog } from './catalog.ts'
import { fillGate } from './fill.ts'
import type { Gate } from './types.ts'

export interface WatchRequest {
  gates: GateReader
  checks: Check[]
  cluster: string
  timeoutSec: number
  signal: AbortSignal
  /** The engine's view (src/lib/ui/view.ts). */
  view: { onEvent: (event: RunEvent) => void; close: () => Promise<void> }
}

export interface Watched {
  verdicts: Verdict[]
  /** When each verdict became what it is, as we saw it (RFC 3339). */
  since: string[]
}

/**
 * Ends when every gate has held, at the timeout or on the signal. Then all of them are looked at once more and together,
 * because the first to hold may not hold any more when the last one does.
 */
export async function watchGates(request: WatchRequest): Promise<Watched> {
  const { gates, checks, signal, view } = request
  const deadline = performance.now() + request.timeoutSec * 1000
  const at = () => new Date().toISOString()
  const since = checks.map(at)
  const steps = checks.map((check, index) => ({ id: idOf(checks, index), title: titleOf(check), group: 'gates' }))
  view.onEvent({
    type: 'run-started',
    at: at(),
    runId: 'watch',
    operation: 'gate check',
    cluster: request.cluster,
    steps,
  })
  try {
    const watched = await Promise.all(
      checks.map(async (check, index) => {
        const begun = performance.now()
        const step = steps[index]?.id ?? check.gate
        view.onEvent({ type: 'step-started', at: at(), step })
        const verdict = await gates.waitFor(check, {
          deadline,
          signal,
          onWaiting: (waitingFor) => view.onEvent({ type: 'step-waiting', at: at(), step, waitingFor }),
        })
        const seconds = Math.round((performance.now() - begun) / 100) / 10
        since[index] = verdict.status === 'pass' ? at() : (since[index] ?? at())
        view.onEvent(
          verdict.status === 'pass'
            ? { type: 'step-done', at: at(), step, seconds }
            : { type: 'step-failed', at: at(), step, seconds, message: verdict.detail },
        )
        return verdict
      }),
    )
    if (signal.aborted) return { verdicts: watched, since }
    const verdicts = await gates.evaluateAll(checks, signal)
    for (const [index, { status }] of verdicts.entries()) if (status !== watched[index]?.status) since[index] = at()
    return { verdicts, since }
  } finally {
    await view.close()
  }
}

/** A gate that is asked of several nodes has several rows. */
function idOf(checks: Check[], index: number): string {
  const { gate, params } = checks[index] as Check
  const twins = checks.filter((other) => other.gate === gate)
  return twins.length === 1 ? gate : `${gate} ${params?.node ?? params?.name ?? twins.indexOf(checks[index] as Check)}`
}

const titleOf = ({ gate, params = {} }: Check) =>
  fillGate(gate, catalog[gate as keyof typeof catalog] as Gate, params).title
