/**
 * Processes of a lab: how they are started so that they die with the supervisor, and how what a crash left behind is
 * found. A pid is never trusted alone: pids are used again, so every kill compares the start time as well.
 */
import { readdirSync, readFileSync } from 'node:fs'

/** The environment variable that marks every child of a lab's supervisor. */
export const labMarker = 'K8SOPS_LAB_ID'

/** Start time of a process in clock ticks since boot (field 22 of /proc/PID/stat), or undefined when it is gone. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in parentheses and may hold spaces; what follows the last one is regular.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // A zombie has ended; its parent just hasn't looked yet.
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

/** Whether that very process still runs. */
export function isRunning(process: { pid: number; startTime: string }): boolean {
  return startTime(process.pid) === process.startTime
}

/**
 * The argv that makes a child die by SIGKILL as soon as its parent does, whatever ends the parent. util-linux'
 * setpriv sets the kernel's parent-death signal and costs nothing; where it is missing, a shell holds a pipe from the
 * parent and kills its process group when the pipe closes.
 */
export function dyingWithParent(
  setpriv: string | undefined,
  path: string,
  args: string[],
): { file: string; args: string[]; pipe: boolean } {
  if (setpriv) return { file: setpriv, args: ['--pdeathsig', 'KILL', '--', path, ...args], pipe: false }
  // Needs `detached: true` (its own process group) and a pipe as stdin that the parent never writes to.
  const script = 'exec 3<&0 </dev/null; "$@" 3<&- & c=$!; (read -r _ <&3; kill -9 0) & exec 3<&-; wait $c; exit $?'
  return { file: '/bin/sh', args: ['-c', script, 'sh', path, ...args], pipe: true }
}

export interface Orphan {
  pid: number
  startTime: string
  command: string
}

/** Every process whose environment carries the lab's marker, except this one. */
export function markedProcesses(id: string): Orphan[] {
  const entry = `${labMarker}=${id}`
  const found: Orphan[] = []
  for (const name of readdirSync('/proc')) {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    try {
      if (!readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(entry)) continue
      const started = startTime(pid)
      const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').join(' ').trim()
      if (started !== undefined) found.push({ pid, startTime: started, command })
    } catch {
      // Ended in between, or belongs to another user.
    }
  }
  return found
}

/** SIGKILL to a process if it is still the same one. Returns whether it was. */
export function killExactly(target: { pid: number; startTime: string }): boolean {
  if (!isRunning(target)) return false
  try {
    process.kill(target.pid, 'SIGKILL')
    return true
  } catch {
    return false
  }
}

/**
 * Kills everything that carries the lab's marker and waits until it is gone.
 * @returns what was found
 * @throws Error when something survives for two seconds (another user's process would)
 */
export async function sweep(id: string): Promise<Orphan[]> {
  const { setTimeout: delay } = await import('node:timers/promises')
  const found = markedProcesses(id)
  for (const orphan of found) killExactly(orphan)
  const deadline = Date.now() + 2_000
  while (found.some(isRunning)) {
    if (Date.now() > deadline) {
      const left = found.filter(isRunning).map(({ pid, command }) => `${pid} ${command}`)
      throw new Error(`processes of the lab do not end: ${left.join(' · ')}`)
    }
    // The kernel tells only a parent when a process has ended; these are not our children.
    await delay(5)
  }
  return found
}
