/**
 * The silence of a plan's alerts, held as a lease: made at the run's first change, renewed while it lives, ended with it. A run that
 * dies leaves one that ends by itself, and the process that goes on takes it over. It never stops a run.
 */
import type { Silence } from '../types.ts'
import type { JournalEntry, NewEntry } from './journal.ts'
import type { SilencePort } from './ports.ts'

export interface SilenceRequest {
  port: SilencePort
  silence: Silence
  /** Who made it, and why, for those who look at Alertmanager. */
  by: string
  comment: string
  /** Id of the one that an earlier process of this run held. */
  before?: string
  onChange: (entry: NewEntry) => void
  leaseSec?: number
}

export interface HeldSilence {
  /** Once is enough; nobody waits for it. */
  begin(): void
  end(): Promise<void>
}

/** Longer than it takes to notice that a run is dead and to go on with it, shorter than anybody wants to be without alerts. */
const defaultLeaseSec = 600

export function holdSilence(request: SilenceRequest): HeldSilence {
  const { port, silence, by, comment, onChange, leaseSec = defaultLeaseSec } = request
  let id = request.before
  let told: string | undefined
  let timer: NodeJS.Timeout | undefined
  let turn: Promise<void> = Promise.resolve()
  const tell = (entry: NewEntry & { type: 'silence' }) => {
    const news = `${entry.state} ${entry.id ?? ''}`
    if (news !== told) onChange(entry)
    told = news
  }
  const renew = async () => {
    const until = new Date(Date.now() + leaseSec * 1000)
    const set = await port.set({ ...silence, by, comment, until, ...(id === undefined ? {} : { id }) })
    if (set.ok) id = set.value
    tell(
      set.ok
        ? { type: 'silence', state: 'held', id: set.value }
        : { type: 'silence', state: 'unavailable', detail: set.detail },
    )
  }
  return {
    begin() {
      if (timer) return
      turn = renew()
      timer = setInterval(
        () => {
          turn = turn.then(renew)
        },
        (leaseSec / 3) * 1000,
      )
      timer.unref()
    },
    async end() {
      clearInterval(timer)
      await turn
      if (id === undefined) return
      const ended = await port.end(id)
      tell(
        ended.ok
          ? { type: 'silence', state: 'ended', id }
          : { type: 'silence', state: 'unavailable', detail: ended.detail },
      )
    },
  }
}

/** The silence that an earlier process of the run has not ended. */
export function silenceOf(journal: JournalEntry[]): string | undefined {
  const last = journal.findLast((entry) => entry.type === 'silence' && entry.state !== 'unavailable')
  return last?.type === 'silence' && last.state === 'held' ? last.id : undefined
}
