/** Which of the five states a machine is in (reference talos.md 1.2), as the pinned talosctl gets to see it. */
import { existsSync } from 'node:fs'
import { connect } from 'node:tls'
import type { Exec } from '../exec/types.ts'
import type { Command, NodeState, Result } from '../types.ts'
import { notValidNow, talosPort } from './talos-api/connection.ts'
import { insecureMachineStatusArgs, machineStatusArgs } from './talosctl.args.ts'
import { type Output, reachOf, stateOf, talosMessage } from './talosctl.parse.ts'

/** A black-holed host would cost 20 s per gRPC dial; a machine on the same network answers in milliseconds. */
const connectTimeoutMs = 2_500
/** A machine whose network takes our packets and gives no answer counts as down; talosctl itself would try for 20 s. */
const timeoutSec = 8
/** How often an unsettled answer (a connection that broke without a reason) is asked again. */
const attempts = 4

/** @param talosconfig path as talosctl gets it, and as it is found from here; it may not exist yet */
export async function machineState(
  node: string,
  talosconfig: { path: string; absolute: string },
  exec: Exec,
  signal?: AbortSignal,
): Promise<Result<NodeState>> {
  const call = async (command: Command): Promise<Output> => {
    const result = await exec({ pipeline: [command], timeoutSec, ...(signal ? { signal } : {}) })
    const late = result.ended === 'timeout' ? `\ni/o timeout: no answer within ${timeoutSec} s` : ''
    return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr + late }
  }
  const closed = await handshakeError(node, talosPort, signal)
  if (closed) return { ok: true, value: 'down' }
  let last: Output | undefined
  for (let attempt = 0; attempt < attempts && !signal?.aborted; attempt++) {
    // talosctl 1.12 makes an empty file of a talosconfig that is not there, and from then on it looks as if there were one.
    const secure = existsSync(talosconfig.absolute) ? await call(machineStatusArgs(talosconfig.path, node)) : undefined
    const settled = secure && stateOf(secure, undefined)
    if (settled) return { ok: true, value: settled }
    last = await call(insecureMachineStatusArgs(node))
    const found = stateOf(secure, last)
    // A machine that took its first config between the two questions looks like somebody else's: asked again, it is ours.
    if (found === 'foreign-pki' && attempt === 0) continue
    if (found) return { ok: true, value: found }
    if (secure && reachOf(secure) === 'not-valid-now')
      return { ok: false, why: 'denied', detail: `${node}: ${notValidNow}` }
    if (!secure && reachOf(last) === 'certificate-required') {
      return {
        ok: false,
        why: 'failed',
        detail: `${node} is configured; there is no talosconfig yet that tells whose it is`,
      }
    }
  }
  return { ok: false, why: 'bad-output', detail: last ? talosMessage(last) : 'interrupted' }
}

/**
 * Why no TLS handshake comes about, or undefined when one does (with whatever certificate) or the machine at least hangs
 * up on us: then talosctl will say why.
 */
function handshakeError(host: string, port: number, signal?: AbortSignal): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>()
  // Only whether somebody is there: nothing is sent, and talosctl checks the certificate.
  const socket = connect({ host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'] })
  const settle = (error?: string) => {
    clearTimeout(timer)
    signal?.removeEventListener('abort', aborted)
    socket.destroy()
    resolve(error)
  }
  const aborted = () => settle('interrupted')
  const timer = setTimeout(() => settle(`no answer within ${connectTimeoutMs / 1000} s`), connectTimeoutMs)
  signal?.addEventListener('abort', aborted, { once: true })
  if (signal?.aborted) aborted()
  socket.once('secureConnect', () => settle())
  socket.once('error', (error: NodeJS.ErrnoException) => {
    const hungUp = error.code === 'ECONNRESET' || error.code === 'EPIPE' || /SSL|TLS/.test(error.code ?? '')
    settle(hungUp ? undefined : error.message)
  })
  return promise
}
