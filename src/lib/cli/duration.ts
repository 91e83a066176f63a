import { UsageError } from '../errors.ts'

const unitSec: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400 }

/** `90s`, `30m`, `1h30m`, `500ms` or plain seconds. Throws UsageError for anything else. */
export function parseDurationSec(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text)
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text))
    throw new UsageError(`"${text}" is no duration`, { next: 'write it like 90s, 30m or 1h30m' })
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)].reduce(
    (sum, [, number, unit]) => sum + Number(number) * unitSec[unit!]!,
    0,
  )
}
