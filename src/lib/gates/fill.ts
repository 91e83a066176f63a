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
  if (missing.length > 0) throw new UsageError(`gate ${id} needs the parameter ${missing.join(', ')}`)
  if (unknown.length > 0) throw new UsageError(`gate ${id} knows no parameter ${unknown.join(', ')}`)
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
