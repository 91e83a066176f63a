/** The etcd methods of the machine API, answered from the real members (v1alpha1_server.go, etcd.go, v1.12.0). */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EtcdMember } from '../types.ts'
import {
  alarms,
  defragment,
  dialError,
  type ListedMember,
  listMembers,
  memberStatus,
  moveLeader,
  removeMember,
  snapshot,
} from './etcd-gateway.ts'
import { clusterMembers } from './fleet.ts'
import { type Call, type Method, stream, unary, upload } from './rpc.ts'
import type { SimulatedMachine } from './simulated-machine.ts'
import { StatusError, wrapStatus } from './status.ts'

const service = '/machine.MachineService'

export const etcdMethods: Method[] = [
  unary<{ queryLocal: boolean }>(`${service}/EtcdMemberList`, async ({ machine }, { queryLocal }) => {
    onControlPlane(machine, 'member list')
    const members = await listMembers(queryLocal ? localMember(machine) : anyMember(machine))
    return {
      legacyMembers: members.map((member) => member.name),
      members: members.map((member) => ({
        id: member.ID,
        hostname: member.name,
        peerUrls: member.peerURLs,
        clientUrls: member.clientURLs,
        isLearner: member.isLearner,
      })),
    }
  }),
  unary(`${service}/EtcdStatus`, async ({ machine }) => {
    onControlPlane(machine, 'etcd status')
    const status = await wrapped('failed to query etcd status', () => memberStatus(localMember(machine)))
    const { version: protocolVersion, ...rest } = status
    return { memberStatus: { protocolVersion, ...rest } }
  }),
  unary(`${service}/EtcdAlarmList`, async ({ machine }) => {
    onControlPlane(machine, 'etcd alarm list')
    return alarmReply(await wrapped('failed to list etcd alarms', () => alarms(localMember(machine), 'GET')))
  }),
  unary(`${service}/EtcdAlarmDisarm`, async ({ machine }) => {
    onControlPlane(machine, 'etcd alarm list')
    return alarmReply(await wrapped('failed to disarm etcd alarm', () => alarms(localMember(machine), 'DEACTIVATE')))
  }),
  unary(`${service}/EtcdDefragment`, async ({ machine }) => {
    onControlPlane(machine, 'etcd defragment')
    await wrapped('failed to defragment etcd', () => defragment(localMember(machine)))
    return {}
  }),
  unary<{ memberId: string }>(`${service}/EtcdRemoveMemberByID`, async ({ machine }, { memberId }) => {
    onControlPlane(machine, 'etcd remove member')
    const member = wrappedMember('failed to create etcd client', machine)
    try {
      await removeMember(member, memberId)
    } catch (error) {
      if (error instanceof StatusError && error.message.includes('member not found')) {
        throw new StatusError('NotFound', `failed to remove member ${memberId}: ${error.message}`)
      }
      throw wrapStatus('failed to remove member', wrapStatus(`failed to remove member ${memberId}`, error))
    }
    return {}
  }),
  unary(`${service}/EtcdLeaveCluster`, async ({ machine }) => {
    onControlPlane(machine, 'etcd leave')
    wrappedMember('failed to create etcd client', machine)
    await wrapped('failed to leave cluster', () => leaveCluster(machine))
    return {}
  }),
  unary(`${service}/EtcdForfeitLeadership`, async ({ machine }) => {
    onControlPlane(machine, 'etcd forfeit leadership')
    wrappedMember('failed to create etcd client', machine)
    return { member: await wrapped('failed to forfeit leadership', () => forfeitLeadership(machine)) }
  }),
  upload<{ bytes: Buffer }>(`${service}/EtcdRecover`, async ({ machine }, messages) => {
    onControlPlane(machine, 'etcd recover')
    const chunks: Buffer[] = []
    for await (const { bytes } of messages) chunks.push(bytes)
    await writeFile(recoveryFile(machine), Buffer.concat(chunks), { mode: 0o600 })
    return {}
  }),
  stream(`${service}/EtcdSnapshot`, async ({ machine, signal }: Call, _request, send) => {
    onControlPlane(machine, 'etcd snapshot')
    await wrapped('failed reading etcd snapshot', () =>
      snapshot(localMember(machine), signal, (bytes) => send({ bytes })),
    )
  }),
]

/** Where an uploaded snapshot waits for the Bootstrap call that makes a cluster of it (constants.EtcdRecoverySnapshotPath). */
export function recoveryFile(machine: SimulatedMachine): string {
  return join(machine.lab.spec.dir, 'machines', `${machine.spec.address}.recovery.snapshot`)
}

/** Refuses on a worker: it runs no etcd and no Kubernetes control plane. */
export function onControlPlane(machine: SimulatedMachine, what: string): void {
  if (machine.machine.config?.role === 'controlplane') return
  throw new StatusError('Unimplemented', `${what} is only available on control plane nodes`)
}

/** etcd on the machine itself; nothing listens there before it has joined. */
export function localMember(machine: SimulatedMachine): EtcdMember {
  const member = machine.cluster.etcdMember(machine.machine)
  if (!member) throw dialError()
  return member
}

/** Some member of the cluster: Talos shuffles the control planes' addresses, the lab asks the machine's own first. */
export function anyMember(machine: SimulatedMachine): EtcdMember {
  for (const candidate of [machine, ...clusterMembers(machine)]) {
    const member = candidate.cluster.etcdMember(candidate.machine)
    if (member) return member
  }
  throw new StatusError('Unknown', 'no controlplane endpoints discovered yet')
}

/**
 * What etcd says while its quorum isn't fully connected (it takes no change for five seconds after a member came) or
 * while it elects a leader; and how a call ends that a member took with it. Asked again, it is done or refused for good.
 */
const passing =
  /unhealthy cluster|server stopped|leader changed|no leader|request timed out|context deadline exceeded|connection error/

/**
 * Takes the machine out of the etcd membership, then its data away (LeaveCluster); Talos asks every 10 s for 5 minutes.
 * Another member is asked: the one that leaves, the more so when it leads, may be gone before it has answered.
 */
export async function leaveCluster(machine: SimulatedMachine): Promise<void> {
  const { memberId } = await memberStatus(localMember(machine))
  const deadline = 30
  for (let attempt = 1; ; attempt++) {
    try {
      await removeMember(remainingMember(machine), memberId)
      break
    } catch (error) {
      const text = String(error)
      if (text.includes('member not found')) break
      if (attempt === deadline || !passing.test(text)) throw error
      await machine.pause(10)
    }
  }
  await machine.cluster.etcdLeft?.(machine.machine)
}

/** A member that stays when this machine leaves; its own when there is no other. */
function remainingMember(machine: SimulatedMachine): EtcdMember {
  const others = clusterMembers(machine).filter((other) => other !== machine)
  const members = [...others, machine].map((one) => one.cluster.etcdMember(one.machine))
  return members.find((member) => member !== undefined) ?? anyMember(machine)
}

async function forfeitLeadership(machine: SimulatedMachine): Promise<string> {
  const members = await listMembers(anyMember(machine))
  if (members.length === 1) throw new StatusError('Unknown', 'cannot forfeit leadership, only one member')
  const own = localMember(machine)
  const { memberId, leader } = await memberStatus(own)
  if (leader !== memberId) return ''
  const next: ListedMember | undefined = members.find((member) => member.ID !== memberId && !member.isLearner)
  if (!next) return ''
  await moveLeader(own, next.ID)
  return next.name
}

function alarmReply(list: { memberID: string; alarm: string }[]): object {
  const types: Record<string, number> = { NOSPACE: 1, CORRUPT: 2 }
  return { memberAlarms: list.map(({ memberID, alarm }) => ({ memberId: memberID, alarm: types[alarm] ?? 0 })) }
}

async function wrapped<T>(prefix: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    throw wrapStatus(prefix, error)
  }
}

function wrappedMember(prefix: string, machine: SimulatedMachine): EtcdMember {
  try {
    return anyMember(machine)
  } catch (error) {
    throw wrapStatus(prefix, error)
  }
}
