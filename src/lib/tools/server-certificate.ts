/** The certificate that a machine shows, without a client certificate of ours: whose it is can be told before we may talk to it. */
import type { X509Certificate } from 'node:crypto'
import { connect } from 'node:tls'
import type { Result } from '../types.ts'

const timeoutMs = 2_500

/**
 * TLS 1.3 servers (Talos's apid) send theirs before they ask for ours, so that the handshake is over when they refuse us.
 * @returns `unreachable` when no handshake comes about
 */
export function serverCertificate(host: string, port: number, signal?: AbortSignal): Promise<Result<X509Certificate>> {
  const { promise, resolve } = Promise.withResolvers<Result<X509Certificate>>()
  // Whether it is the right one is what the caller decides on.
  const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  const settle = (result: Result<X509Certificate>) => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', aborted)
    socket.destroy()
    resolve(result)
  }
  const fail = (detail: string) => settle({ ok: false, why: 'unreachable', detail: `${host}:${port}: ${detail}` })
  const aborted = () => fail('interrupted')
  const timer = setTimeout(() => fail(`no answer within ${timeoutMs / 1000} s`), timeoutMs)
  signal?.addEventListener('abort', aborted, { once: true })
  if (signal?.aborted) aborted()
  socket.once('secureConnect', () => {
    const certificate = socket.getPeerX509Certificate()
    if (certificate) settle({ ok: true, value: certificate })
    else fail('it showed no certificate')
  })
  socket.once('error', (error) => fail(error.message))
  return promise
}
