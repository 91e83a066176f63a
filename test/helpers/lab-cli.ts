/** The command line as an operator starts it: a process of its own, in its own process group, on a lab. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { listRuns, type StoredRun } from '../../src/lib/engine/runs.ts'
import { processes } from '../../src/lib/exec/process-info.ts'
import { callSupervisor } from '../../src/lib/lab/control-socket.ts'
import { labDown } from '../../src/lib/lab/down.ts'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import type { ActiveFault } from '../../src/lib/lab/types.ts'
import type { RunEvent, RunResult } from '../../src/lib/types.ts'
import { eventually, repositoryRoot } from './lab.ts'

export { patience } from './patience.ts'

/** What an operator gets to see. `error`: of a command that ended before a run began. */
export interface CliEnded {
  code: number | null
  signal: NodeJS.Signals | null
  stdout: string
  stderr: string
  seconds: number
  events: RunEvent[]
  result?: RunResult
  error?: { name: string; message: string; exitCode: number; next?: string; problems?: object[] }
}

export interface CliProcess {
  /** Leader of its process group. */
  pid: number
  ended: Promise<CliEnded>
  /** The first event that fits, from the beginning on; rejects when the process ends without one. */
  event: (fits: (event: RunEvent) => boolean) => Promise<RunEvent>
  signal: (signal: NodeJS.Signals, options?: { group: boolean }) => void
  /** Its standard output so far. */
  printed: () => string
}

export interface CliOptions {
  env?: NodeJS.ProcessEnv
  /** Loaded before the program, which knows nothing of it. */
  preload?: string
  cwd?: string
}

/** Starts `k8sops ARGS -o json`; progress comes as NDJSON on stderr, the result as JSON on stdout. */
export function startCli(args: string[], { env = process.env, preload, cwd = repositoryRoot }: CliOptions): CliProcess {
  const started = performance.now()
  const program = [...(preload ? ['--import', preload] : []), join(repositoryRoot, 'bin/k8sops.js')]
  const child = spawn(process.execPath, [...program, ...args, '-o', 'json'], {
    cwd,
    env,
    // Its own process group, as a shell gives to each job.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const events: RunEvent[] = []
  const waiting = new Set<(event: RunEvent | undefined) => void>()
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  createInterface({ input: child.stderr }).on('line', (line) => {
    stderr += `${line}\n`
    const event = parse<RunEvent>(line)
    if (event === undefined || !('at' in event)) return
    events.push(event)
    for (const tell of waiting) tell(event)
  })
  const { promise: ended, resolve, reject } = Promise.withResolvers<CliEnded>()
  child.on('error', reject)
  child.on('close', (code, signal) => {
    for (const tell of waiting) tell(undefined)
    const result = parse<RunResult>(stdout)
    const last = stderr.trimEnd().split('\n').at(-1) ?? ''
    const error = parse<NonNullable<CliEnded['error']>>(last)
    resolve({
      code,
      signal,
      stdout,
      stderr,
      seconds: (performance.now() - started) / 1000,
      events,
      ...(result?.kind === 'RunResult' ? { result } : {}),
      ...(error?.exitCode === undefined ? {} : { error }),
    })
  })
  return {
    pid: child.pid ?? 0,
    ended,
    printed: () => stdout,
    event(fits) {
      const known = events.find(fits)
      if (known) return Promise.resolve(known)
      return new Promise((found, missed) => {
        const tell = (event: RunEvent | undefined) => {
          if (event !== undefined && !fits(event)) return
          waiting.delete(tell)
          if (event) found(event)
          else missed(new Error(`k8sops ${args.join(' ')} ended without it:\n${stderr.slice(-2000)}`))
        }
        waiting.add(tell)
      })
    },
    signal(name, options = { group: true }) {
      try {
        process.kill(options.group ? -(child.pid ?? 0) : (child.pid ?? 0), name)
      } catch {
        // It has ended.
      }
    },
  }
}

/** One lab as commands name it. */
export interface LabCli {
  record: LabRecord
  start: (args: string[], options?: CliOptions) => CliProcess
  run: (args: string[], options?: CliOptions) => Promise<CliEnded>
  runs: () => StoredRun[]
  addFault: (fault: ActiveFault) => Promise<void>
  /** All of them without a name. */
  clearFaults: (name?: string) => Promise<void>
  down: () => Promise<void>
}

export function labCli(record: LabRecord, env: NodeJS.ProcessEnv): LabCli {
  const flags = ['--cluster', record.cluster, '--lab', '--lab-name', record.name]
  const start: LabCli['start'] = (args, options = {}) =>
    startCli([...args, ...flags], { ...options, env: { ...env, ...options.env } })
  return {
    record,
    start,
    run: (args, options) => start(args, options).ended,
    runs: () => listRuns(join(record.root, '.k8sops'), processes),
    addFault: (fault) => callSupervisor(record.dir, 'POST', '/faults', fault),
    clearFaults: async (name) =>
      void (await callSupervisor<number>(record.dir, 'DELETE', name ? `/faults?name=${name}` : '/faults')),
    down: async () => void (await labDown(record, false)),
  }
}

/** Until every gate of a healthy cluster holds. */
export const wellAgain = (lab: LabCli) =>
  eventually(
    () => lab.run(['talos', 'health']),
    ({ code }) => code === 0,
    180,
  )

/** `done`, `skipped` ... by step. */
export function statesOf(result: RunResult | undefined): Record<string, string> {
  return Object.fromEntries((result?.steps ?? []).map(({ id, state }) => [id, state]))
}

export const isStart = (step: string) => (event: RunEvent) => event.type === 'step-started' && event.step === step

/** Everything that the operator was told, for messages of a test that fails. */
export function told({ code, signal, stderr, result }: CliEnded): string {
  const steps = result?.steps.map(({ id, state, reason = '' }) => `${id}: ${state} ${reason}`) ?? []
  return [`exit ${code ?? signal}`, ...steps, result?.error?.message ?? '', stderr.slice(-3000)].join('\n')
}

function parse<T>(text: string): T | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as T) : undefined
  } catch {
    return undefined
  }
}

export const readLog = (record: LabRecord, name: string) =>
  readFileSync(join(record.dir, 'logs', `${name}.log`), 'utf8')
