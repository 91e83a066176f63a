/** When a schedule is due, in UTC as VolSync's and CloudNativePG's controllers run: croner does the arithmetic. */
import { Cron } from 'croner'

const goUnits: Record<string, number> = { h: 3_600_000, m: 60_000, s: 1_000 }

/**
 * The first moment after `after` at which the schedule says so.
 * @param schedule five fields, six with the seconds first (CloudNativePG), `@daily` and the like, or `@every 8h30m` (robfig/cron v3)
 * @param after milliseconds since 1970
 * @returns undefined for what is no schedule, or never comes
 */
export function nextRun(schedule: string, after: number): number | undefined {
  const every = /^@every ((?:\d+[hms])+)$/.exec(schedule)
  if (every) {
    const parts = [...(every[1] ?? '').matchAll(/(\d+)([hms])/g)]
    return after + parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (goUnits[unit] ?? 0), 0)
  }
  try {
    return new Cron(schedule, { timezone: 'UTC', paused: true }).nextRun(new Date(after))?.getTime()
  } catch {
    return undefined
  }
}
