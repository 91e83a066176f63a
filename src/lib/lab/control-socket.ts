/** How commands talk to a running lab: HTTP and JSON on `<dir>/supervisor.sock`, which only its owner can open. */
import { rmSync } from 'node:fs'
import { createServer, request as httpRequest, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { OperatorError, UnreachableError, UsageError } from '../errors.ts'
import type { Json } from '../types.ts'
import { socketFile } from './record.ts'
import { shortSocketPath } from './socket-path.ts'
import type { ActiveFault } from './types.ts'

/** What the supervisor answers. */
export interface Control {
  status(): Json
  faults(): ActiveFault[]
  addFault(fault: ActiveFault): Promise<void>
  /** How many were removed. */
  clearFaults(name?: string, node?: string): Promise<number>
  /** Ends the lab's processes and then the supervisor; the answer may never arrive. */
  stop(): void
  /** The power button of a machine, by hostname or address. */
  power(node: string, action: 'on' | 'cut'): Promise<void>
  /** A local process at `at` (`127.0.0.1:4711`) stands for the pod at `pod`; without `at` nobody does any more. */
  stand(pod: string, at?: string): void
}

/** Listens on the lab's socket. The directory itself is closed to other users. */
export function serveControl(dir: string, control: Control): Promise<Server> {
  rmSync(socketFile(dir), { force: true })
  const server = createServer((request, response) => {
    answer(control, request).then(
      (value) => reply(response, 200, value),
      (error: Error) => {
        const refused = error instanceof OperatorError
        reply(response, refused ? 400 : 500, {
          message: error.message,
          next: refused ? (error.detail.next ?? null) : null,
        })
      },
    )
  })
  return shortSocketPath(socketFile(dir), (path, done) => {
    const { promise, resolve, reject } = Promise.withResolvers<Server>()
    server.once('error', reject)
    server.listen(path, () => resolve(server))
    return promise.finally(done)
  })
}

async function answer(control: Control, request: IncomingMessage): Promise<Json> {
  const url = new URL(request.url ?? '/', 'http://lab')
  const query = (name: string) => url.searchParams.get(name) ?? undefined
  const body = async () => JSON.parse(await textOf(request)) as unknown
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /status':
      return control.status()
    case 'GET /faults':
      return control.faults() as unknown as Json
    case 'POST /faults':
      await control.addFault((await body()) as ActiveFault)
      return null
    case 'DELETE /faults':
      return control.clearFaults(query('name'), query('node'))
    case 'POST /power': {
      const { node, action } = (await body()) as { node: string; action: 'on' | 'cut' }
      await control.power(node, action)
      return null
    }
    case 'POST /pods': {
      const { pod, at } = (await body()) as { pod: string; at?: string }
      control.stand(pod, at)
      return null
    }
    case 'POST /stop':
      setImmediate(() => control.stop())
      return null
    default:
      throw new UsageError(`the supervisor knows no ${request.method} ${url.pathname}`)
  }
}

function reply(response: ServerResponse, status: number, value: Json): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

const timeoutMs = 10_000

/**
 * One request to the supervisor of the lab in `dir`.
 * @throws UnreachableError when it doesn't answer, UsageError with its words when it refuses
 */
export async function callSupervisor<T = Json>(
  dir: string,
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<T> {
  const response = await shortSocketPath(socketFile(dir), (socketPath, done) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const call = httpRequest({ socketPath, method, path, timeout: timeoutMs }, resolve)
    call.on('timeout', () => call.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
    call.on('error', reject)
    call.end(body === undefined ? undefined : JSON.stringify(body))
    return promise.finally(done)
  }).catch((error: Error) => {
    throw new UnreachableError('the lab does not answer', {
      output: error.message,
      next: 'k8sops lab status',
      cause: error,
    })
  })
  const value: unknown = JSON.parse(await textOf(response))
  if (response.statusCode === 200) return value as T
  const { message, next } = value as { message: string; next: string | null }
  throw new UsageError(message, next ? { next } : {})
}
