import { performance } from 'node:perf_hooks'
import type { Interrupts } from './ports.ts'

/** npm, task and our own launcher pass on a Ctrl-C that the terminal has given to us already; nobody presses it that fast. */
const twinMs = 200

export interface SignalWatch extends Interrupts {
  /** Stops listening; from then on Ctrl-C does what it does by default. */
  release: () => void
}

/**
 * Turns SIGINT, SIGTERM and SIGHUP (the terminal was closed) into the two signals of a run. GitHub Actions sends
 * SIGINT, SIGTERM 7.5 s later and SIGKILL 2.5 s after that, so any second signal counts as the second Ctrl-C.
 *
 * @param emitter where signals come from: `process`, or an EventEmitter in tests.
 */
export function watchSignals(emitter: NodeJS.EventEmitter): SignalWatch {
  const stop = new AbortController()
  const kill = new AbortController()
  let count = 0
  let last = { name: '', at: Number.NEGATIVE_INFINITY }
  const onAny = (name: string) => {
    const now = performance.now()
    const twin = last.name === name && now - last.at < twinMs
    last = { name, at: now }
    if (twin) return
    count += 1
    if (count === 1) stop.abort()
    else {
      kill.abort()
      // Should even that hang, the third one does what it does by default; children die with us (exec/guard.ts).
      setTimeout(release, twinMs).unref()
    }
  }
  const release = () => {
    for (const name of names) emitter.off(name, onAny)
  }
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const name of names) emitter.on(name, onAny)
  return {
    stop: stop.signal,
    kill: kill.signal,
    release,
  }
}
