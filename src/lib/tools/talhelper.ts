/** Reads about generated machine configs, through talhelper and talosctl. */
import { X509Certificate } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Exec } from '../exec/types.ts'
import type { Result } from '../types.ts'
import { type GenconfigPaths, genconfigArgs } from './talhelper.args.ts'
import { validateArgs } from './talosctl.args.ts'

const timeoutSec = 60
/** The client certificate in talosconfig lives a year; a run must not lose access in its middle. */
const leastValidityMs = 24 * 3600 * 1000

export interface MachineConfigPort {
  /** Names of generated files that are missing or differ from what talhelper makes now. Empty: all is current. */
  stale(paths: GenconfigPaths, talosCa: string, signal: AbortSignal): Promise<Result<string[]>>
  /** Why talosctl finds a file invalid; undefined when it is valid. */
  fault(file: string, signal: AbortSignal): Promise<Result<string | undefined>>
}

/** @param ageKey 1Password reference of the key that the secrets are encrypted to */
export function createMachineConfigPort(root: string, ageKey: string, exec: Exec): MachineConfigPort {
  return {
    async stale(paths, talosCa, signal) {
      const current = join(root, paths.out)
      // Inside the directory that Git ignores: what is made here holds secrets, as the real ones do (mode 0600).
      const parent = await mkdtemp(join(current, '.check-')).catch((error: NodeJS.ErrnoException) => error)
      if (parent instanceof Error) {
        if (parent.code === 'ENOENT') return { ok: true, value: ['everything'] }
        return { ok: false, why: 'failed', detail: parent.message }
      }
      try {
        const made = await exec({ pipeline: [genconfigArgs({ ...paths, out: parent }, ageKey)], timeoutSec, signal })
        if (made.exitCode !== 0)
          return { ok: false, why: 'failed', detail: `talhelper genconfig: ${made.tail.at(-1) ?? 'failed'}` }
        const names = (await readdir(parent)).filter((name) => name.endsWith('.yaml'))
        const stale: string[] = []
        for (const name of names) {
          const [now, then] = await Promise.all([read(join(parent, name)), read(join(current, name))])
          if (now !== then) stale.push(name)
        }
        if (!isUsable(await read(join(current, 'talosconfig')), talosCa)) stale.push('talosconfig')
        return { ok: true, value: stale }
      } catch (error) {
        return { ok: false, why: 'failed', detail: (error as Error).message }
      } finally {
        await rm(parent, { recursive: true, force: true })
      }
    },

    async fault(file, signal) {
      try {
        const result = await exec({ pipeline: [validateArgs(file)], timeoutSec, signal })
        return { ok: true, value: result.exitCode === 0 ? undefined : result.tail.join(' ') }
      } catch (error) {
        return { ok: false, why: 'failed', detail: (error as Error).message }
      }
    },
  }
}

const read = (file: string) => readFile(file, 'utf8').catch(() => undefined)

/** talosconfig differs at each genconfig (a new client certificate); it is good while that is valid and the CA is ours. */
function isUsable(talosconfig: string | undefined, talosCa: string): boolean {
  const pem = (key: string) => Buffer.from(talosconfig?.match(new RegExp(`\\b${key}: (\\S+)`))?.[1] ?? '', 'base64')
  try {
    const ca = new X509Certificate(pem('ca'))
    const client = new X509Certificate(pem('crt'))
    const ours = ca.fingerprint256 === new X509Certificate(talosCa).fingerprint256
    return ours && client.validToDate.getTime() > Date.now() + leastValidityMs
  } catch {
    return false
  }
}
