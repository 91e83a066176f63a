/**
 * Where labs live on this machine, and `lab.json`, which says everything that resolves a Target to one of them:
 * `<state>/k8sops/labs/<lab name>/<cluster>/lab.json`. Written once by `lab up`, read by every command with --lab.
 */
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type LabFile, labDirectory } from '../config/target.ts'

/** What --lab reads of it (LabFile), and what the lab itself needs. */
export interface LabRecord extends LabFile {
  apiVersion: 'k8sops.dev/v1'
  kind: 'Lab'
  /** Value of K8SOPS_LAB_ID in every child of the supervisor, so that a crash leaves nothing that can't be found. */
  id: string
  /** Hostname in talconfig by dialled address: what faults and messages call a machine before it has a config. */
  hostnames: Record<string, string>
  /** The repository that was materialised. */
  source: string
  /** The context that bootstrap makes in it. */
  context: string
  /** Path of talosconfig, relative to root. */
  talosconfig: string
  createdAt: string
  /** Encrypted files of the repository whose values are made up here. */
  standIns: number
  /** The process that runs the lab; a pid alone may belong to somebody else by now. */
  supervisor?: { pid: number; startTime: string }
}

/** The directory that holds every lab of this user: `<lab name>/<cluster>` below it. */
export const labsHome = (env: NodeJS.ProcessEnv) => dirname(dirname(labDirectory(env, 'name', 'cluster')))

export const recordFile = (dir: string) => join(dir, 'lab.json')
export const socketFile = (dir: string) => join(dir, 'supervisor.sock')
export const logFile = (dir: string, name: string) => join(dir, 'logs', `${name}.log`)

/** The record in `dir`, or undefined when there is no lab. */
export async function readRecord(dir: string): Promise<LabRecord | undefined> {
  try {
    return JSON.parse(await readFile(recordFile(dir), 'utf8')) as LabRecord
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Replaces the record in one step, so that a reader never sees half of it. It names keys' files but holds no secret. */
export async function writeRecord(record: LabRecord): Promise<void> {
  const file = recordFile(record.dir)
  await writeFile(`${file}.new`, `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}

/** Every lab that has a record, running or not, sorted by name and cluster. */
export async function listRecords(env: NodeJS.ProcessEnv, name?: string): Promise<LabRecord[]> {
  const home = labsHome(env)
  const names = name === undefined ? await directories(home) : [name]
  const clusters = await Promise.all(names.map((lab) => directories(join(home, lab))))
  const dirs = names.flatMap((lab, index) => (clusters[index] ?? []).map((cluster) => join(home, lab, cluster)))
  const records = await Promise.all(dirs.map((dir) => readRecord(dir)))
  return records.filter((record) => record !== undefined)
}

async function directories(path: string): Promise<string[]> {
  try {
    const entries = await readdir(path, { withFileTypes: true })
    return entries
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
      .sort()
  } catch {
    return []
  }
}
