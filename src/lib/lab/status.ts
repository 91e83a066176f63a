/** What a running lab says about itself. How it is shown is the command's business (src/commands/lab/status.ts). */
import type { Json } from '../types.ts'
import type { LabRecord } from './record.ts'
import type { StartedMachine } from './talos/machine.ts'
import type { ActiveFault, Part } from './types.ts'

export interface LabStatus {
  name: string
  cluster: string
  number: number
  dir: string
  root: string
  base: string
  vip: string
  kubeconfig: string
  pace: number
  source: string
  createdAt: string
  standIns: number
  startedAt: string
  pid: number
  machines: { node: string; address: string; nodeAddress: string; stage: string; ready: boolean; version: string }[]
  parts: { name: string; status: Json }[]
  faults: ActiveFault[]
  memoryMiB: number
}

const startedAt = new Date().toISOString()

export function statusOf(record: LabRecord, parts: Part[], machines: StartedMachine[], faults: ActiveFault[]): Json {
  const { name, cluster, number, dir, root, base, vip, kubeconfig, pace, source, createdAt, standIns } = record
  const status: LabStatus = {
    name,
    cluster,
    number,
    dir,
    root,
    base,
    vip,
    kubeconfig,
    pace,
    source,
    createdAt,
    standIns,
    startedAt,
    pid: process.pid,
    machines: machines.map(({ machine }) => ({
      node: record.hostnames[machine.spec.address] ?? machine.spec.address,
      address: machine.spec.address,
      nodeAddress: machine.spec.nodeAddress,
      stage: machine.stage,
      ready: machine.ready,
      version: machine.version,
    })),
    parts: parts.map((part) => ({ name: part.name, status: part.status() })),
    faults,
    memoryMiB: Math.round(process.memoryUsage.rss() / 2 ** 20),
  }
  return status as unknown as Json
}
