/** Progress without a terminal: one line an event, with its time. */
import type { RunEvent } from '../types.ts'
import type { Colours } from './colours.ts'
import { describeSeconds } from './seconds.ts'
import type { View } from './view.ts'

export function createPlainView(write: (line: string) => void, colours: Colours): View {
  const waits = newsOfWaits()
  return {
    onEvent: (event) => {
      const line = describeEvent(event, colours, waits)
      if (line !== undefined) write(`${at(event)} ${line}`)
    },
    close: async () => {},
  }
}

const at = (event: RunEvent) => event.at.slice(11, 19)

function describeEvent(event: RunEvent, colours: Colours, waits: NewsOfWaits): string | undefined {
  switch (event.type) {
    case 'run-started':
      return `run ${event.runId}: ${event.operation} of ${event.cluster}, ${event.steps.length} steps`
    case 'step-started':
      return `${event.step}: begins`
    case 'step-output':
      return colours.dim(`${event.step} | ${event.line}`)
    case 'step-waiting': {
      const text = waits(event)
      return text === undefined ? undefined : `${event.step}: waits for ${text}`
    }
    case 'step-skipped':
      return `${colours.dim('skipped')} ${event.step}: ${event.reason}`
    case 'step-done':
      return `${colours.green('done')} ${event.step} (${describeSeconds(event.seconds)})`
    case 'step-failed':
      return `${colours.red('FAILED')} ${event.step} (${describeSeconds(event.seconds)}): ${event.message}`
    case 'run-interrupted':
      return colours.yellow(
        event.finishing
          ? `interrupted: ${event.step} finishes first; once more to end everything now`
          : `interrupted: ending ${event.step}`,
      )
    case 'run-note':
      return colours.yellow(event.text)
    case 'run-finished':
      return `run ${event.result.runId}: ${event.result.outcome} after ${describeSeconds(event.result.seconds)}`
  }
}

type NewsOfWaits = (event: Extract<RunEvent, { type: 'step-waiting' }>) => string | undefined

/** What Flux waits for changes many times a second: a log has room for it every so often. */
const betweenWaitsMs = 5_000

/** A live table as lines of a log: what is waited for, when it is something else than before and the last line is old enough. */
export function newsOfWaits(): NewsOfWaits {
  const told = new Map<string, { text: string; at: number }>()
  return ({ step, waitingFor, at }) => {
    const text = summariseWait(waitingFor)
    const last = told.get(step)
    if (text === '' || text === last?.text || Date.parse(at) < (last?.at ?? 0) + betweenWaitsMs) return undefined
    told.set(step, { text, at: Date.parse(at) })
    return text
  }
}

/** At most five things; the number of the others. */
function summariseWait(waitingFor: string[]): string {
  const shown = waitingFor.slice(0, 5).join('; ')
  return waitingFor.length > 5 ? `${shown}; and ${waitingFor.length - 5} more` : shown
}
