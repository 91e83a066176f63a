/** `lab up`: makes a lab, or starts one again with the state that it had. */
import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import type { Server } from 'node:net'
import { dirname, extname, join } from 'node:path'
import { clusterNamed, type Repository } from '../config/load.ts'
import { labDirectory } from '../config/target.ts'
import { InterruptedError, LockedError, OperatorError, ToolError, UsageError } from '../errors.ts'
import { isAlive } from '../exec/process-info.ts'
import { lockLab, takeOnceLetGo } from './lock.ts'
import { materialise } from './materialise/materialise.ts'
import { claimFreeNumber, claimNumber, highestNumber } from './numbers.ts'
import { sweep } from './processes.ts'
import { type LabRecord, listRecords, logFile, readRecord } from './record.ts'
import type { SupervisorMessage } from './supervisor.ts'

export interface UpOptions {
  /** Checked and sound. */
  repository: Repository
  cluster: string
  name: string
  /** Factor on simulated durations, 0.01 to 10. */
  pace: number
  /** A particular number instead of the first free one. */
  number?: number
  /** Absolute paths of the pinned tools by name. */
  tools: Record<string, string>
  env: NodeJS.ProcessEnv
  note: (text: string) => void
  /** Ctrl-C: nothing is left behind. */
  signal?: AbortSignal
}

export interface UpResult {
  record: LabRecord
  /** `running`: it was there already; `restarted`: with the state that it had. */
  outcome: 'created' | 'restarted' | 'running'
  seconds: number
}

/** In a package the sources are JavaScript. */
const supervisorFile = join(import.meta.dirname, `supervisor${extname(import.meta.filename)}`)
const readyDeadlineMs = 60_000

/**
 * Brings up one lab. Its machines are in maintenance mode afterwards, or where they were.
 * @throws UsageError, ConfigError before anything is made; LockedError when another `lab up` is at it; ToolError when
 *   the supervisor ends before it is ready, with the end of its log
 */
export async function labUp(options: UpOptions): Promise<UpResult> {
  const started = performance.now()
  const { name, env, note } = options
  if (!/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/.test(name)) {
    throw new UsageError(`${name} is no name for a lab`, { next: 'lower-case letters, digits and dashes, at most 32' })
  }
  const cluster = clusterNamed(options.repository, options.cluster)
  const dir = labDirectory(env, name, cluster.name)
  const unlock = await lockLab(dir)
  try {
    const known = await readRecord(dir)
    const done = (record: LabRecord, outcome: UpResult['outcome']): UpResult => ({
      record,
      outcome,
      seconds: (performance.now() - started) / 1000,
    })
    if (known?.supervisor && isAlive(known.supervisor)) return done(known, 'running')
    if (known) {
      const orphans = await sweep(known.id)
      if (orphans.length > 0) note(`ended ${orphans.length} processes that a crash had left`)
      note(`lab ${name} of ${cluster.name} goes on with its state and its copy of the repository of ${known.createdAt}`)
      return done(await start(dir, await claimOf(known.number), options), 'restarted')
    }
    const { number, claim } = await claimNumberFor(options)
    try {
      await materialise({ ...options, cluster, dir, number })
      return done(await start(dir, claim, options), 'created')
    } catch (error) {
      claim.close()
      // Half a lab helps nobody, except for its log.
      if (!(error instanceof ToolError)) await rm(dir, { recursive: true, force: true })
      throw error
    }
  } finally {
    unlock()
  }
}

async function claimNumberFor({ env, number }: UpOptions): Promise<{ number: number; claim: Server }> {
  if (number === undefined) {
    const others = await listRecords(env)
    return claimFreeNumber(new Set(others.map((record) => record.number)))
  }
  if (!Number.isInteger(number) || number < 1 || number > highestNumber) {
    throw new UsageError(`${number} is no number for a lab`, { next: `1 to ${highestNumber}` })
  }
  return { number, claim: await claimOf(number) }
}

async function claimOf(number: number): Promise<Server> {
  const claim = await takeOnceLetGo(() => claimNumber(number))
  if (claim) return claim
  throw new LockedError(`the addresses 127.13.${number}.x are in use by another lab`, { next: 'k8sops lab status' })
}

/** Starts the supervisor in a session of its own, hands it the claim and waits until it is ready. */
async function start(dir: string, claim: Server, { env, signal }: UpOptions): Promise<LabRecord> {
  const log = logFile(dir, 'supervisor')
  mkdirSync(dirname(log), { recursive: true })
  const output = openSync(log, 'a')
  const child = spawn(process.execPath, [supervisorFile, dir], {
    cwd: dir,
    // detached: setsid, so that no terminal's hang-up or Ctrl-C reaches it.
    detached: true,
    stdio: ['ignore', output, output, 'ipc'],
    env: { ...env, NODE_OPTIONS: '' },
  })
  closeSync(output)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const interrupted = () => reject(new InterruptedError('the lab was not started'))
  signal?.addEventListener('abort', interrupted)
  if (signal?.aborted) interrupted()
  const failed = (why: string) => reject(new ToolError(`the lab could not start: ${why}`, { next: `less ${log}` }))
  const timer = setTimeout(() => failed(`it is not ready after ${readyDeadlineMs / 1000} s`), readyDeadlineMs)
  child.once('error', (error) => failed(error.message))
  child.once('exit', (code, signal) => failed(`its supervisor ended (${signal ?? `exit ${code}`})`))
  child.on('message', (message: SupervisorMessage) => ('failed' in message ? failed(message.failed) : resolve()))
  child.send({ claim: true }, claim, {}, (error) => {
    if (error) failed(error.message)
  })
  try {
    await promise
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', interrupted)
    child.removeAllListeners()
    if (child.connected) child.disconnect()
    child.unref()
    // The supervisor holds it now.
    claim.close()
  }
  const record = await readRecord(dir)
  if (!record) throw new OperatorError(`${dir} is gone`, 1)
  return record
}
