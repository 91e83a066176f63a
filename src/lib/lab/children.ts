/** The supervisor's children: each dies with it, is marked with the lab's id, and logs to its own file. */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { signalGroup } from '../exec/process-info.ts'
import { firstOnPath } from '../tools/resolve.ts'
import { dyingWithParent, labMarker } from './processes.ts'
import { logFile } from './record.ts'
import type { ChildOptions, ChildProcess } from './types.ts'

export interface Children {
  spawn(name: string, path: string, args: string[], options?: ChildOptions): ChildProcess
  /** Every child that still runs. */
  running(): ChildProcess[]
  /** SIGKILL to all, in the order given by `first`, then the rest; resolves when they are gone. */
  killAll(first?: string[]): Promise<void>
}

/**
 * @param lab its id and state directory
 * @param env the environment that children start from; PATH, HOME and the like are enough
 */
export function createChildren(lab: { id: string; dir: string }, env: NodeJS.ProcessEnv): Children {
  const setpriv = firstOnPath('setpriv', env)
  const nice = firstOnPath('nice', env)
  const alive = new Set<ChildProcess>()

  return {
    spawn(name, path, args, options = {}) {
      const log = logFile(lab.dir, name)
      mkdirSync(dirname(log), { recursive: true })
      const output = openSync(log, 'a')
      const [file, ...words] =
        nice && options.nice ? [nice, '-n', String(options.nice), path, ...args] : [path, ...args]
      const wrapped = dyingWithParent(setpriv, file, words)
      const child = spawn(wrapped.file, wrapped.args, {
        cwd: lab.dir,
        // The children's environment is the supervisor's own plus what the part gives; the marker always wins.
        env: { ...env, ...options.env, [labMarker]: lab.id },
        stdio: [wrapped.pipe ? 'pipe' : 'ignore', output, output],
        detached: wrapped.pipe,
      })
      closeSync(output)
      const { promise: exited, resolve } = Promise.withResolvers<{ code: number | null; signal: string | null }>()
      const running: ChildProcess = {
        name,
        pid: child.pid ?? -1,
        exited,
        kill(signal = 'SIGTERM') {
          if (wrapped.pipe && child.pid) signalGroup(child.pid, signal)
          else child.kill(signal)
        },
      }
      alive.add(running)
      const ended = (code: number | null, signal: string | null) => {
        alive.delete(running)
        resolve({ code, signal })
      }
      child.once('error', () => ended(127, null))
      child.once('exit', ended)
      return running
    },
    running: () => [...alive],
    async killAll(first = []) {
      const order = [...alive].sort((a, b) => rank(first, a.name) - rank(first, b.name))
      for (const child of order) child.kill('SIGKILL')
      await Promise.all(order.map((child) => child.exited))
    },
  }
}

const rank = (first: string[], name: string) => (first.includes(name) ? first.indexOf(name) : first.length)

export interface KeptRunning {
  /** The process of the moment; undefined while it is being restarted. */
  current(): ChildProcess | undefined
  restarts(): number
  /** Ends it for good. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

/**
 * Starts a process again whenever it ends, as a kubelet does with a static pod: at once the first time, then after
 * 1 s, 2 s, 4 s ... up to 10 s (a kubelet's ceiling of 5 minutes would only make a rehearsal longer). A process that
 * ran for half a minute starts again from the shortest pause.
 * @param onExit told why, before the restart
 */
export function keepRunning(
  start: () => ChildProcess,
  onExit: (why: { code: number | null; signal: string | null }, restartMs: number) => void,
): KeptRunning {
  const stopped = new AbortController()
  let current: ChildProcess | undefined
  let restarts = 0

  const loop = async () => {
    let pauseMs = 0
    while (!stopped.signal.aborted) {
      const startedAt = Date.now()
      current = start()
      const why = await current.exited
      current = undefined
      if (stopped.signal.aborted) return
      if (Date.now() - startedAt > 30_000) pauseMs = 0
      onExit(why, pauseMs)
      await delay(pauseMs, undefined, { signal: stopped.signal }).catch(() => {})
      pauseMs = Math.min(Math.max(1_000, pauseMs * 2), 10_000)
      restarts++
    }
  }
  const ended = loop()

  return {
    current: () => current,
    restarts: () => restarts,
    async stop(signal = 'SIGKILL') {
      stopped.abort()
      current?.kill(signal)
      await ended
    },
  }
}
