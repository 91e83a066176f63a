/**
 * A run on disk: `<stateDir>/runs/<id>/{plan.json,journal.ndjson,result.json,logs/}`. Every entry is written before what it announces
 * happens, so that after kill -9 the next process knows where to look; a process that is about to start is on the disk before.
 */
import { appendFileSync, closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Plan, RunResult } from '../types.ts'

export type JournalEntry = { at: string } & (
  | { type: 'run-started'; pid: number; startTime: string; space: string; holder: string; resumeOf?: string }
  | { type: 'step-started'; step: string }
  | { type: 'process-started'; step: string; pid: number; startTime: string; argv: string[] }
  | { type: 'process-ended'; step: string; pid: number; exitCode: number | null }
  | { type: 'step-skipped'; step: string; reason: string }
  | { type: 'step-done'; step: string; seconds: number }
  | { type: 'step-failed'; step: string; message: string }
  | { type: 'step-interrupted'; step: string }
  | { type: 'lock'; lock: 'file' | 'lease'; state: 'held' | 'unavailable' | 'lost' | 'released'; detail?: string }
  | { type: 'silence'; state: 'held' | 'unavailable' | 'ended'; id?: string; detail?: string }
  | { type: 'basis-moved'; step: string; digest: string }
  | { type: 'survivor'; step: string; pid: number; outcome: 'ended' | 'killed' }
  | { type: 'run-finished'; outcome: RunResult['outcome']; exitCode: number }
)

/** `Omit` that keeps the union apart. */
type Undated<T> = T extends unknown ? Omit<T, 'at'> : never
export type NewEntry = Undated<JournalEntry>

export interface Journal {
  /** Written when it returns, and with what `lasting` names on the disk. Throws when the disk is full: then the run must not go on. */
  append: (entry: NewEntry) => void
  close: () => void
}

/**
 * What a power cut must not take: that a process is about to start, that files are our own edit, and that all is done. Whatever was written before
 * goes to the disk with it. What else is lost, how a step ended, is asked of live state again, as after a kill before it was written.
 */
const lasting = new Set<JournalEntry['type']>(['process-started', 'basis-moved', 'run-finished'])

export function runDirectory(stateDir: string, runId: string): string {
  return join(stateDir, 'runs', runId)
}

/** `bootstrap-apps-20261123T181502-3f9c`: sorts by time within an operation, is unique without asking anybody. */
export function newRunId(plan: Plan, now: Date = new Date()): string {
  const stamp = now.toISOString().replace(/[-:]/g, '').slice(0, 15)
  const random = Math.floor(Math.random() * 0x10000)
    .toString(16)
    .padStart(4, '0')
  return `${plan.operation.replace(/[^\w.-]/g, '-')}-${plan.cluster}-${stamp}-${random}`
}

/** The journal of a run, opened for appending; a line torn by an earlier death is closed off first. */
export function openJournal(runDir: string): Journal {
  mkdirSync(join(runDir, 'logs'), { recursive: true })
  const path = join(runDir, 'journal.ndjson')
  const torn = readText(path)
  const descriptor = openSync(path, 'a', 0o600)
  if (torn !== undefined && torn !== '' && !torn.endsWith('\n')) appendFileSync(descriptor, '\n')
  syncDirectory(runDir)
  return {
    append: (entry) => {
      appendFileSync(descriptor, `${JSON.stringify({ at: new Date().toISOString(), ...entry })}\n`)
      if (lasting.has(entry.type)) fsyncSync(descriptor)
    },
    close: () => closeSync(descriptor),
  }
}

/** Every whole entry of a run's journal. A line that was cut off by a crash is left out; an absent file is empty. */
export function readJournal(runDir: string): JournalEntry[] {
  return (readText(join(runDir, 'journal.ndjson')) ?? '').split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line) as JournalEntry]
    } catch {
      return []
    }
  })
}

/**
 * Writes a JSON file so that a reader sees the old one or the new one, whole, whatever happens meanwhile.
 * @param options.synced without it a power cut may leave an empty file
 */
export function writeJsonFile(path: string, value: unknown, { synced = true } = {}): void {
  mkdirSync(dirname(path), { recursive: true })
  const draft = `${path}.${process.pid}.draft`
  const descriptor = openSync(draft, 'w', 0o600)
  try {
    appendFileSync(descriptor, `${JSON.stringify(value, null, 2)}\n`)
    if (synced) fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
  renameSync(draft, path)
  if (synced) syncDirectory(dirname(path))
}

/** A rename is on the disk only once its directory is. */
function syncDirectory(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
