/** The state of a lab for an operator, whether it runs or not. */
import { isAlive } from '../exec/process-info.ts'
import type { Json } from '../types.ts'
import { callSupervisor } from './control-socket.ts'
import { processesOfLab } from './processes.ts'
import { type LabRecord, logFile } from './record.ts'
import type { LabStatus } from './status.ts'
import { statusRows } from './status-rows.ts'

export interface ReadStatus {
  item: { [key: string]: Json }
  text: string
}

/** @returns state `running`, `stopped` (its state was kept) or `crashed` (its supervisor is gone without having been asked) */
export async function readStatus(record: LabRecord): Promise<ReadStatus> {
  const { name, cluster, dir, supervisor } = record
  if (supervisor && isAlive(supervisor)) return runningStatus(await callSupervisor(dir, 'GET', '/status'))
  const state = supervisor ? 'crashed' : 'stopped'
  const orphans = processesOfLab(record.id).length
  const why =
    state === 'crashed' ? `its supervisor is gone, see ${logFile(dir, 'supervisor')}` : `its state is in ${dir}`
  return {
    item: { name, cluster, state, dir, number: record.number, orphans },
    text: [
      `lab ${name} of cluster ${cluster}: ${state}; ${why}`,
      ...(orphans > 0 ? [`  ${orphans} of its processes are still there; k8sops lab down ends them`] : []),
      `  go on with k8sops lab up --cluster ${cluster}${name === 'default' ? '' : ` --lab-name ${name}`}`,
    ].join('\n'),
  }
}

function runningStatus(answer: Json): ReadStatus {
  const status = answer as unknown as LabStatus
  const rows = statusRows(status)
  const width = (pick: (row: (typeof rows)[number]) => string) => Math.max(...rows.map((row) => pick(row).length))
  const [part, kind, state] = [width((row) => row.part), width((row) => row.kind), width((row) => row.state)]
  const faults = status.faults.map(
    ({ name, node, params }) =>
      `  fault ${name}${node ? ` on ${node}` : ''}${params ? ` ${JSON.stringify(params)}` : ''}`,
  )
  return {
    item: { ...(answer as { [key: string]: Json }), state: 'running', rows: rows.map((row) => ({ ...row })) },
    text: [
      `lab ${status.name} of cluster ${status.cluster}: running since ${status.startedAt.slice(0, 19).replace('T', ' ')} as 127.13.${status.number}.x, pace ${status.pace}`,
      ...rows.map(
        (row) => `  ${row.part.padEnd(part)}  ${row.kind.padEnd(kind)}  ${row.state.padEnd(state)}  ${row.detail}`,
      ),
      ...faults,
    ].join('\n'),
  }
}
