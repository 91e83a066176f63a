/** A Lab for tests of one part: the seams of src/lib/lab/types.ts without a supervisor. */
import { spawn } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import type { ActiveFault, ChildProcess, Lab } from '../../src/lib/lab/types.ts'

export interface StubLab extends Lab {
  logs: string[]
  setFaults(faults: ActiveFault[]): void
  announceApi(): void
}

/**
 * First three octets of loopback addresses for one test file, not those of any lab (127.13): ports are fixed where Talos has
 * them, and another checkout's tests may run on this machine at the same time.
 */
export const ownNetwork = (): string => `127.${randomInt(64, 128)}.${randomInt(256)}`

/**
 * @param dir state directory, made if it isn't there; the materialised repository is `<dir>/repo`
 * @param number third octet of its loopback addresses; each test file has its own
 */
export function stubLab(dir: string, number: number, tools: Record<string, string> = {}): StubLab {
  mkdirSync(join(dir, 'logs'), { recursive: true })
  const logs: string[] = []
  let faults: ActiveFault[] = []
  let up = false
  const faultListeners = new Set<() => void>()
  const apiListeners = new Set<() => void>()
  return {
    spec: {
      name: 'stub',
      cluster: 'apps',
      number,
      dir,
      root: join(dir, 'repo'),
      base: `127.13.${number}.1`,
      vip: `127.13.${number}.10`,
      machines: [],
      talosVersion: 'v1.12.0',
      kubernetesVersion: 'v1.35.4',
      tools,
      pace: 0.1,
    },
    faults: {
      active: (name, node) =>
        faults.find((fault) => fault.name === name && (!fault.node || !node || fault.node === node)),
      list: () => [...faults],
      onChange(listener) {
        faultListeners.add(listener)
        return () => faultListeners.delete(listener)
      },
    },
    spawn: (name, path, args, options) => spawnChild(dir, name, path, args, options?.env),
    log: (part, message) => logs.push(`${part}: ${message}`),
    adminKubeconfig: join(dir, 'admin.kubeconfig'),
    onApiUp(listener) {
      apiListeners.add(listener)
      if (up) listener()
    },
    get apiUp() {
      return up
    },
    logs,
    setFaults(next) {
      faults = next
      for (const listener of faultListeners) listener()
    },
    announceApi() {
      up = true
      for (const listener of apiListeners) listener()
    },
  }
}

function spawnChild(
  dir: string,
  name: string,
  path: string,
  args: string[],
  env: Record<string, string> = {},
): ChildProcess {
  const log = openSync(join(dir, 'logs', `${name}.log`), 'a')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', path, ...args], {
    cwd: dir,
    env: { ...process.env, ...env },
    stdio: ['ignore', log, log],
  })
  const { promise: exited, resolve } = Promise.withResolvers<{ code: number | null; signal: string | null }>()
  child.once('exit', (code, signal) => resolve({ code, signal }))
  child.once('error', () => resolve({ code: 127, signal: null }))
  return { name, pid: child.pid ?? -1, exited, kill: (signal = 'SIGTERM') => void child.kill(signal) }
}
