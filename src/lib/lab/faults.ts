/** The lab's faults: the catalogue (lab/faults.yaml) says what there is, the store says what is on. */
import { readFileSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { UsageError } from '../errors.ts'
import type { ActiveFault, Faults } from './types.ts'

export interface FaultDefinition {
  id: string
  summary: string
  /** The part of the lab that acts on it. */
  where: string
  /** `required`: --node must be given; `optional`: all nodes without it; `never`: it concerns no node. */
  node: 'required' | 'optional' | 'never'
  /** Name -> what it means, its unit and its default. */
  params: Record<string, string>
  /** When the lab looks at it: all the time, or only at one moment. */
  when: string
  /** What an operator should see. */
  expect: string
}

/** `lab/faults.yaml` of this project (not of the repository that is operated). */
const catalogueFile = join(import.meta.dirname, '../../../lab/faults.yaml')

let known: FaultDefinition[] | undefined
/** Every fault that the lab can play, in the catalogue's order. */
export async function faultCatalogue(): Promise<FaultDefinition[]> {
  if (known) return known
  const { parse } = await import('yaml')
  const file = parse(await readFile(catalogueFile, 'utf8')) as { faults: FaultDefinition[] }
  known = file.faults.map((fault) => ({ ...fault, params: fault.params ?? {} }))
  return known
}

/**
 * Checks a fault against the catalogue and the lab's nodes.
 * @param nodes hostnames of the cluster
 * @throws UsageError for an unknown fault, parameter or node, or a node where none belongs
 */
export function checkFault(fault: ActiveFault, catalogue: FaultDefinition[], nodes: string[]): void {
  const definition = catalogue.find(({ id }) => id === fault.name)
  if (!definition) {
    throw new UsageError(`unknown fault ${fault.name}`, {
      next: `the lab can play: ${catalogue.map(({ id }) => id).join(', ')}`,
    })
  }
  const unknown = Object.keys(fault.params ?? {}).filter((name) => !(name in definition.params))
  if (unknown.length > 0) {
    const names = Object.entries(definition.params).map(([name, meaning]) => `${name} (${meaning})`)
    throw new UsageError(`fault ${fault.name} has no parameter ${unknown.join(', ')}`, {
      next: names.length > 0 ? `its parameters are: ${names.join('; ')}` : 'it has none',
    })
  }
  if (definition.node === 'never' && fault.node !== undefined) {
    throw new UsageError(`fault ${fault.name} concerns no single node`, { next: 'leave out --node' })
  }
  if (definition.node === 'required' && fault.node === undefined) {
    throw new UsageError(`fault ${fault.name} needs a node`, { next: `--node, one of: ${nodes.join(', ')}` })
  }
  if (fault.node !== undefined && !nodes.includes(fault.node)) {
    throw new UsageError(`unknown node ${fault.node}`, { next: `the nodes are: ${nodes.join(', ')}` })
  }
}

export interface FaultStore extends Faults {
  /** The same fault for the same node replaces the earlier one. */
  add(fault: ActiveFault): Promise<void>
  /** Returns how many were removed; without a name all of them are. */
  clear(name?: string, node?: string): Promise<number>
}

/**
 * What is on now, kept in `<dir>/faults.json` so that it outlives the supervisor.
 * @param namesOf every name that stands for the same node: its hostname and both of its addresses. Parts ask by
 *   whichever they know, operators add by hostname.
 */
export function createFaultStore(dir: string, namesOf: (node: string) => string[]): FaultStore {
  const file = join(dir, 'faults.json')
  let active = readFaults(file)
  const listeners = new Set<() => void>()

  const replace = async (next: ActiveFault[]) => {
    active = next
    await writeFile(`${file}.new`, JSON.stringify(next), { mode: 0o600 })
    await rename(`${file}.new`, file)
    for (const listener of listeners) listener()
  }
  const sameNode = (a: string | undefined, b: string | undefined) =>
    a === b || (a !== undefined && b !== undefined && namesOf(a).includes(b))

  return {
    active(name, node) {
      const candidates = active.filter((fault) => fault.name === name)
      // Asked without a node: the first one will do. Asked for a node: one for this node, or one for all nodes.
      if (node === undefined) return candidates[0]
      return (
        candidates.find((fault) => fault.node !== undefined && sameNode(fault.node, node)) ??
        candidates.find((fault) => fault.node === undefined)
      )
    },
    list: () => [...active],
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    add: (fault) =>
      replace([...active.filter((other) => other.name !== fault.name || !sameNode(other.node, fault.node)), fault]),
    async clear(name, node) {
      const left = active.filter(
        (fault) => !((name === undefined || fault.name === name) && (node === undefined || sameNode(fault.node, node))),
      )
      const removed = active.length - left.length
      if (removed > 0) await replace(left)
      return removed
    },
  }
}

function readFaults(file: string): ActiveFault[] {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ActiveFault[]
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  }
}
