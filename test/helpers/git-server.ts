/** A git remote over HTTP: git's own http-backend behind node's server, as a forge has it, and a bare repository. */
import { execFile, spawn } from 'node:child_process'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export interface GitServer {
  url: string
  /** The bare repository. */
  path: string
  /** Called after each push, before its client has its answer. */
  onPush: (() => Promise<void>) | undefined
  /** Pushes are refused with 503 while it is set. */
  away: boolean
  git: (...args: string[]) => Promise<string>
  stop: () => Promise<void>
}

/** Without the operator's configuration: its hooks, signing and identity have no place here. */
export const gitEnv = {
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_AUTHOR_NAME: 'jane',
  GIT_AUTHOR_EMAIL: 'jane@lab.invalid',
  GIT_COMMITTER_NAME: 'jane',
  GIT_COMMITTER_EMAIL: 'jane@lab.invalid',
}

export async function gitIn(directory: string, ...args: string[]): Promise<string> {
  const { stdout } = await run('git', ['-C', directory, ...args], { env: { ...process.env, ...gitEnv } })
  return stdout.trim()
}

/** @param dir the repository is made in `<dir>/owner/remote.git` */
export async function startGitServer(dir: string): Promise<GitServer> {
  const path = join(dir, 'owner/remote.git')
  await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', path], { env: { ...process.env, ...gitEnv } })
  await gitIn(path, 'config', 'http.receivepack', 'true')
  const server = createServer((request, response) => {
    if (state.away) return void response.writeHead(503).end('away')
    serve(dir, request, response, async () => state.onPush?.())
  })
  const listening = Promise.withResolvers<void>()
  server.listen(0, '127.0.0.1', listening.resolve)
  await listening.promise
  const { port } = server.address() as AddressInfo
  const state: GitServer = {
    url: `http://127.0.0.1:${port}/owner/remote.git`,
    path,
    onPush: undefined,
    away: false,
    git: (...args) => gitIn(path, ...args),
    stop: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return state
}

/** One request through the CGI program. */
function serve(dir: string, request: IncomingMessage, response: ServerResponse, pushed: () => Promise<void>): void {
  const url = new URL(request.url ?? '/', 'http://localhost')
  const child = spawn('git', ['http-backend'], {
    env: {
      PATH: process.env.PATH,
      ...gitEnv,
      GIT_PROJECT_ROOT: dir,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      ...(request.headers['content-encoding'] ? { HTTP_CONTENT_ENCODING: request.headers['content-encoding'] } : {}),
      ...(request.headers['git-protocol'] ? { GIT_PROTOCOL: String(request.headers['git-protocol']) } : {}),
      REMOTE_USER: 'jane',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  request.pipe(child.stdin)
  child.stdin.on('error', () => {})
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.on('close', async () => {
    const output = Buffer.concat(chunks)
    const end = output.indexOf('\r\n\r\n')
    const headers = output
      .subarray(0, end)
      .toString()
      .split('\r\n')
      .map((line) => line.split(': ') as [string, string])
    const status = headers.find(([name]) => name === 'Status')?.[1]
    if (url.pathname.endsWith('/git-receive-pack')) await pushed()
    response.writeHead(
      status ? Number.parseInt(status, 10) : 200,
      Object.fromEntries(headers.filter(([name]) => name !== 'Status')),
    )
    response.end(output.subarray(end + 4))
  })
}
