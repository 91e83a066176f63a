/** A moment that is over, as an option gives it. */
import { UsageError } from '../errors.ts'
import type { OptionValue } from './define.ts'
import { wholeSeconds } from './hold-options.ts'

/**
 * @param flag as it is written, for errors
 * @returns RFC 3339 in UTC, whole seconds; undefined where the option was not given
 * @throws UsageError for what is no time, has no zone, or is yet to come
 */
export function timeOption(value: OptionValue, flag: string, now: number): string | undefined {
  if (typeof value !== 'string' || value === '') return undefined
  const time = Date.parse(value)
  if (Number.isNaN(time) || !/T.*(Z|[+-]\d\d:\d\d)$/.test(value))
    throw new UsageError(`${flag} ${value} is no time`, { next: 'write it like 2026-11-30T06:00:00Z, with its zone' })
  if (time > now) throw new UsageError(`${flag} ${value} is yet to come`)
  return wholeSeconds(time)
}
