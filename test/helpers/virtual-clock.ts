/** Time that passes only when everybody waits, so that minutes of leases take milliseconds and come out the same each time. */
import { setImmediate as turn } from 'node:timers/promises'

export interface VirtualClock {
  now: () => number
  pause: (ms: number) => Promise<void>
  /** Lets time pass until `done` settles; fails when nobody waits for time any more, or after `limitMs` of it. */
  run: <T>(done: Promise<T>, limitMs?: number) => Promise<T>
}

export function createVirtualClock(): VirtualClock {
  let now = 0
  const sleepers: { at: number; wake: () => void }[] = []
  return {
    now: () => now,
    pause: (ms) => new Promise((wake) => void sleepers.push({ at: now + ms, wake })),
    run: async (done, limitMs = 3_600_000) => {
      let settled = false
      const mark = () => {
        settled = true
      }
      done.then(mark, mark)
      for (;;) {
        // Whatever can happen without time passing happens first.
        for (let round = 0; round < 3 && !settled; round += 1) await turn()
        if (settled) return done
        sleepers.sort((a, b) => a.at - b.at)
        const next = sleepers.shift()
        if (!next || next.at > limitMs) throw new Error(`stuck at ${now} ms of virtual time`)
        now = next.at
        next.wake()
      }
    },
  }
}
