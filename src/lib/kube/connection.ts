/** HTTPS requests to one cluster's API server, with every failure told apart. */
import type { ClientRequest, IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import type { Result } from '../types.ts'
import { type Access, accessReader, tlsOptions } from './kubeconfig.ts'

export interface RequestOptions {
  /** Another address of the same cluster, `https://10.25.13.12:6443`. */
  server?: string
  signal?: AbortSignal
  /** Until the response's head is there, and between two chunks of its body. */
  timeoutMs?: number
  accept?: string
  /** Waits for one of a few connections where a handshake would cost more: for what is answered at once, like a list. */
  queued?: boolean
  /** POSTed as JSON. The KubePort, which only reads, has no way to give one. */
  body?: string
}

export interface Connection {
  /** The open response of a GET with status 200, or why there is none. */
  open(path: string, options?: RequestOptions): Promise<Result<IncomingMessage>>
  /** The whole body of a GET with status 200. */
  text(path: string, options?: RequestOptions): Promise<Result<string>>
  /** The lines of a body that may have no end, one by one; ok when the server has ended it. */
  lines(path: string, onLine: (line: string) => void, options?: RequestOptions): Promise<Result<string>>
}

type Failure = Extract<Result<never>, { ok: false }>

/** A healthy API server answers a read in milliseconds; a hanging one must not hold a gate for long. */
const requestTimeoutMs = 10_000

/** Lists of a cluster that are read at the same time; each of these connections has a handshake. */
const queues = 3

/** Connections by what waits for them: a watch or a Service that hangs must not hold up the lists. */
interface Ways {
  access: Access
  agent: Agent
  queue: Agent
  /** In the queue, without a connection yet. */
  waiting: Set<ClientRequest>
}

/**
 * Opens no connection by itself. The kubeconfig is read again whenever the file changes, because bootstrap merges the
 * context into it while this connection is already in use.
 */
export function createConnection(target: { kubeconfig: string; context: string }): Connection {
  const accessNow = accessReader(target)
  let known: Ways | undefined

  const access = async (): Promise<Result<Ways>> => {
    const read = await accessNow()
    if (!read.ok) return read
    if (known?.access !== read.value) {
      known?.agent.destroy()
      known?.queue.destroy()
      const made = (more: object) =>
        read.value.agent ?? new Agent({ keepAlive: true, ...tlsOptions(read.value), ...more })
      known = { access: read.value, agent: made({}), queue: made({ maxSockets: queues }), waiting: new Set() }
    }
    return { ok: true, value: known }
  }

  const open = async (path: string, options: RequestOptions = {}): Promise<Result<IncomingMessage>> => {
    const ready = await access()
    // No kubeconfig yet is the same to a caller as a cluster that doesn't answer yet.
    if (!ready.ok) return ready.why === 'not-found' ? { ...ready, why: 'unreachable' } : ready
    const { access: to } = ready.value
    const server = options.server ?? to.server
    const response = await dial(new URL(path, server), ready.value, options)
    if (!(response instanceof Error)) return statusOf(response)
    return failureOf(response, server)
  }

  return {
    open,
    async text(path, options) {
      const response = await open(path, options)
      if (!response.ok) return response
      try {
        return { ok: true, value: await bodyOf(response.value) }
      } catch (error) {
        return failureOf(error as Error, path)
      }
    },
    async lines(path, onLine, options) {
      const response = await open(path, options)
      if (!response.ok) return response
      try {
        for await (const line of linesOf(response.value)) onLine(line)
        return { ok: true, value: '' }
      } catch (error) {
        return failureOf(error as Error, path)
      } finally {
        response.value.destroy()
      }
    },
  }
}

/**
 * The non-empty lines of a response. Not node:readline, whose iterator waits for ever when its input is destroyed
 * without having ended (seen with Node 24.21), which is how an interrupted watch ends.
 */
export async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = ''
  response.setEncoding('utf8')
  for await (const chunk of response) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield* lines.filter(Boolean)
  }
}

function dial(
  url: URL,
  { access: { headers }, agent, queue, waiting }: Ways,
  options: RequestOptions,
): Promise<IncomingMessage | Error> {
  const { promise, resolve } = Promise.withResolvers<IncomingMessage | Error>()
  const timeout = options.timeoutMs ?? requestTimeoutMs
  const { body, queued = false } = options
  const request = httpsRequest(url, {
    agent: queued ? queue : agent,
    method: body === undefined ? 'GET' : 'POST',
    headers: {
      accept: options.accept ?? 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    timeout,
    ...(options.signal ? { signal: options.signal } : {}),
  })
  if (queued) waiting.add(request)
  const giveUp = () => {
    const silent = new Error(`no answer from ${url.host} within ${timeout / 1000} s`)
    request.destroy(silent)
    // Whoever still waits behind it would wait as long again for the same.
    if (queued) for (const other of waiting) other.destroy(silent)
  }
  request.once('socket', () => {
    waiting.delete(request)
    // Node's own timeout (24.21) begins anew once TCP is connected: with a server that does not go on from there it takes twice as long.
    const untilHead = timeout > 0 ? setTimeout(giveUp, timeout) : undefined
    request.once('response', () => clearTimeout(untilHead))
    request.once('close', () => clearTimeout(untilHead))
  })
  request.on('timeout', giveUp)
  request.on('response', resolve)
  request.on('error', resolve)
  request.end(body)
  return promise
}

async function statusOf(response: IncomingMessage): Promise<Result<IncomingMessage>> {
  const status = response.statusCode ?? 0
  if (status >= 200 && status < 300) return { ok: true, value: response }
  const text = await bodyOf(response).catch(() => '')
  const detail = `HTTP ${status}: ${messageOf(text)}`
  if (status === 401 || status === 403) return { ok: false, why: 'denied', detail }
  if (status === 404) return { ok: false, why: 'not-found', detail }
  // 502 comes from the proxy to a Service: what is behind it does not answer.
  // 410 asks for a new list (an expired resourceVersion); watch.ts reads it from the detail's number.
  if (status === 429 || status === 502 || status === 503 || status === 504)
    return { ok: false, why: 'unreachable', detail }
  return { ok: false, why: 'failed', detail }
}

/** The `message` of a Status object, the `error` of a Prometheus API behind the service proxy, else the text itself. */
function messageOf(text: string): string {
  try {
    const status = JSON.parse(text) as { message?: string; error?: string } | string
    return typeof status === 'string' ? status : (status.message ?? status.error ?? text)
  } catch {
    return text.trim()
  }
}

/** By events: an iterator costs a list of a megabyte, which comes in some hundred pieces, more than its parsing. */
function bodyOf(response: IncomingMessage): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const chunks: Buffer[] = []
  response.on('data', (chunk: Buffer) => chunks.push(chunk))
  response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
  response.on('error', reject)
  return promise
}

/** OpenSSL's and Node's codes for "this isn't the cluster that the kubeconfig's CA vouches for". */
const untrusted = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT_|HOSTNAME_MISMATCH)/

function failureOf(error: NodeJS.ErrnoException, server: string): Failure {
  const code = error.code ?? ''
  if (untrusted.test(code)) {
    return {
      ok: false,
      why: 'denied',
      detail: `${server}: its certificate is not one of this cluster's CA (${error.message})`,
    }
  }
  if (/SSL|TLS/.test(code)) return { ok: false, why: 'denied', detail: `${server}: ${error.message}` }
  const members = (error as AggregateError).errors as Error[] | undefined
  return { ok: false, why: 'unreachable', detail: `${server}: ${error.message || members?.[0]?.message || code}` }
}
