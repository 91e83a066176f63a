/** Fields of objects whose shape nobody vouches for: what is not there, or is something else, is undefined. */
import type { Json } from '../types.ts'
import { once } from './once.ts'

export type Fields = { [key: string]: Json }

/** The value at a dotted path, `spec.template.spec`; for keys with dots give the keys apart. */
export function dig(value: unknown, path: string | readonly (string | number)[]): Json | undefined {
  const keys = typeof path === 'string' ? path.split('.') : path
  let at: unknown = value
  for (const key of keys) {
    if (typeof at !== 'object' || at === null) return undefined
    at = (at as Record<string | number, unknown>)[key]
  }
  return at as Json | undefined
}

export const listAt = (value: unknown, path: string): Json[] => {
  const found = dig(value, path)
  return Array.isArray(found) ? found : []
}

/** For keys with dots give the keys apart. */
export const textAt = (value: unknown, path: string | readonly (string | number)[]): string | undefined => {
  const found = dig(value, path)
  return typeof found === 'string' || typeof found === 'number' ? String(found) : undefined
}

export const mapAt = (value: unknown, path: string): Fields => {
  const found = dig(value, path)
  return isFields(found) ? found : {}
}

export const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export type Path = (string | number)[]

/** Every list of that name below a value, with its path. */
export function listsNamed(name: string, value: unknown, path: Path = []): { list: Json[]; path: Path }[] {
  if (!maps(value).some(({ map }) => Array.isArray(map[name]))) return []
  if (Array.isArray(value)) return value.flatMap((item, index) => listsNamed(name, item, [...path, index]))
  return Object.entries(value as Fields).flatMap(([key, below]) =>
    key === name && Array.isArray(below)
      ? [{ list: below, path: [...path, key] }]
      : listsNamed(name, below, [...path, key]),
  )
}

export interface Leaf {
  path: Path
  value: Json
}

interface Parts {
  leaves: Leaf[]
  maps: { map: Fields; path: Path }[]
}

/** Every scalar below a value, with its path. */
export const leaves = (value: unknown): readonly Leaf[] => partsOf(value).leaves

/** Every map below a value, itself first, with its path. */
export const maps = (value: unknown): readonly { map: Fields; path: Path }[] => partsOf(value).maps

/** A dozen rules ask for those of every object. */
const partsOfObject = once((value: object): Parts => {
  const found: Parts = { leaves: [], maps: [] }
  collect(value as Json, [], found)
  return found
})

const partsOf = (value: unknown): Parts =>
  typeof value === 'object' && value !== null
    ? partsOfObject(value)
    : { leaves: [{ path: [], value: value as Json }], maps: [] }

/** @param path the keys down to it, which is put back as it was */
function collect(value: Json, path: Path, found: Parts): void {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) below(index, value[index] as Json, path, found)
  } else if (isFields(value)) {
    found.maps.push({ map: value, path: path.slice() })
    for (const key of Object.keys(value)) below(key, value[key] as Json, path, found)
  } else found.leaves.push({ path: path.slice(), value })
}

function below(key: string | number, value: Json, path: Path, found: Parts): void {
  path.push(key)
  collect(value, path, found)
  path.pop()
}

const seconds: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 }

/** Seconds of a Go duration (`1h30m`); undefined when it is none. */
export function durationOf(text: string | undefined): number | undefined {
  if (text === undefined || !/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return undefined
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)].reduce(
    (sum, [, amount, unit]) => sum + Number(amount) * (seconds[unit ?? ''] ?? 0),
    0,
  )
}

const units: Record<string, number> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
}

/** Bytes of a Kubernetes quantity (`512Mi`); undefined when it is none. */
export function bytesOf(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kMGT]|[KMGT]i)?$/.exec(text ?? '')
  return match ? Number(match[1]) * (units[match[2] ?? ''] ?? 1) : undefined
}

/** Cores of a Kubernetes quantity (`250m`, `2`); undefined when it is none, or has a unit of bytes. */
export function coresOf(text: string | undefined): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text ?? '')
  return match ? Number(match[1]) / (match[2] === 'm' ? 1000 : 1) : undefined
}
