/**
 * The process that is a lab: it holds the simulated machines and servers and owns every child. `lab up` starts it in a
 * session of its own and leaves; it ends when it is told to, or is killed, and its children never outlive it.
 */
import { mkdirSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { join } from 'node:path'
import { argv, env, exit, pid } from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'
import { startTimeOf } from '../exec/process-info.ts'
import { createChildren } from './children.ts'
import { adminKubeconfigFile } from './control-plane/configuration.ts'
import { type Cluster, createCluster } from './control-plane/index.ts'
import { serveControl } from './control-socket.ts'
import { checkFault, createFaultStore, faultCatalogue } from './faults.ts'
import { claimNumber } from './numbers.ts'
import { startParts } from './parts.ts'
import { sweep } from './processes.ts'
import { type LabRecord, readRecord, writeRecord } from './record.ts'
import { statusOf } from './status.ts'
import { talosPort } from './talos/transport.ts'
import type { Lab } from './types.ts'

/** What `lab up` hears over the channel that it started us with. */
export type SupervisorMessage = { ready: true } | { failed: string }

/**
 * Runs the lab in `dir` until the process ends.
 * @param claim the socket that holds the lab's number, when the parent has it already
 */
export async function supervise(dir: string, claim?: Server): Promise<void> {
  const record = await readRecord(dir)
  if (!record) throw new Error(`${dir} holds no lab`)
  const held = claim ?? (await claimNumber(record.number))
  if (!held) throw new Error(`another lab has the number ${record.number}`)
  await sweep(record.id)

  const children = createChildren(record, childEnvironment(dir))
  const faults = createFaultStore(dir, (node) => namesOf(record, node))
  const waiting: (() => void)[] = []
  let cluster: Cluster | undefined
  const lab: Lab = {
    spec: record,
    faults,
    spawn: children.spawn,
    log,
    adminKubeconfig: adminKubeconfigFile(dir),
    onApiUp(listener) {
      if (cluster) cluster.onApiUp(listener)
      else waiting.push(listener)
    },
    get apiUp() {
      return cluster?.apiUp ?? false
    },
  }
  /** Nothing is asked to end in good order: what has to last is on disk, and the API server would take a minute. */
  const stop = () => {
    log('supervisor', 'going down')
    // Synchronous up to the end, so that nothing is started again in between.
    void children.killAll(['kube-apiserver'])
    held.close()
    exit(0)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  process.on('SIGHUP', stop)

  cluster = createCluster(lab)
  for (const listener of waiting) cluster.onApiUp(listener)
  const { parts, machines } = await startParts(lab, cluster)
  const catalogue = await faultCatalogue()
  await Promise.all(record.machines.map(({ address }) => answers(address, talosPort, bootDeadlineMs)))
  const machineNamed = (node: string) =>
    machines.find(({ machine }) => namesOf(record, node).includes(machine.spec.address))

  await serveControl(dir, {
    status: () => statusOf(record, parts, machines, faults.list()),
    faults: faults.list,
    async addFault(fault) {
      checkFault(fault, catalogue, Object.values(record.hostnames))
      await faults.add(fault)
    },
    clearFaults: faults.clear,
    stop,
    stand: (pod, at) => {
      const [host = '', port] = at?.split(':') ?? []
      cluster?.pods.stand(pod, at === undefined ? undefined : { host, port: Number(port) })
    },
    async power(node, action) {
      const found = machineNamed(node)
      if (!found) throw new Error(`no machine ${node}`)
      if (action === 'on') found.power.on()
      else await found.power.cut()
    },
  })
  await writeRecord({ ...record, supervisor: { pid, startTime: startTimeOf(pid) ?? '' } })
  log('supervisor', `lab ${record.name} of cluster ${record.cluster} runs as number ${record.number}`)
}

/** A machine takes a second to boot at pace 1; one that a fault keeps down must not hold `lab up`. */
const bootDeadlineMs = 5_000

/** Waits until something listens there, or the deadline has passed. */
async function answers(host: string, port: number, deadlineMs: number): Promise<void> {
  const deadline = Date.now() + deadlineMs
  while (Date.now() < deadline) {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const socket = connect({ host, port })
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    const open = await promise
    socket.destroy()
    if (open) return
    await delay(50)
  }
}

/** Every name of the same machine: hostname, dialled address, real address. */
function namesOf(record: LabRecord, node: string): string[] {
  for (const { address, nodeAddress } of record.machines) {
    const names = [address, nodeAddress, record.hostnames[address] ?? address]
    if (names.includes(node)) return names
  }
  return [node]
}

/** stdout is the log file: one line each, written at once. */
function log(part: string, message: string): void {
  process.stdout.write(`${new Date().toISOString()} ${part}: ${message}\n`)
}

/** Children need little, write nothing outside the lab, and learn nothing of where the operator's own cluster is. */
function childEnvironment(dir: string): NodeJS.ProcessEnv {
  // GOGC: memory that the control plane's garbage collectors may take to save processor time (test/run.ts).
  const kept = ['PATH', 'LANG', 'TZ', 'USER', 'GOGC']
  const own = Object.fromEntries(kept.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
  const home = join(dir, 'home')
  const temporary = join(dir, 'tmp')
  mkdirSync(home, { recursive: true })
  mkdirSync(temporary, { recursive: true })
  return { ...own, HOME: home, TMPDIR: temporary }
}

if (import.meta.main) {
  const dir = argv[2] ?? ''
  const tell = (message: SupervisorMessage) => {
    if (process.connected) process.send?.(message)
  }
  const fail = (error: unknown) => {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    log('supervisor', text)
    tell({ failed: error instanceof Error ? error.message : text })
    exit(1)
  }
  process.on('uncaughtException', fail)
  // A part that forgot a handler must not take the lab with it, but it must be seen.
  process.on('unhandledRejection', (reason) => {
    log('supervisor', `unhandled: ${reason instanceof Error ? reason.stack : String(reason)}`)
  })
  // The claim comes with the first message; who starts us by hand sends none.
  const claim = process.connected
    ? new Promise<Server | undefined>((resolve) => process.once('message', (_, handle) => resolve(handle as Server)))
    : Promise.resolve(undefined)
  claim
    .then((held) => supervise(dir, held))
    .then(() => {
      tell({ ready: true })
      if (process.connected) process.disconnect()
    }, fail)
}
