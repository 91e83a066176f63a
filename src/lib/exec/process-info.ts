/** What the operating system tells about processes: who is alive, since when, and which of them are ours. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { hostname, userInfo } from 'node:os'
import { startGuard } from './guard.ts'
import type { ProcessId, ProcessPort } from './types.ts'

/**
 * Start time of a process, or undefined when there is none (a zombie counts as none). On Linux clock ticks since boot
 * (proc(5), field 22 of stat; the command name before it may hold spaces and brackets); elsewhere what `ps` says.
 */
export function startTimeOf(pid: number): string | undefined {
  if (process.platform !== 'linux') return startTimeFromPs(pid)
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

function startTimeFromPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
    return line === '' || line.startsWith('Z') ? undefined : line.slice(line.indexOf(' ')).trim()
  } catch {
    return undefined
  }
}

/** True while that very process lives: a pid alone may have been given to another one since. */
export function isAlive(child: ProcessId): boolean {
  return startTimeOf(child.pid) === child.startTime
}

let place: string | undefined
/**
 * Names the space that a pid means something in: host, boot and pid namespace. Two containers of one host share
 * name and boot, but not the namespace.
 */
export function processSpace(): string {
  place ??= [hostname(), read('/proc/sys/kernel/random/boot_id').slice(0, 8), readNamespace().replace(/\D/g, '')]
    .filter(Boolean)
    .join('/')
  return place
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return ''
  }
}

function readNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

/**
 * Every process but this one with `mark` (`NAME=value`) in its environment. Linux only: elsewhere the list is empty.
 * Another user's processes can't be looked into and are not among them.
 */
export function markedProcesses(mark: string): (ProcessId & { environment: string[] })[] {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((name) => {
      const environment = read(`/proc/${name}/environ`).split('\0')
      const startTime = environment.includes(mark) ? startTimeOf(Number(name)) : undefined
      return startTime === undefined ? [] : [{ pid: Number(name), startTime, environment }]
    })
}

/** Every process of a run, with the step that it was started for. */
export function processesOfRun(runId: string): (ProcessId & { step: string })[] {
  return markedProcesses(`K8SOPS_RUN=${runId}`).map(({ pid, startTime, environment }) => {
    const step = environment.find((entry) => entry.startsWith('K8SOPS_STEP='))?.slice('K8SOPS_STEP='.length) ?? ''
    return { pid, startTime, step }
  })
}

/** SIGKILL, if it still is the process that was meant. */
export function killProcess(child: ProcessId): void {
  if (!isAlive(child)) return
  try {
    process.kill(child.pid, 'SIGKILL')
  } catch {
    // Gone between the look and the signal.
  }
}

/** A signal to a whole process group; nothing when it is gone. */
export function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal)
  } catch {
    // No such group any more.
  }
}

/** The machine's own processes. */
export const processes: ProcessPort = {
  self: () => ({
    pid: process.pid,
    startTime: startTimeOf(process.pid) ?? '',
    space: processSpace(),
    who: `${userInfo().username}@${hostname()}`,
  }),
  isAlive,
  ofRun: processesOfRun,
  end: killProcess,
  guard: startGuard,
}
