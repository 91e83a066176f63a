/**
 * Connections to the Talos API of machines. Calls that begin together share one, because its handshake costs more than they do; a later call
 * makes its own, so that none is ever made on what is left over from before a restart.
 */
import { type ClientHttp2Session, connect } from 'node:http2'
import { expiredSince, type Identity } from './identity.ts'

/** apid's port. */
export const talosPort = 50_000
/** A machine on the same network answers in milliseconds; a black-holed one never does. */
const connectTimeoutMs = 2_500
/** A machine takes longer than this to go away and come back. */
const sharedMs = 1_000

export type Lost = (why: 'unreachable' | 'denied', what: string) => void

export interface Connection {
  session: ClientHttp2Session
  /** The last call that leaves ends it. */
  leave: () => void
}

interface Shared {
  session: ClientHttp2Session
  since: number
  calls: Set<Lost>
}

/** By address, of one identity: another certificate is another connection. */
const open = new WeakMap<Identity, Map<string, Shared>>()

/** @param lost told once when the connection could not be made or was cut off */
export function join(node: string, identity: Identity, lost: Lost): Connection {
  const known = open.get(identity) ?? new Map<string, Shared>()
  open.set(identity, known)
  const before = known.get(node)
  const usable =
    before && !before.session.closed && !before.session.destroyed && performance.now() - before.since < sharedMs
  const shared = usable ? before : dial(node, identity)
  known.set(node, shared)
  shared.calls.add(lost)
  return {
    session: shared.session,
    leave: () => {
      shared.calls.delete(lost)
      if (shared.calls.size > 0) return
      shared.session.destroy()
      if (known.get(node) === shared) known.delete(node)
    },
  }
}

function dial(node: string, identity: Identity): Shared {
  const session = connect(`https://${node}:${talosPort}`, { secureContext: identity.secureContext })
  const shared: Shared = { session, since: performance.now(), calls: new Set() }
  const lose: Lost = (why, what) => {
    for (const call of shared.calls) call(why, what)
  }
  const connecting = setTimeout(
    () => lose('unreachable', `no answer within ${connectTimeoutMs / 1000} s`),
    connectTimeoutMs,
  )
  // With TLS 1.3 our side of the handshake is over before the machine has looked at our certificate; this comes after that.
  session.once('remoteSettings', () => clearTimeout(connecting))
  session.on('error', (error: NodeJS.ErrnoException) => {
    const denied = deniedBecause(error.code ?? '', identity)
    lose(denied ? 'denied' : 'unreachable', denied ?? error.message)
  })
  session.once('close', () => {
    clearTimeout(connecting)
    if (shared.calls.size === 0) return
    const expired = expiredSince(identity)
    lose(expired ? 'denied' : 'unreachable', expired ? expiredText(expired) : 'hangs up on us')
  })
  return shared
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
