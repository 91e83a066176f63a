/** One simulated machine as its own parts see it. */
import type { ActiveFault, ClusterSide, Lab, Machine, MachineSpec, Stage } from '../types.ts'
import type { KeyPair } from './certificates.ts'
import type { Endpoint } from './endpoint.ts'
import type { EventLog, MachineStatus } from './events.ts'
import type { Fleet } from './fleet.ts'
import type { KernelLog } from './kernel-log.ts'
import type { MachineRecord } from './record.ts'
import type { ResourceStore } from './resource-store.ts'
import type { Sequencer } from './sequencer.ts'
import type { ServiceTable } from './services.ts'

export interface SimulatedMachine {
  readonly lab: Lab
  readonly spec: MachineSpec
  readonly cluster: ClusterSide
  readonly fleet: Fleet
  /** The view that the rest of the lab has; kept in step with the record. */
  readonly machine: Machine
  readonly record: MachineRecord
  readonly events: EventLog
  readonly kernelLog: KernelLog
  readonly services: ServiceTable
  readonly resources: ResourceStore
  readonly sequencer: Sequencer
  readonly endpoint: Endpoint
  /** Stage, readiness and what it lacks, as of now. */
  status(): MachineStatus
  setStage(stage: Stage): void
  /** Writes the record and tells watchers; after every change of it. */
  changed(): void
  /** A Talos config that is valid: in effect from now on, and (when `persist`) for the next boot too. */
  setConfig(source: string, persist: boolean): void
  /** The memory is lost; what is on disk stays. */
  forgetConfig(): void
  /** A new configuration came in while in maintenance mode. */
  configure(source: string): void
  /** What the sequence that ran asks for at its end. */
  restart(how: Restart): void
  /** Set while the cluster must not be asked for this machine's services: it is stopping or hasn't started them yet. */
  setDown(down: boolean): void
  /** Waits until something that the machine watches makes the condition true; returns at once when aborted. */
  until(condition: () => boolean, signal: AbortSignal): Promise<void>
  /** Aborted when this boot ends: API calls in flight break off. */
  gone(): AbortSignal
  fault(name: string): ActiveFault | undefined
  timeSynced(): boolean
  /** Who signs this machine's API certificate: itself on a control plane, for a worker a control plane's trustd. */
  signer(): KeyPair | undefined
  /** Waits simulated seconds, scaled by the lab's pace. */
  pause(seconds: number, signal?: AbortSignal): Promise<void>
}

export type Restart = 'reboot' | 'power-off'

/** Without a config a machine is in maintenance mode: no roles, no apid, only the maintenance service. */
export function inMaintenance(machine: SimulatedMachine): boolean {
  return machine.machine.config === undefined
}
