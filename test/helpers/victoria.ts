/** The real programs of the monitoring, each on a free loopback port and with a directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './lab.ts'
import { tool } from './talos-fleet.ts'

export interface Program {
  url: string
  directory: string
  /** What it has printed so far. */
  output: () => string
  /** Ends it, at once unless another signal asks for more, and keeps its directory. */
  stop: (signal?: NodeJS.Signals) => Promise<void>
  close: () => Promise<void>
}

interface Start {
  /** Of its own, or one that it goes on with. */
  directory?: string
  port?: number
  /** Where it says that it serves. */
  ready?: string
}

/**
 * @param args of the program, for the address `127.0.0.1:<port>` that it gets and its directory
 * @throws with what it printed when it does not answer within 20 s
 */
export async function startProgram(
  name: string,
  args: (listen: string, directory: string) => string[],
  { directory, port, ready = '/health' }: Start = {},
): Promise<Program> {
  const home = directory ?? mkdtempSync(join(tmpdir(), `k8sops-${name}-`))
  const listen = `127.0.0.1:${port ?? (await freePort())}`
  const file = join(home, `${name}.output`)
  const sink = openSync(file, 'a')
  const child = spawn(tool(name), args(listen, home), { cwd: home, stdio: ['ignore', sink, sink] })
  const url = `http://${listen}`
  const output = () => readFileSync(file, 'utf8')
  const stop = (signal: NodeJS.Signals = 'SIGKILL') => end(child, signal)
  try {
    const answers = async () => (await fetch(`${url}${ready}`).catch(() => undefined))?.ok === true
    await eventually(answers, (yes) => yes, 20)
  } catch {
    await stop()
    throw new Error(`${name} does not answer: ${output()}`)
  }
  return {
    url,
    directory: home,
    output,
    stop,
    async close() {
      await stop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}

export const startVictoriaMetrics = (start?: Start, more: string[] = []): Promise<Program> =>
  startProgram(
    'victoria-metrics',
    (listen) => [`-httpListenAddr=${listen}`, '-storageDataPath=data', '-retentionPeriod=90d', ...more],
    start,
  )

export const startVictoriaLogs = (): Promise<Program> =>
  startProgram('victoria-logs', (listen) => [
    `-httpListenAddr=${listen}`,
    '-storageDataPath=data',
    '-retentionPeriod=30d',
  ])

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  return port
}

export interface Answer {
  metric: Record<string, string>
  values: [time: number, value: string][]
}

/** Asks like a panel does. @param start in seconds since 1970, as `end` @throws what the server says of the query */
export async function queryRange(url: string, query: string, start: number, end: number, step = 60): Promise<Answer[]> {
  const body = new URLSearchParams({ query, start: `${start}`, end: `${end}`, step: `${step}`, nocache: '1' })
  const response = await fetch(`${url}/api/v1/query_range`, { method: 'POST', body })
  const answer = (await response.json()) as { status: string; error?: string; data?: { result: Answer[] } }
  if (answer.status !== 'success') throw new Error(`${query}: ${answer.error}`)
  return answer.data?.result ?? []
}
