/**
 * One call of the Talos API: gRPC over HTTP/2 with talosconfig's certificate. Every machine is dialled at its own address and answers
 * for itself: through another one, or the VIP, a read would need the very things that it asks about. A call has its connection to
 * itself, so that none is left over from before a restart.
 */
import { connect, type IncomingHttpHeaders } from 'node:http2'
import type { Result } from '../../types.ts'
import { codes } from './codes.ts'
import { expiredSince, type Identity } from './identity.ts'

/** apid's port. */
export const talosPort = 50_000
/** A machine on the same network answers in milliseconds; a black-holed one never does. */
const connectTimeoutMs = 2_500
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
  const session = connect(`https://${node}:${talosPort}`, { secureContext: identity.secureContext })
  const settle = (result: Result<Buffer[]>) => {
    clearTimeout(connecting)
    clearTimeout(calling)
    signal?.removeEventListener('abort', aborted)
    resolve(result)
    session.destroy()
  }
  const fail = (why: 'unreachable' | 'denied' | 'failed', what: string) =>
    settle({ ok: false, why, detail: `${node}: ${what}` })
  const aborted = () => fail('unreachable', 'interrupted')
  const connecting = setTimeout(
    () => fail('unreachable', `no answer within ${connectTimeoutMs / 1000} s`),
    connectTimeoutMs,
  )
  const calling = setTimeout(
    () => fail('failed', `DeadlineExceeded: no answer to ${path} within ${callTimeoutMs / 1000} s`),
    callTimeoutMs,
  )
  signal?.addEventListener('abort', aborted, { once: true })
  // With TLS 1.3 our side of the handshake is over before the machine has looked at our certificate; this comes after that.
  session.once('remoteSettings', () => clearTimeout(connecting))
  session.on('error', (error: NodeJS.ErrnoException) => {
    const denied = deniedBecause(error.code ?? '', identity)
    fail(denied ? 'denied' : 'unreachable', denied ?? error.message)
  })
  session.once('close', () => {
    const expired = expiredSince(identity)
    fail(expired ? 'denied' : 'unreachable', expired ? expiredText(expired) : 'hangs up on us')
  })

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
    // Cut off before there was an answer: the session says why.
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

const expiredText = (since: string) =>
  `our certificate in talosconfig has expired on ${since} (k8sops talos talosconfig)`

export const notValidNow =
  "its certificate is not valid now: a machine's clock or ours is wrong, or it was switched off for long"

/** By the code of Node's TLS (24); undefined for what is no matter of certificates. */
function deniedBecause(code: string, identity: Identity): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'its certificate does not name the address that we dial'
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') return notValidNow
  if (/^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_)/.test(code))
    return "its certificate is not of the CA in talosconfig: it waits for its first config, or is another cluster's"
  if (!/^ERR_SSL_.*ALERT/.test(code)) return undefined
  const expired = expiredSince(identity)
  if (expired) return expiredText(expired)
  const alert = code.replace(/^ERR_SSL_(TLSV1_|SSLV3_)?/, '').toLowerCase()
  return `it refuses our certificate in talosconfig (${alert.replaceAll('_', ' ')})`
}
