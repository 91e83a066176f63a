/** Real labs for the lab ring: brought up from this repository, in a state directory and with addresses of their own. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { loadRepository } from '../../src/lib/config/load.ts'
import { callSupervisor } from '../../src/lib/lab/control-socket.ts'
import { labDown } from '../../src/lib/lab/down.ts'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import type { LabStatus } from '../../src/lib/lab/status.ts'
import { labTools } from '../../src/lib/lab/tools.ts'
import { labUp, type UpResult } from '../../src/lib/lab/up.ts'
import { patience, slowness } from './patience.ts'

const run = promisify(execFile)

export const repositoryRoot = join(import.meta.dirname, '../..')

export interface LabHome {
  env: NodeJS.ProcessEnv
  up(cluster: string, options?: { name?: string; pace?: number }): Promise<UpResult>
  /** Ends every lab that was brought up, and removes the state. */
  close(): Promise<void>
}

/** A state directory for labs; the tools come from the machine's cache, or are made. */
export function labHome(): LabHome {
  const state = mkdtempSync(join(tmpdir(), 'k8sops-labs-'))
  const env = { ...process.env, XDG_STATE_HOME: state }
  const records = new Map<string, LabRecord>()
  return {
    env,
    async up(cluster, { name = 'test', pace = 0.1 } = {}) {
      const tools = await labTools(env, new AbortController().signal, (line) => console.error(line))
      const repository = await loadRepository(repositoryRoot)
      const result = await labUp({ repository, cluster, name, pace, tools, env, note: () => {} })
      records.set(result.record.dir, result.record)
      return result
    },
    async close() {
      for (const record of records.values()) await labDown(record, false)
      rmSync(state, { recursive: true, force: true })
    },
  }
}

export interface Ended {
  code: number
  stdout: string
  stderr: string
}

/** Runs one of the lab's tools with the lab's environment, in its copy of the repository. Never throws. */
export async function inLab(record: LabRecord, tool: string, ...args: string[]): Promise<Ended> {
  return inLabWith(record, {}, tool, ...args)
}

export async function inLabWith(
  record: LabRecord,
  env: Record<string, string>,
  tool: string,
  ...args: string[]
): Promise<Ended> {
  try {
    const options = {
      cwd: record.root,
      env: { ...process.env, ...record.env, ...env },
      timeout: 60_000,
      maxBuffer: 2 ** 26,
    }
    return { code: 0, ...(await run(join(record.dir, 'bin', tool), args, options)) }
  } catch (error) {
    const { code, stdout, stderr } = error as { code?: number; stdout?: string; stderr?: string }
    return { code: typeof code === 'number' ? code : 1, stdout: stdout ?? '', stderr: stderr ?? String(error) }
  }
}

/**
 * Asks until the answer is right. Throws with the last answer when it isn't within the time.
 * @param seconds on a quiet machine; more where it is busy when they are over
 */
export async function eventually<T>(ask: () => Promise<T>, right: (answer: T) => boolean, seconds: number): Promise<T> {
  const begun = Date.now()
  for (;;) {
    const asked = Date.now()
    const answer = await ask()
    if (right(answer)) return answer
    const allowed = Math.round(seconds * Math.max(patience, slowness()))
    if (Date.now() > begun + allowed * 1000)
      throw new Error(`not within ${allowed} s; the last answer: ${JSON.stringify(answer)}`)
    // kubectl takes a fifth of a second of processor time: who asks all the time keeps what is waited for from happening.
    await delay(Math.max(100, Date.now() - asked))
  }
}

export const labStatus = (record: LabRecord) => callSupervisor<LabStatus>(record.dir, 'GET', '/status')

/** talosctl on one node, through the first control plane or that node itself. */
export function talosctl(record: LabRecord, node: string, ...args: string[]): Promise<Ended> {
  return inLab(record, 'talosctl', '--talosconfig', record.talosconfig, '-e', node, '-n', node, ...args)
}

/** kubectl with the kubeconfig that the lab gave out. */
export const kubectl = (record: LabRecord, ...args: string[]) => inLab(record, 'kubectl', ...args)

/** Generates the machine configs and gives each machine its own, with talhelper and talosctl alone. */
export async function applyConfigs(record: LabRecord): Promise<void> {
  const identity = (await inLab(record, 'op', 'read', 'op://k8s-ops/sops-age/private-key')).stdout.trim()
  const talos = join('talos', record.cluster)
  const config = ['-c', `${talos}/talconfig.yaml`, '-s', `${talos}/talsecret.sops.yaml`, '-o', `${talos}/clusterconfig`]
  expectOk(await inLabWith(record, { SOPS_AGE_KEY: identity }, 'talhelper', 'genconfig', '--offline-mode', ...config))
  const apply = async (address: string) => {
    const file = `${talos}/clusterconfig/${record.cluster}-${record.hostnames[address]}.yaml`
    const once = () => inLab(record, 'talosctl', 'apply-config', '--insecure', '-n', address, '-f', file)
    // The maintenance service may end before its answer is through; the machine then asks for a certificate.
    await eventually(once, ({ code, stderr }) => code === 0 || stderr.includes('certificate required'), 30)
  }
  await Promise.all(record.machines.map(({ address }) => apply(address)))
}

/** From maintenance mode to an API server that answers: what `k8sops bootstrap` begins with, without k8sops. */
export async function bootstrapByHand(record: LabRecord): Promise<void> {
  await applyConfigs(record)
  const [first = ''] = controlPlanes(record)
  const bootstrap = () => talosctl(record, first, 'bootstrap')
  await eventually(bootstrap, ({ code, stderr }) => code === 0 || stderr.includes('AlreadyExists'), 30)
  const file = record.kubeconfig
  const fetch = () => talosctl(record, first, 'kubeconfig', file, '--force', '--merge=false')
  await eventually(fetch, ({ code }) => code === 0, 30)
  await eventually(
    () => kubectl(record, 'get', '--raw', '/readyz'),
    ({ stdout }) => stdout === 'ok',
    60,
  )
  await eventually(
    () => nodes(record),
    (names) => names.length === record.machines.length,
    30,
  )
  // The controller manager's first work, which comes a moment after the API server is ready.
  await eventually(
    () => kubectl(record, 'get', 'serviceaccount', 'default', '-n', 'default'),
    ({ code }) => code === 0,
    60,
  )
  await eventually(
    () => kubectl(record, 'get', 'nodes', '-o', 'jsonpath={.items[*].spec.podCIDR}'),
    ({ stdout }) => stdout.split(' ').filter(Boolean).length === record.machines.length,
    60,
  )
}

/** Dialled addresses of the control planes: talconfig names them first. */
export function controlPlanes(record: LabRecord): string[] {
  return record.machines
    .filter(({ address }) => record.hostnames[address]?.includes('-cp'))
    .map(({ address }) => address)
}

async function nodes(record: LabRecord): Promise<string[]> {
  return (await kubectl(record, 'get', 'nodes', '-o', 'name')).stdout.split('\n').filter(Boolean)
}

function expectOk({ code, stderr, stdout }: Ended): void {
  if (code !== 0) throw new Error(`exit ${code}: ${stderr || stdout}`)
}
