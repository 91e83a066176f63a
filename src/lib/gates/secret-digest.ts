/** What stands for a secret where it must not be seen itself: enough to tell two values apart, too little to try out which one it is. */
import { createHash } from 'node:crypto'

/** @param data of a Secret, base64 by key @param salt of this one comparison */
export function secretDigest(data: Record<string, string> | undefined, salt: string): string {
  const sorted = Object.entries(data ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1))
  return shortDigest(JSON.stringify(sorted), salt)
}

export const shortDigest = (value: string, salt: string): string =>
  createHash('sha256').update(`${salt}\0${value}`).digest('hex').slice(0, 12)
