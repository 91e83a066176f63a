/**
 * Processes of a lab: how they are started so that they die with the supervisor, and how what a crash left behind is
 * found. A pid is never trusted alone: pids are used again, so every kill compares the start time as well.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { isAlive, killProcess, markedProcesses } from '../exec/process-info.ts'
import type { ProcessId } from '../exec/types.ts'

/** The environment variable that marks every child of a lab's supervisor. */
export const labMarker = 'K8SOPS_LAB_ID'

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

export interface Orphan extends ProcessId {
  command: string
}

/** Every process of the lab, except this one. */
export function processesOfLab(id: string): Orphan[] {
  return markedProcesses(`${labMarker}=${id}`).map(({ pid, startTime }) => ({
    pid,
    startTime,
    command: commandOf(pid),
  }))
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').join(' ').trim()
  } catch {
    return '(ended)'
  }
}

/**
 * Kills everything that carries the lab's marker and waits until it is gone.
 * @returns what was found
 * @throws Error when something survives for ten seconds (another user's process would)
 */
export async function sweep(id: string): Promise<Orphan[]> {
  const found = processesOfLab(id)
  for (const orphan of found) killProcess(orphan)
  const deadline = Date.now() + 10_000
  while (found.some(isAlive)) {
    if (Date.now() > deadline) {
      const left = found.filter(isAlive).map(({ pid, command }) => `${pid} ${command}`)
      throw new Error(`processes of the lab do not end: ${left.join(' · ')}`)
    }
    // The kernel tells only a parent when a process has ended; these are not our children.
    await delay(5)
  }
  return found
}
