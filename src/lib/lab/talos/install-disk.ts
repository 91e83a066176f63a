/** Which disk Talos installs to: the CEL expression of `machine.install.diskSelector` and what it matches (v1.12.0). */
import type { MachineSpec } from '../types.ts'
import { valueAt } from './machine-config.ts'

export type Disk = MachineSpec['disks'][number]

export type DiskChoice = { disk: Disk } | { problem: string }

interface Clause {
  text: string
  holds: (disk: Disk) => boolean
}

/**
 * The disk that the config names or selects, or Talos's text of why there is none.
 * @param document the config's first document
 */
export function chooseDisk(document: { [key: string]: unknown }, disks: Disk[]): DiskChoice {
  const selector = valueAt(document, 'machine.install.diskSelector')
  if (typeof selector === 'object' && selector !== null) {
    const clauses = clausesOf(selector as { [key: string]: unknown })
    if ('problem' in clauses) return { problem: `install disk selector is invalid: ${clauses.problem}` }
    const disk = disks.find((candidate) => clauses.list.every((clause) => clause.holds(candidate)))
    if (disk) return { disk }
    return { problem: `no disks matched the expression: ${clauses.list.map((clause) => clause.text).join(' && ')}` }
  }
  const path = String(valueAt(document, 'machine.install.disk') ?? '')
  const disk = disks.find((candidate) => candidate.path === path)
  return disk ? { disk } : { problem: `lstat ${path}: no such file or directory` }
}

/** In the order of InstallConfig.DiskMatchExpression. */
function clausesOf(selector: { [key: string]: unknown }): { list: Clause[] } | { problem: string } {
  const list: Clause[] = []
  if (selector.size !== undefined) {
    const size = sizeClause(String(selector.size))
    if (!size) return { problem: `failed to parse disk size ${selector.size}` }
    list.push(size)
  }
  const globs: [string, string, (disk: Disk) => string][] = [
    ['uuid', 'uuid', () => ''],
    ['wwid', 'wwid', () => ''],
    ['model', 'model', (disk) => disk.model],
    ['serial', 'serial', (disk) => disk.serial],
    ['modalias', 'modalias', () => ''],
  ]
  if (selector.name !== undefined) return { problem: 'selector on name is not supported' }
  for (const [field, name, value] of globs) {
    if (selector[field] !== undefined) list.push(globClause(String(selector[field]), name, value))
  }
  list.push({ text: 'disk.transport != ""', holds: (disk) => disk.transport !== '' })
  if (selector.type !== undefined) {
    const type = typeClauses[String(selector.type)]
    if (!type) return { problem: `unsupported disk type "${selector.type}"` }
    list.push(type)
  }
  if (selector.busPath !== undefined) list.push(globClause(String(selector.busPath), 'bus_path', () => ''))
  // No disk of a simulated machine is read-only or a CD-ROM.
  list.push({ text: '!disk.readonly', holds: () => true }, { text: '!disk.cdrom', holds: () => true })
  return { list }
}

/** Simulated disks don't rotate. */
const typeClauses: Record<string, Clause> = {
  nvme: { text: 'disk.transport == "nvme"', holds: (disk) => disk.transport === 'nvme' },
  sd: { text: 'disk.transport == "mmc"', holds: (disk) => disk.transport === 'mmc' },
  hdd: { text: 'disk.rotational', holds: () => false },
  ssd: { text: '!disk.rotational', holds: () => true },
}

const units: Record<string, number> = { '': 1, b: 1 }
for (const [index, letter] of ['k', 'm', 'g', 't', 'p'].entries()) {
  units[letter] = units[`${letter}b`] = 1000 ** (index + 1)
  units[`${letter}i`] = units[`${letter}ib`] = 1024 ** (index + 1)
}

/** `<= 1TB`: an operator (default ==) and a size as go-humanize reads it. */
function sizeClause(condition: string): Clause | undefined {
  const match = /^(>=|<=|>|<|==)?\s*([\d.,]+)\s*([a-z]*)$/i.exec(condition.trim())
  const unit = match && units[match[3]?.toLowerCase() ?? '']
  if (!match || unit === undefined || unit === null) return undefined
  const operator = match[1] ?? '=='
  const size = Math.trunc(Number(match[2]?.replaceAll(',', '')) * unit)
  if (!Number.isFinite(size)) return undefined
  const compare: Record<string, (value: number) => boolean> = {
    '>=': (value) => value >= size,
    '<=': (value) => value <= size,
    '>': (value) => value > size,
    '<': (value) => value < size,
    '==': (value) => value === size,
  }
  return { text: `disk.size ${operator} ${size}u`, holds: (disk) => compare[operator]?.(disk.size) ?? false }
}

function globClause(pattern: string, field: string, value: (disk: Disk) => string): Clause {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  const expression = new RegExp(`^${source}$`)
  return { text: `glob(${JSON.stringify(pattern)}, disk.${field})`, holds: (disk) => expression.test(value(disk)) }
}
