/**
 * `node --import kill-at-boundary.ts PROGRAM`: the process group of PROGRAM dies by SIGKILL as soon as a journal entry is
 * written that is to be a boundary: `{only?: string[], used: string[]}` in the file K8SOPS_TEST_BOUNDARIES says which
 * (all, or those in `only`), and each one is used once. K8SOPS_TEST_BOUNDARY_SEED decides how that death looks: the entry
 * is whole, torn in half, or has never been written.
 * The program knows nothing of this: node:fs is patched under it.
 */
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import type { JournalEntry } from '../../src/lib/engine/journal.ts'

const file = process.env.K8SOPS_TEST_BOUNDARIES
const seed = process.env.K8SOPS_TEST_BOUNDARY_SEED ?? ''
const { appendFileSync, fsyncSync, readFileSync, readlinkSync, renameSync, writeFileSync } = fs

/** What makes two entries the same boundary: `process-started crds/apply helmfile`, `lock lease held`. */
export function boundaryOf(entry: JournalEntry): string {
  const { type, step, argv, lock, state } = entry as Partial<Record<string, string>> & { argv?: string[] }
  return [type, step, argv?.[0]?.split('/').at(-1), lock, state].filter(Boolean).join(' ')
}

const isJournal = (target: unknown): target is number =>
  typeof target === 'number' && readlinkSync(`/proc/self/fd/${target}`).endsWith('/journal.ndjson')

function isBoundary(file: string, name: string): boolean {
  const { only, used } = JSON.parse(readFileSync(file, 'utf8')) as { only?: string[]; used: string[] }
  if (used.includes(name) || (only && !only.includes(name))) return false
  writeFileSync(`${file}.new`, JSON.stringify({ only, used: [...used, name] }))
  renameSync(`${file}.new`, file)
  return true
}

function die(): never {
  process.kill(0, 'SIGKILL')
  // SIGKILL to oneself is delivered before the call returns; this line only makes that plain.
  for (;;);
}

if (file) {
  fs.appendFileSync = (target, data, options) => {
    const text = String(data)
    if (!isJournal(target) || text === '\n') return appendFileSync(target, data, options)
    const name = boundaryOf(JSON.parse(text) as JournalEntry)
    if (!isBoundary(file, name)) return appendFileSync(target, data, options)
    const how = createHash('sha256').update(`${seed} ${name}`).digest().readUInt8() % 4
    if (how !== 1) appendFileSync(target, how === 2 ? text.slice(0, Math.floor(text.length / 2)) : text)
    fsyncSync(target)
    die()
  }
  syncBuiltinESMExports()
}
