/** What survives of a simulated machine when the supervisor ends: its power, its disk and what it was doing. */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { LabSpec, MachineSpec, Stage } from '../types.ts'

/** A Talos system: the boot medium's, or one that an installer wrote to a boot entry. */
export interface TalosSystem {
  image: string
  /** `v1.12.0` */
  version: string
  /** Factory schematic id, empty for the generic installer. */
  schematic: string
  extensions: string[]
}

/** What is left to be done of a sequence that the supervisor's end cut off. */
export type Pending =
  | { kind: 'install' }
  | { kind: 'reboot' }
  | { kind: 'shutdown' }
  | { kind: 'upgrade'; image: string }
  | { kind: 'reset'; wipeState: boolean; wipeEphemeral: boolean; wipeDisk: boolean; reboot: boolean }

export interface MachineRecord {
  powered: boolean
  stage: Stage
  bootId: string
  /** ISO 8601. */
  bootedAt: string
  /** What runs now. */
  running: TalosSystem
  /** The system disk, once installed. */
  disk?: { device: string; boot: TalosSystem; fallback?: TalosSystem }
  /** On the STATE partition: what the next boot uses. */
  persistedConfig?: string
  /** What this boot uses; differs from the persisted one after `--mode=staged` or `try`. */
  activeConfig?: string
  /** META: image to install at the next boot (`upgrade --stage`). */
  stagedUpgrade?: string
  pending?: Pending
  /** Devices that were wiped since fault `disks-used` was added. */
  wiped?: string[]
}

function fileOf(spec: LabSpec, machine: MachineSpec): string {
  return join(spec.dir, 'machines', `${machine.address}.json`)
}

/** The machine as it was, or undefined for one that has never run. A damaged file is an error, not a new machine. */
export function loadRecord(spec: LabSpec, machine: MachineSpec): MachineRecord | undefined {
  let text: string
  try {
    text = readFileSync(fileOf(spec, machine), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  return JSON.parse(text) as MachineRecord
}

/** Writes beside and renames, so that a kill at any moment leaves the old or the new record. */
export function saveRecord(spec: LabSpec, machine: MachineSpec, record: MachineRecord): void {
  const file = fileOf(spec, machine)
  mkdirSync(dirname(file), { recursive: true })
  const temporary = `${file}.${process.pid}.tmp`
  try {
    // The config holds keys, though only throw-away ones.
    writeFileSync(temporary, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600 })
    renameSync(temporary, file)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
}
