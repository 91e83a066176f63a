/** `$name` slots of a gate, filled with a check's parameters. */
import { UsageError } from '../errors.ts'
import type { Gate } from './types.ts'

/**
 * The gate with every slot filled. Throws UsageError when a parameter is missing or unknown: a typo must not turn into
 * a gate that looks at something else.
 */
export function fillGate(id: string, gate: Gate, params: Record<string, string>): Gate {
  const missing = gate.params.filter((name) => params[name] === undefined)
  const unknown = Object.keys(params).filter((name) => !gate.params.includes(name))
  const empty = gate.params.filter((name) => params[name] === '' && !gate.mayBeEmpty?.includes(name))
  if (missing.length > 0) throw new UsageError(`gate ${id} needs the parameter ${missing.join(', ')}`)
  if (unknown.length > 0) throw new UsageError(`gate ${id} knows no parameter ${unknown.join(', ')}`)
  if (empty.length > 0) throw new UsageError(`gate ${id} was given nothing for ${empty.join(', ')}`)
  return fill(gate, params) as Gate
}

function fill(value: unknown, params: Record<string, string>): unknown {
  if (typeof value === 'string')
    return value.replace(/\$([a-z][A-Za-z]*)/g, (slot, name: string) => params[name] ?? slot)
  if (Array.isArray(value)) return value.map((entry) => fill(entry, params))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, fill(entry, params)]))
  }
  return value
}

/** A comma list of a parameter. */
export function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
}

/** The number of a parameter. Throws UsageError for anything else, because a count that reads as 0 would pass over nothing. */
export function countOf(value: number | string): number {
  if (typeof value === 'number') return value
  if (/^\d+$/.test(value)) return Number(value)
  throw new UsageError(`"${value}" is no number of objects`)
}
