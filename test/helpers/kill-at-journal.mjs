/**
 * `node --import kill-at-journal.mjs PROGRAM`: the process kills itself with SIGKILL at its n-th journal entry
 * (K8SOPS_TEST_KILL_AT, from 1). K8SOPS_TEST_KILL_HOW: `after` the entry is written, `before` it is written, or `torn`:
 * half of it is. With K8SOPS_TEST_KILL_GROUP=1 the whole process group goes.
 * The program knows nothing of this: node:fs is patched under it.
 */
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

const at = Number(process.env.K8SOPS_TEST_KILL_AT ?? 0)
const how = process.env.K8SOPS_TEST_KILL_HOW ?? 'after'
const { appendFileSync, fsyncSync, readlinkSync } = fs
let entries = 0

const die = () => {
  process.kill(process.env.K8SOPS_TEST_KILL_GROUP ? 0 : process.pid, 'SIGKILL')
  // SIGKILL to oneself is delivered before the call returns; this line only makes that plain.
  for (;;);
}
const isJournal = (file) =>
  typeof file === 'number' && readlinkSync(`/proc/self/fd/${file}`).endsWith('/journal.ndjson')

if (at > 0) {
  fs.appendFileSync = (file, data, ...rest) => {
    if (!isJournal(file) || String(data) === '\n') return appendFileSync(file, data, ...rest)
    entries += 1
    if (entries !== at) return appendFileSync(file, data, ...rest)
    const text = String(data)
    if (how !== 'before') appendFileSync(file, how === 'torn' ? text.slice(0, Math.floor(text.length / 2)) : text)
    fsyncSync(file)
    die()
  }
  syncBuiltinESMExports()
}
