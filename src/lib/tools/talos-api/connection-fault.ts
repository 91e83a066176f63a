/** Why no connection to a machine's API comes about: nobody there, not ours, or it refuses us. */
import { connect } from 'node:http2'
import type { Result } from '../../types.ts'
import { expiredSince, type Identity } from './identity.ts'
import { talosPort } from './protocol.ts'

/** A machine on the same network answers in milliseconds; a black-holed one never does. */
const connectTimeoutMs = 2_500

type Fault = Extract<Result<never>, { ok: false }>

/** Dials once more by itself, because gRPC tells all of it as `Unavailable`. Undefined when the machine lets us in. */
export function connectionFault(node: string, identity: Identity, signal?: AbortSignal): Promise<Fault | undefined> {
  const { promise, resolve } = Promise.withResolvers<Fault | undefined>()
  const { ca, crt: cert, key } = identity
  const session = connect(`https://${node}:${talosPort}`, { ca, cert, key })
  const settle = (fault?: Fault) => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', aborted)
    session.destroy()
    resolve(fault)
  }
  const unreachable = (why: string) => settle({ ok: false, why: 'unreachable', detail: `${node}: ${why}` })
  const aborted = () => unreachable('interrupted')
  const timer = setTimeout(() => unreachable(`no answer within ${connectTimeoutMs / 1000} s`), connectTimeoutMs)
  signal?.addEventListener('abort', aborted, { once: true })
  if (signal?.aborted) aborted()
  // With TLS 1.3 our side of the handshake is over before the machine has looked at our certificate; this comes after that.
  session.once('remoteSettings', () => settle())
  session.on('error', (error: NodeJS.ErrnoException) => {
    const denied = deniedBecause(error.code ?? '', identity)
    if (denied) settle({ ok: false, why: 'denied', detail: `${node}: ${denied}` })
    else unreachable(error.message)
  })
  session.once('close', () => {
    const expired = expiredSince(identity)
    if (expired) settle({ ok: false, why: 'denied', detail: `${node}: hangs up on us: ${expiredText(expired)}` })
    else unreachable('hangs up on us')
  })
  return promise
}

const expiredText = (since: string) =>
  `our certificate in talosconfig has expired on ${since} (k8sops talos talosconfig)`

/** By the code of Node's TLS (24); undefined for what is no matter of certificates. */
function deniedBecause(code: string, identity: Identity): string | undefined {
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return 'its certificate does not name the address that we dial'
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return "its certificate is not valid now: a machine's clock or ours is wrong, or it was switched off for long"
  if (/^(SELF_SIGNED|DEPTH_ZERO|UNABLE_TO|CERT_)/.test(code))
    return "its certificate is not of the CA in talosconfig: it waits for its first config, or is another cluster's"
  const expired = expiredSince(identity)
  if (!/^ERR_SSL_.*ALERT/.test(code)) return undefined
  if (expired) return expiredText(expired)
  return `it refuses our certificate in talosconfig (${code
    .replace(/^ERR_SSL_(TLSV1_|SSLV3_)?/, '')
    .toLowerCase()
    .replaceAll('_', ' ')})`
}
