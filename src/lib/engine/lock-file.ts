/**
 * A lock among processes of one machine, as numbered files `<dir>/<scope>.<n>.lock`: the highest number is the lock.
 * Taking it means to create n+1, which the file system lets one process do only; the number never goes back, so a
 * process with an old view can't take over what meanwhile belongs to another (removing a stale lock file and creating
 * it anew has that hole).
 */
import { linkSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LockedError } from '../errors.ts'
import type { ProcessPort } from '../exec/types.ts'
import { readText, writeJsonFile } from './journal.ts'

export interface Holder {
  pid: number
  startTime: string
  /** Where the pid means something. */
  space: string
  /** `user@host` */
  who: string
  operation: string
  runId: string
  step?: string
  since: string
  released?: true
}

export interface FileLock {
  /** Counts up with every holder. */
  token: number
  /** Shown to whoever is refused. */
  setStep: (step: string) => void
  release: () => void
}

/**
 * Takes the lock or throws LockedError, which names the holder, its operation and its step. A holder that died is
 * followed at once; one of another machine (a shared directory) can't be judged from here and counts as alive.
 */
export function takeFileLock(
  dir: string,
  scope: string,
  run: { operation: string; runId: string },
  processes: ProcessPort,
): FileLock {
  mkdirSync(dir, { recursive: true })
  const name = scope.replaceAll('/', '_')
  const holder: Holder = { ...processes.self(), ...run, since: new Date().toISOString() }
  const draft = join(dir, `${name}.${process.pid}.${run.runId}.draft`)
  writeFileSync(draft, JSON.stringify(holder), { mode: 0o600 })
  try {
    for (;;) {
      const last = numbersOf(dir, name).at(-1) ?? 0
      const current = last === 0 ? undefined : readHolder(pathOf(dir, name, last))
      if (current && isHeld(current, processes)) throw lockedBy(current, scope)
      const token = last + 1
      if (!createOnce(draft, pathOf(dir, name, token))) continue
      // The file may have been removed as an old one by a later holder between our look and our link.
      if ((numbersOf(dir, name).at(-1) ?? 0) > token) {
        rmSync(pathOf(dir, name, token), { force: true })
        continue
      }
      for (const old of numbersOf(dir, name)) if (old < token) rmSync(pathOf(dir, name, old), { force: true })
      return held(pathOf(dir, name, token), token, holder)
    }
  } finally {
    rmSync(draft, { force: true })
  }
}

/** Who holds a lock now, if anybody. */
export function fileLockHolder(dir: string, scope: string, processes: ProcessPort): Holder | undefined {
  const name = scope.replaceAll('/', '_')
  const last = numbersOf(dir, name).at(-1)
  const holder = last === undefined ? undefined : readHolder(pathOf(dir, name, last))
  return holder && isHeld(holder, processes) ? holder : undefined
}

export function lockedBy(
  holder: Pick<Holder, 'who' | 'operation' | 'runId' | 'step' | 'since'> & { pid?: number },
  scope: string,
): LockedError {
  const where = holder.pid === undefined ? holder.who : `${holder.who} (pid ${holder.pid})`
  const step = holder.step ? `, at step ${holder.step}` : ''
  return new LockedError(`${scope} is locked by ${where}: ${holder.operation}${step}, since ${holder.since}`, {
    next: `wait for run ${holder.runId} to end, or look at it with: k8sops run show ${holder.runId}`,
  })
}

function held(path: string, token: number, holder: Holder): FileLock {
  return {
    token,
    // For those who are refused; a power cut that takes it takes the holder, too.
    setStep: (step) => writeJsonFile(path, { ...holder, step }, { synced: false }),
    // Kept as a file: the highest number must never go back.
    release: () => writeJsonFile(path, { ...holder, released: true }),
  }
}

function isHeld(holder: Holder, processes: ProcessPort): boolean {
  if (holder.released) return false
  return holder.space !== processes.self().space || processes.isAlive(holder)
}

function pathOf(dir: string, name: string, number: number): string {
  return join(dir, `${name}.${number}.lock`)
}

function numbersOf(dir: string, name: string): number[] {
  return entriesOf(dir)
    .filter((file) => file.startsWith(`${name}.`) && file.endsWith('.lock'))
    .map((file) => Number(file.slice(name.length + 1, -'.lock'.length)))
    .filter(Number.isInteger)
    .sort((a, b) => a - b)
}

function entriesOf(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

/** Undefined when it was removed since, or can't be understood; link() makes whole files appear, so that means damage. */
function readHolder(path: string): Holder | undefined {
  try {
    return JSON.parse(readText(path) ?? '') as Holder
  } catch {
    return undefined
  }
}

/** link(2) fails when the name exists, and the file appears with all its content. */
function createOnce(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
