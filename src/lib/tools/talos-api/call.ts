/**
 * One call of the Talos API: gRPC over HTTP/2 with talosconfig's certificate. Every machine is dialled at its own address and answers
 * for itself: through another one, or the VIP, a read would need the very things that it asks about.
 */
import { constants, type IncomingHttpHeaders } from 'node:http2'
import type { Result } from '../../types.ts'
import { join } from './connection.ts'
import type { Identity } from './identity.ts'
import { codes } from './status-codes.ts'

const callTimeoutMs = 10_000

export type MethodPath = `/${string}/${string}`

/** The answer's messages: of a stream all of them, else one. */
export function callTalos(
  node: string,
  identity: Identity,
  path: MethodPath,
  request: Buffer,
  signal?: AbortSignal,
): Promise<Result<Buffer[]>> {
  const { promise, resolve } = Promise.withResolvers<Result<Buffer[]>>()
  const settle = (result: Result<Buffer[]>) => {
    clearTimeout(calling)
    signal?.removeEventListener('abort', aborted)
    resolve(result)
    leave()
  }
  const fail = (why: 'unreachable' | 'denied' | 'failed', what: string) =>
    settle({ ok: false, why, detail: `${node}: ${what}` })
  const { session, leave } = join(node, identity, fail)
  const aborted = () => {
    fail('unreachable', 'interrupted')
    stream.close(constants.NGHTTP2_CANCEL)
  }
  const calling = setTimeout(() => {
    fail('failed', `DeadlineExceeded: no answer to ${path} within ${callTimeoutMs / 1000} s`)
    stream.close(constants.NGHTTP2_CANCEL)
  }, callTimeoutMs)
  signal?.addEventListener('abort', aborted, { once: true })

  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  const chunks: Buffer[] = []
  let told: IncomingHttpHeaders = {}
  // A call that fails at once has its status in the headers, any other one after the messages.
  stream.on('response', (headers) => {
    told = headers
  })
  stream.on('trailers', (trailers) => {
    told = trailers
  })
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  stream.on('error', () => {})
  stream.on('close', () => {
    const status = told['grpc-status']
    // Cut off before there was an answer: the session says why, and takes no other call.
    if (status === undefined) return session.close()
    if (status === '0') return settle({ ok: true, value: messagesOf(Buffer.concat(chunks)) })
    const code = codes[Number(status)] ?? `code ${String(status)}`
    const text = `${node}: ${code}: ${unescaped(String(told['grpc-message'] ?? ''))}`
    settle({ ok: false, why: reasons[code] ?? 'failed', detail: text })
  })
  stream.end(frame(request))
  if (signal?.aborted) aborted()
  return promise
}

/** Unavailable is none of these: a machine that answers says so of a service that does not run, as of etcd before its bootstrap. */
const reasons: Record<string, 'denied' | 'not-found'> = {
  PermissionDenied: 'denied',
  Unauthenticated: 'denied',
  NotFound: 'not-found',
}

/** Percent-encoded where it has to be. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** A byte that says "not compressed", and the length. */
function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function messagesOf(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = []
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1)
    messages.push(bytes.subarray(at + 5, end))
    at = end
  }
  return messages
}
