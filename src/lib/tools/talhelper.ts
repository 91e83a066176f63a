/** Reads about generated machine configs, through talhelper and talosctl. */
import { randomBytes, X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
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
  /**
   * Makes the configs as talhelper makes them now, for as long as `use` takes.
   * @param use gets the directory, relative to the root; it is inside the one that Git ignores
   */
  withGenerated<T>(
    paths: GenconfigPaths,
    signal: AbortSignal,
    use: (directory: string) => Promise<Result<T>>,
  ): Promise<Result<T>>
}

/** @param ageKey 1Password reference of the key that the secrets are encrypted to */
export function createMachineConfigPort(root: string, ageKey: string, exec: Exec): MachineConfigPort {
  const withGenerated: MachineConfigPort['withGenerated'] = async (paths, signal, use) => {
    const name = `.check-${randomBytes(4).toString('hex')}`
    const out = `${paths.out}/${name}`
    try {
      // Inside the directory that Git ignores: what is made here holds secrets, as the real ones do (mode 0600).
      await mkdir(join(root, out), { recursive: true, mode: 0o700 })
      const made = await exec({ pipeline: [genconfigArgs({ ...paths, out }, ageKey)], timeoutSec, signal })
      if (made.exitCode !== 0)
        return { ok: false, why: 'failed', detail: `talhelper genconfig: ${made.tail.at(-1) ?? 'failed'}` }
      return await use(out)
    } catch (error) {
      return { ok: false, why: 'failed', detail: (error as Error).message }
    } finally {
      await rm(join(root, out), { recursive: true, force: true })
    }
  }

  return {
    withGenerated,

    async stale(paths, talosCa, signal) {
      const current = join(root, paths.out)
      if (!existsSync(current)) return { ok: true, value: ['everything'] }
      return withGenerated(paths, signal, async (directory) => {
        const names = (await readdir(join(root, directory))).filter((name) => name.endsWith('.yaml'))
        const stale: string[] = []
        for (const name of names) {
          const [now, then] = await Promise.all([read(join(root, directory, name)), read(join(current, name))])
          if (now !== then) stale.push(name)
        }
        if (!isUsable(await read(join(current, 'talosconfig')), talosCa)) stale.push('talosconfig')
        return { ok: true, value: stale }
      })
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
