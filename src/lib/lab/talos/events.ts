/** The machine's event stream: what `talosctl events`, `upgrade --wait` and the like follow (talos.md 4.4). */
import { randomBytes } from 'node:crypto'
import type { Stage } from '../types.ts'
import { encodeMessage } from './protocol.ts'

/** The nine event types that talosctl knows; any other makes it give up the stream. */
export type EventType =
  | 'SequenceEvent'
  | 'PhaseEvent'
  | 'TaskEvent'
  | 'ServiceStateEvent'
  | 'MachineStatusEvent'
  | 'RestartEvent'

export interface MachineEvent {
  /** xid: sortable by time. */
  id: string
  actorId: string
  /** google.protobuf.Any: the one message whose field names proto-loader leaves as they are. */
  data: { type_url: string; value: Buffer }
}

export interface EventFilter {
  /** Number of past events, negative for all of this boot. */
  tailEvents: number
  tailId: string
  tailSeconds: number
  actorId: string
}

export interface EventLog {
  publish(type: EventType, payload: object, actorId?: string): void
  /** Events of this boot that the filter asks for, then each new one, until the signal aborts or the log is closed. */
  follow(filter: EventFilter, signal: AbortSignal, onEvent: (event: MachineEvent) => void): Promise<void>
  /** The machine goes down: ends every follower and forgets the events, as a reboot does. */
  close(): void
}

/** Talos keeps 1000 events with a safety gap of 10. */
const kept = 990

export function createEventLog(): EventLog {
  let events: (MachineEvent & { at: number })[] = []
  const followers = new Map<(event: MachineEvent) => void, () => void>()
  return {
    publish(type, payload, actorId = '') {
      const at = Date.now()
      const data = { type_url: `talos/runtime/machine.${type}`, value: encodeMessage(`machine.${type}`, payload) }
      const event = { id: newXid(at), actorId, at, data }
      events.push(event)
      if (events.length > kept) events.shift()
      for (const listener of followers.keys()) listener(event)
    },
    follow(filter, signal, onEvent) {
      const wanted = (event: MachineEvent) => filter.actorId === '' || event.actorId === filter.actorId
      const deliver = (event: MachineEvent) => {
        if (wanted(event)) onEvent(event)
      }
      for (const event of past(events, filter)) deliver(event)
      return new Promise((resolve) => {
        if (signal.aborted) return resolve()
        const end = () => {
          followers.delete(deliver)
          signal.removeEventListener('abort', end)
          resolve()
        }
        followers.set(deliver, end)
        signal.addEventListener('abort', end)
      })
    },
    close() {
      events = []
      for (const end of followers.values()) end()
    },
  }
}

function past(events: (MachineEvent & { at: number })[], filter: EventFilter): MachineEvent[] {
  if (filter.tailEvents < 0) return [...events]
  if (filter.tailEvents > 0) return events.slice(-filter.tailEvents)
  if (filter.tailId !== '') return events.filter((event) => event.id > filter.tailId)
  if (filter.tailSeconds > 0) return events.filter((event) => event.at > Date.now() - filter.tailSeconds * 1000)
  return []
}

const xidAlphabet = '0123456789abcdefghijklmnopqrstuv'
let counter = randomBytes(3).readUIntBE(0, 3)
const host = randomBytes(5)

/** github.com/rs/xid: 4 bytes of seconds, 5 of the host and process, 3 of a counter, in base32hex. */
export function newXid(milliseconds = Date.now()): string {
  counter = (counter + 1) % 0x1000000
  const bytes = Buffer.alloc(12)
  bytes.writeUInt32BE(Math.floor(milliseconds / 1000))
  host.copy(bytes, 4)
  bytes.writeUIntBE(counter, 9, 3)
  let bits = BigInt(`0x${bytes.toString('hex')}`) << 4n
  let text = ''
  for (let index = 0; index < 20; index++) {
    text = (xidAlphabet[Number(bits & 31n)] ?? '') + text
    bits >>= 5n
  }
  return text
}

const stageNumbers: Record<Stage, number> = {
  booting: 1,
  installing: 2,
  maintenance: 3,
  running: 4,
  rebooting: 5,
  'shutting down': 6,
  resetting: 7,
  upgrading: 8,
}

export interface MachineStatus {
  stage: Stage
  ready: boolean
  unmetConditions: { name: string; reason: string }[]
}

export function publishStatus(events: EventLog, status: MachineStatus): void {
  events.publish('MachineStatusEvent', {
    stage: stageNumbers[status.stage],
    status: { ready: status.ready, unmetConditions: status.unmetConditions },
  })
}
