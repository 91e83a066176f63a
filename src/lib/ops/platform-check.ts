/** One sentence of a health check about live objects. What can't be read is unknown; nothing at all of a kind is a failure. */
import type { KubeObject, Result } from '../types.ts'
import { conditionOf, fullName, holds } from './platform-facts.ts'

export type PlatformState = 'ok' | 'fail' | 'unknown'

/** One sentence of a row's health check, and whether it holds. */
export interface PlatformCheck {
  name: string
  state: PlatformState
  detail: string
}

/** One sentence about every object of a kind: `wrong` says what is the matter with one, or nothing. */
export function everyOne(
  name: string,
  found: Result<KubeObject[]>,
  { what, wrong, well }: { what: string; wrong: (one: KubeObject) => string | undefined; well: (n: number) => string },
): PlatformCheck {
  if (!found.ok) return { name, state: 'unknown', detail: `${what} can't be read: ${found.detail}` }
  if (found.value.length === 0) return { name, state: 'fail', detail: `there is no ${what}` }
  const bad = found.value.flatMap((one) => {
    const why = wrong(one)
    return why === undefined ? [] : [`${fullName(one)}: ${why}`]
  })
  if (bad.length === 0) return { name, state: 'ok', detail: well(found.value.length) }
  return { name, state: 'fail', detail: bad.join('; ') }
}

export const ready = (one: KubeObject): string | undefined => {
  if (holds(one, 'Ready')) return undefined
  const said = conditionOf(one, 'Ready') ?? conditionOf(one, 'NotReady')
  return said?.message || said?.reason || 'not Ready'
}

/** A ConfigMap's files. */
export interface CheckFile {
  [file: string]: string
}

/** The names under which an address is checked: of the entries in whose URL it stands. */
export function checkedAs(checks: KubeObject[], address: string): string[] {
  const texts = checks.flatMap(({ data }) => Object.values((data ?? {}) as CheckFile))
  return texts.flatMap((text) =>
    text.split(/^\s*- (?=name:)/m).flatMap((entry) => {
      const [, name = ''] = /^name:\s*["']?([^"'\n]+)/.exec(entry) ?? []
      return name && entry.includes(address) ? [name.trim()] : []
    }),
  )
}
