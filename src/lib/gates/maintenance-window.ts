/** A weekly time in which nodes may be taken out: days, a local beginning and a length, in a time zone. */

const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
const dayMs = 24 * 3600 * 1000

export interface MaintenanceWindow {
  /** `sat`; the days on which it opens. */
  days: string[]
  /** `22:00`, local time. */
  from: string
  hours: number
  /** IANA name, `Asia/Jakarta`. */
  timeZone: string
}

/**
 * When the window that `at` is in closes; undefined when it is in none. One that opens late reaches into the next day.
 * @param at milliseconds since 1970
 */
export function closesAt(window: MaintenanceWindow, at: number): number | undefined {
  const [hour = 0, minute = 0] = window.from.split(':').map(Number)
  for (let back = 0; back <= Math.ceil(window.hours / 24); back++) {
    // Local date of that many days ago. A change of the clocks moves an edge by an hour at most, on two nights a year.
    const local = localTime(at - back * dayMs, window.timeZone)
    if (!window.days.includes(local.weekday)) continue
    const sinceMidnight = (local.hour * 60 + local.minute) * 60_000 + (at % 60_000)
    const opened = at - back * dayMs - sinceMidnight + (hour * 60 + minute) * 60_000
    const closes = opened + window.hours * 3600 * 1000
    if (at >= opened && at < closes) return closes
  }
  return undefined
}

function localTime(at: number, timeZone: string): { weekday: string; hour: number; minute: number } {
  const parts = new Intl.DateTimeFormat('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  }).formatToParts(at)
  const of = (type: string) => parts.find((part) => part.type === type)?.value ?? ''
  return { weekday: of('weekday').toLowerCase(), hour: Number(of('hour')), minute: Number(of('minute')) }
}

export const isTimeZone = (name: string): boolean => {
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: name })
    return true
  } catch {
    return false
  }
}

export const isWeekday = (name: string): boolean => weekdays.includes(name)
