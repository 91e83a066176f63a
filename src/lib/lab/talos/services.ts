/** The services of a machine: its own (simulated), and kubelet and etcd as the cluster around it reports them. */
import type { ServiceState } from '../types.ts'
import type { EventLog } from './events.ts'
import { timestamp } from './protocol.ts'

export type State = ServiceState['state'] | 'Starting' | 'Stopping'

export interface Service {
  id: string
  state: State
  healthy: boolean
  unknown: boolean
  message: string
  changedAt: Date
  events: { msg: string; state: State; at: Date }[]
}

export interface ServiceTable {
  list(): Service[]
  get(id: string): Service | undefined
  /** Records a state; the same state again changes nothing. Returns whether it changed something. */
  set(id: string, state: State, facts?: Partial<Pick<Service, 'healthy' | 'unknown' | 'message'>>): boolean
  /** Takes over what the cluster reports of this machine's kubelet and etcd. */
  adopt(states: ServiceState[]): boolean
  /** Until it is released the cluster's word on this service counts for nothing: the machine restarts it. */
  hold(id: string): void
  release(id: string): void
  clear(): void
}

const actions: Record<State, number> = {
  Preparing: 1,
  Waiting: 2,
  Running: 3,
  Stopping: 4,
  Finished: 5,
  Failed: 6,
  Starting: 8,
}

const keptEvents = 20

export function createServiceTable(events: EventLog): ServiceTable {
  const services = new Map<string, Service>()
  const held = new Set<string>()
  const table: ServiceTable = {
    list: () => [...services.values()].sort((a, b) => a.id.localeCompare(b.id)),
    get: (id) => services.get(id),
    set(id, state, facts = {}) {
      const before = services.get(id)
      const healthy = facts.healthy ?? state === 'Running'
      const unknown = facts.unknown ?? state !== 'Running'
      const message = facts.message ?? defaultMessage(state)
      if (
        before?.state === state &&
        before.healthy === healthy &&
        before.unknown === unknown &&
        before.message === message
      )
        return false
      const at = new Date()
      const changed = before?.healthy !== healthy || before.unknown !== unknown
      const history = [...(before?.events ?? []), { msg: message, state, at }].slice(-keptEvents)
      const changedAt = changed || !before ? at : before.changedAt
      services.set(id, { id, state, healthy, unknown, message, changedAt, events: history })
      events.publish('ServiceStateEvent', {
        service: id,
        action: actions[state],
        message,
        health: { unknown, healthy, lastMessage: healthy || unknown ? '' : message, lastChange: timestamp(changedAt) },
      })
      return true
    },
    adopt(states) {
      let changed = false
      for (const { id, state, healthy, unknown, message } of states.filter(({ id }) => !held.has(id))) {
        changed = table.set(id, state, { healthy, unknown, message: message || defaultMessage(state) }) || changed
      }
      return changed
    },
    hold: (id) => void held.add(id),
    release: (id) => void held.delete(id),
    clear() {
      services.clear()
      held.clear()
    },
  }
  return table
}

function defaultMessage(state: State): string {
  const messages: Partial<Record<State, string>> = {
    Preparing: 'Running pre state',
    Starting: 'Starting service',
    Running: 'Health check successful',
    Stopping: 'Sending SIGTERM',
    Finished: 'Service finished successfully',
  }
  return messages[state] ?? ''
}

/** machine.ServiceInfo; talosctl's table panics when events or health are missing. */
export function serviceInfo(service: Service): object {
  return {
    id: service.id,
    state: service.state,
    events: {
      events: service.events.map((event) => ({ msg: event.msg, state: event.state, ts: timestamp(event.at) })),
    },
    health: {
      unknown: service.unknown,
      healthy: service.healthy,
      lastMessage: service.healthy || service.unknown ? '' : service.message,
      lastChange: timestamp(service.changedAt),
    },
  }
}

/** Services whose health Talos doesn't check. */
const unchecked = new Set(['dashboard'])

/** Starts one of the machine's own services. */
export function startService(table: ServiceTable, id: string): void {
  table.set(id, 'Preparing')
  const known = !unchecked.has(id)
  table.set(id, 'Running', { healthy: known, unknown: !known, ...(known ? {} : { message: 'Started task' }) })
}

/** What the readiness of a machine needs (MachineStatusController): problems in Talos's words, empty when all is well. */
export function serviceProblems(table: ServiceTable, controlPlane: boolean): string[] {
  const problems: string[] = []
  const running = new Set<string>()
  for (const service of table.list()) {
    if (service.state !== 'Running') continue
    running.add(service.id)
    if (!service.unknown && !service.healthy) problems.push(`${service.id} not healthy`)
  }
  const required = ['apid', 'machined', 'kubelet', ...(controlPlane ? ['etcd', 'trustd'] : [])]
  for (const id of required) if (!running.has(id)) problems.push(`${id} not running`)
  return problems
}

/** Whether `startAllServices` of the boot sequence is through: every service runs and none is known to be unhealthy. */
export function allServicesUp(table: ServiceTable, controlPlane: boolean): boolean {
  const started = table.list().every((service) => service.state === 'Running' && (service.unknown || service.healthy))
  return started && serviceProblems(table, controlPlane).length === 0
}
