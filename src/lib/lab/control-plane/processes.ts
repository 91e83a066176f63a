/**
 * The processes behind every control plane of the lab: one API server, controller manager and scheduler, and kwok. A
 * killed one starts again as a kubelet would start a static pod.
 */
import { readFile } from 'node:fs/promises'
import { Agent, get } from 'node:https'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type KeptRunning, keepRunning } from '../children.ts'
import type { Lab, MachineConfig } from '../types.ts'
import { apiServerArgs, controllerManagerArgs, kwokArgs, schedulerArgs } from './components.ts'
import { apiPort, controlPlaneDir, writeControlPlaneFiles } from './configuration.ts'
import { toolPath } from './etcd.ts'

export interface ControlPlane {
  /** Starts everything; resolves when the API server is ready. Throws when it isn't within the deadline. */
  start(config: MachineConfig, advertised: string): Promise<void>
  /** Once the kind Stage is served. */
  startKwok(): void
  stop(): Promise<void>
  readonly running: boolean
  /** Kills the API server, which starts again; false when it doesn't run. */
  killApi(): boolean
  status(): { name: string; pid: number | null; restarts: number }[]
}

const readyDeadlineMs = 60_000
const askAgainMs = 50

/** @param onReady each time the API server answers again: after its start, and after each restart */
export function createControlPlane(lab: Lab, onReady: (ready: boolean) => void): ControlPlane {
  const { spec } = lab
  const processes = new Map<string, KeptRunning>()
  let life = new AbortController()

  const keep = (name: string, args: string[], ended?: () => void) => {
    const process = keepRunning(
      () => lab.spawn(name, toolPath(lab, name), args, { env: { KWOK_WORKDIR: join(spec.dir, 'kwok') } }),
      ({ code, signal }, restartMs) => {
        lab.log(name, `ended (${signal ?? `exit ${code}`}), starts again in ${restartMs} ms`)
        ended?.()
      },
    )
    processes.set(name, process)
  }

  const untilReady = async (signal: AbortSignal) => {
    const probe = await readinessProbe(spec.dir, spec.base)
    const deadline = Date.now() + readyDeadlineMs
    try {
      while (!signal.aborted) {
        const problem = await probe.ask()
        if (!problem) return
        if (Date.now() > deadline) throw new Error(`the API server is not ready after 60 s: ${problem}`)
        await delay(askAgainMs, undefined, { signal }).catch(() => {})
      }
    } finally {
      probe.close()
    }
    throw new Error('the control plane was stopped')
  }

  return {
    get running() {
      return processes.size > 0
    },
    async start(config, advertised) {
      await writeControlPlaneFiles(spec, config)
      life = new AbortController()
      const { signal } = life
      keep('kube-apiserver', apiServerArgs(spec, config, advertised), () => {
        onReady(false)
        untilReady(signal).then(
          () => onReady(true),
          (error: Error) => lab.log('kube-apiserver', error.message),
        )
      })
      await untilReady(signal)
      keep('kube-controller-manager', controllerManagerArgs(spec, config))
      keep('kube-scheduler', schedulerArgs(spec, config))
      onReady(true)
    },
    async stop() {
      life.abort()
      const all = [...processes.values()]
      processes.clear()
      onReady(false)
      // A SIGTERM would take the API server a minute (and keep its port), so it gets none.
      await Promise.all(all.map((process) => process.stop('SIGKILL')))
    },
    killApi() {
      const process = processes.get('kube-apiserver')?.current()
      process?.kill('SIGKILL')
      return process !== undefined
    },
    status: () =>
      [...processes].map(([name, process]) => ({
        name,
        pid: process.current()?.pid ?? null,
        restarts: process.restarts(),
      })),
    startKwok() {
      if (!processes.has('kwok')) keep('kwok', kwokArgs(spec))
    },
  }
}

/** GET /readyz with the administrator's certificate: anonymous requests are refused. */
async function readinessProbe(dir: string, base: string) {
  const file = (name: string) => readFile(join(controlPlaneDir(dir), name))
  const [ca, cert, key] = await Promise.all([file('ca.crt'), file('probe.crt'), file('probe.key')])
  const agent = new Agent({ keepAlive: true, ca, cert, key })
  return {
    /** Why it isn't ready, or undefined. */
    ask: () =>
      new Promise<string | undefined>((resolve) => {
        const request = get(`https://${base}:${apiPort}/readyz`, { agent, timeout: 2_000 }, (response) => {
          response.resume()
          response.once('end', () => resolve(response.statusCode === 200 ? undefined : `HTTP ${response.statusCode}`))
          response.once('error', (error) => resolve(error.message))
        })
        request.on('timeout', () => request.destroy(new Error('no answer')))
        request.on('error', (error) => resolve(error.message))
      }),
    close: () => agent.destroy(),
  }
}
