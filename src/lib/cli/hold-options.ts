/** What commands that hold something open have in common: for how long, why, and what. */

import { UsageError } from '../errors.ts'
import type { OptionSpec } from './define.ts'
import { parseDurationSec } from './duration.ts'

export const forOption = (byDefault: string): OptionSpec => ({
  flags: '--for <duration>',
  description: 'how long; then `holds expire` ends it',
  default: byDefault,
})

export const whyOption: OptionSpec = {
  flags: '--reason <text>',
  description: 'why; it stands on the objects and in `holds list`',
  default: 'none given',
}

export const scopeOption: OptionSpec = {
  flags: '--scope <scope>',
  description: 'what the names are; `cluster` takes none',
  choices: ['app', 'namespace', 'cluster'],
  default: 'app',
}

/**
 * When a hold that begins now ends (RFC 3339, seconds).
 * @throws UsageError for what is no duration, or none at all: a hold without an end is one that is forgotten
 */
export function untilOf(duration: unknown, now: number): string {
  const seconds = parseDurationSec(String(duration))
  if (seconds <= 0) throw new UsageError('--for has to be longer than nothing')
  return wholeSeconds(now + seconds * 1000)
}

export const wholeSeconds = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`
