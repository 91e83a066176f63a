/** The TalosPort: reads through the pinned talosctl, one node at a time. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { Exec } from '../exec/types.ts'
import type { Command, NodeState, Result, TalosPort } from '../types.ts'
import {
  etcdAlarmsArgs,
  etcdMembersArgs,
  etcdStatusArgs,
  getArgs,
  insecureMachineStatusArgs,
  readArgs,
} from './talosctl.args.ts'
import {
  type Output,
  parseEtcdAlarms,
  parseEtcdMembers,
  parseEtcdStatus,
  parseResources,
  reachOf,
  stateOf,
  talosMessage,
} from './talosctl.parse.ts'

/** apid's port. */
export const talosPort = 50_000
/** A black-holed host would cost 20 s per gRPC dial; a machine on the same network answers in milliseconds. */
const connectTimeoutMs = 2_500
const callTimeoutSec = 20
/** A machine whose network takes our packets and gives no answer counts as down; talosctl itself would try for 20 s. */
const stateTimeoutSec = 8
/** How often an unsettled answer (a connection that broke without a reason) is asked again. */
const attempts = 4

/** @param target where talosconfig is; it may not exist yet */
export function createTalosPort(target: { root: string; talosconfig: string }, exec: Exec): TalosPort {
  const call = async (command: Command, signal?: AbortSignal, timeoutSec = callTimeoutSec): Promise<Output> => {
    const result = await exec({ pipeline: [command], timeoutSec, ...(signal ? { signal } : {}) })
    const late = result.ended === 'timeout' ? `\ni/o timeout: no answer within ${timeoutSec} s` : ''
    return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr + late }
  }
  /** talosctl 1.12 makes an empty file of a talosconfig that is not there, and from then on it looks as if there were one. */
  const missing = (): Result<never> | undefined =>
    existsSync(join(target.root, target.talosconfig))
      ? undefined
      : { ok: false, why: 'unreachable', detail: `there is no ${target.talosconfig} yet (k8sops talos gen)` }
  /** What `read` makes of the output of a command that succeeded. */
  const ask = async <T>(
    node: string,
    command: Command,
    read: (stdout: string) => Result<T>,
    signal?: AbortSignal,
  ): Promise<Result<T>> => {
    const none = missing()
    if (none) return none
    const output = await call(command, signal)
    return output.exitCode === 0 ? read(output.stdout) : failure(node, output)
  }
  /** A node that fails leaves its row out, ends with exit code 0 and says why on stderr (etcd commands of talosctl 1.12). */
  const askTable = async <T>(
    node: string,
    command: Command,
    read: (stdout: string) => Result<T>,
    signal?: AbortSignal,
  ): Promise<Result<T>> => {
    const none = missing()
    if (none) return none
    const output = await call(command, signal)
    const silent = output.stdout.trim() === '' && output.stderr.trim() !== ''
    return output.exitCode === 0 && !silent ? read(output.stdout) : failure(node, output)
  }
  const { talosconfig } = target
  const secureStatus = (node: string) => getArgs(talosconfig, node, 'machinestatus')

  const state = async (node: string, signal?: AbortSignal): Promise<Result<NodeState>> => {
    const closed = await handshakeError(node, talosPort, signal)
    if (closed) return { ok: true, value: 'down' }
    let last: Output | undefined
    for (let attempt = 0; attempt < attempts && !signal?.aborted; attempt++) {
      const secure = existsSync(join(target.root, target.talosconfig))
        ? await call(secureStatus(node), signal, stateTimeoutSec)
        : undefined
      const settled = secure && stateOf(secure, undefined)
      if (settled) return { ok: true, value: settled }
      last = await call(insecureMachineStatusArgs(node), signal, stateTimeoutSec)
      const found = stateOf(secure, last)
      // A machine that took its first config between the two questions looks like somebody else's: asked again, it is ours.
      if (found === 'foreign-pki' && attempt === 0) continue
      if (found) return { ok: true, value: found }
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

  return {
    state,
    get: (node, type, id, signal) => ask(node, getArgs(talosconfig, node, type, id), parseResources, signal),
    etcdMembers: (node, signal) => askTable(node, etcdMembersArgs(talosconfig, node), parseEtcdMembers, signal),
    etcdStatus: (node, signal) => askTable(node, etcdStatusArgs(talosconfig, node), parseEtcdStatus, signal),
    etcdAlarms: (node, signal) => askTable(node, etcdAlarmsArgs(talosconfig, node), parseEtcdAlarms, signal),
    read: (node, path, signal) =>
      ask(node, readArgs(talosconfig, node, path), (stdout) => ({ ok: true, value: stdout }), signal),
  }
}

function failure(node: string, output: Output): Result<never> {
  const reach = reachOf(output)
  const message = talosMessage(output)
  // Where talosctl names the node itself, once is enough.
  const detail = message.startsWith(`${node}: `) ? message : `${node}: ${message}`
  if (reach === 'down' || reach === 'broken') return { ok: false, why: 'unreachable', detail }
  if (reach === 'refused' || reach === 'ok') return { ok: false, why: 'failed', detail }
  return { ok: false, why: 'denied', detail }
}

/**
 * Why no TLS handshake comes about, or undefined when one does (with whatever certificate) or the machine at least hangs
 * up on us: then talosctl will say why.
 */
export function handshakeError(host: string, port: number, signal?: AbortSignal): Promise<string | undefined> {
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
