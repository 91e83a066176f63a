/** A method of the machine API as its handlers are written: what differs per method, without routing and wire details. */
import type { SimulatedMachine } from './simulated-machine.ts'

export interface Call {
  /** The machine that answers. */
  machine: SimulatedMachine
  /** Talos roles of the caller. */
  roles: ReadonlySet<string>
  /** Aborted when the caller goes away or the machine goes down. */
  signal: AbortSignal
}

export interface UnaryMethod {
  kind: 'unary'
  path: string
  /** One entry of the response's `messages` without metadata, or the whole response of a COSI method. */
  handle(call: Call, request: unknown): Promise<object>
}

export interface StreamMethod {
  kind: 'stream'
  path: string
  /** `send` resolves when the transport wants more. */
  handle(call: Call, request: unknown, send: (message: object) => Promise<void>): Promise<void>
}

/** The caller streams, the machine answers once. */
export interface UploadMethod {
  kind: 'upload'
  path: string
  handle(call: Call, messages: AsyncIterable<unknown>): Promise<object>
}

export type Method = UnaryMethod | StreamMethod | UploadMethod

export function upload<Message>(
  path: string,
  handle: (call: Call, messages: AsyncIterable<Message>) => Promise<object>,
): UploadMethod {
  return { kind: 'upload', path, handle: (call, messages) => handle(call, messages as AsyncIterable<Message>) }
}

/** @param Request the message as proto-loader reads it: every field present, 64-bit numbers as strings */
export function unary<Request>(path: string, handle: (call: Call, request: Request) => Promise<object>): UnaryMethod {
  return { kind: 'unary', path, handle: (call, request) => handle(call, request as Request) }
}

export function stream<Request>(
  path: string,
  handle: (call: Call, request: Request, send: (message: object) => Promise<void>) => Promise<void>,
): StreamMethod {
  return { kind: 'stream', path, handle: (call, request, send) => handle(call, request as Request, send) }
}
