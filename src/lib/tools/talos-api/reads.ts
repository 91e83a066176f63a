/** What is read through the Talos API, and what its answers mean. */
import { parse } from 'yaml'
import type { EtcdMember, EtcdStatus, Result, TalosResource, TalosResourceType } from '../../types.ts'
import type { TalosClient } from './client.ts'

/** Names as `talosctl get` knows them, and what they are in COSI (Talos 1.12 and 1.13). */
const resourceTypes: Record<TalosResourceType, { type: string; namespace: string }> = {
  extensions: { type: 'ExtensionStatuses.runtime.talos.dev', namespace: 'runtime' },
  machinestatus: { type: 'MachineStatuses.runtime.talos.dev', namespace: 'runtime' },
  members: { type: 'Members.cluster.talos.dev', namespace: 'cluster' },
  nodename: { type: 'Nodenames.kubernetes.talos.dev', namespace: 'k8s' },
  timestatus: { type: 'TimeStatuses.v1alpha1.talos.dev', namespace: 'runtime' },
  version: { type: 'Versions.runtime.talos.dev', namespace: 'runtime' },
}

/** One message of State/List and State/Get. */
interface ResourceMessage {
  resource: { metadata: { id: string }; spec: { yamlSpec: string } }
}

export async function readResources(
  client: TalosClient,
  node: string,
  name: TalosResourceType,
  id?: string,
  signal?: AbortSignal,
): Promise<Result<TalosResource[]>> {
  const of = resourceTypes[name]
  const found = id
    ? await client.call<ResourceMessage>(node, '/cosi.resource.State/Get', { ...of, id }, signal)
    : await client.call<ResourceMessage>(node, '/cosi.resource.State/List', of, signal)
  if (!found.ok) return found
  try {
    return {
      ok: true,
      value: found.value.map(({ resource: { metadata, spec } }) => ({
        metadata: { id: metadata.id },
        spec: (parse(spec.yamlSpec) ?? {}) as TalosResource['spec'],
      })),
    }
  } catch (error) {
    return { ok: false, why: 'bad-output', detail: `${node}: ${name}: ${(error as Error).message}` }
  }
}

export async function readMachineConfig(
  client: TalosClient,
  node: string,
  signal?: AbortSignal,
): Promise<Result<string>> {
  const wanted = { type: 'MachineConfigs.config.talos.dev', namespace: 'config', id: 'v1alpha1' }
  const found = await client.call<ResourceMessage>(node, '/cosi.resource.State/Get', wanted, signal)
  if (!found.ok) return found
  // The documents are one text inside the resource's YAML.
  const text: unknown = parse(found.value[0]?.resource.spec.yamlSpec ?? '')
  if (typeof text === 'string') return { ok: true, value: text }
  return { ok: false, why: 'bad-output', detail: `${node}: its config is no text` }
}

export async function readFile(client: TalosClient, node: string, path: string, signal?: AbortSignal) {
  const read = await client.call<{ bytes: Buffer }>(node, '/machine.MachineService/Read', { path }, signal)
  if (!read.ok) return read
  return { ok: true as const, value: Buffer.concat(read.value.map(({ bytes }) => bytes)).toString('utf8') }
}

interface EtcdMembersMessage {
  messages: { members: { id: string; hostname: string; isLearner: boolean }[] }[]
}

/** A member that never started has no hostname. */
export async function readEtcdMembers(
  client: TalosClient,
  node: string,
  signal?: AbortSignal,
): Promise<Result<EtcdMember[]>> {
  // As its own etcd has it, which need not have a leader.
  const request = { queryLocal: true }
  const read = await client.call<EtcdMembersMessage>(node, '/machine.MachineService/EtcdMemberList', request, signal)
  if (!read.ok) return read
  const members = read.value.flatMap(({ messages }) => messages.flatMap((message) => message.members))
  return {
    ok: true,
    value: members.map(({ id, hostname, isLearner }) => ({ id: hex(id), hostname, learner: isLearner })),
  }
}

interface EtcdStatusMessage {
  messages: {
    memberStatus: {
      memberId: string
      leader: string
      isLearner: boolean
      raftIndex: string
      raftTerm: string
      raftAppliedIndex: string
      dbSize: string
      dbSizeInUse: string
      errors: string[]
    } | null
  }[]
}

export async function readEtcdStatus(
  client: TalosClient,
  node: string,
  signal?: AbortSignal,
): Promise<Result<EtcdStatus>> {
  const read = await client.call<EtcdStatusMessage>(node, '/machine.MachineService/EtcdStatus', {}, signal)
  if (!read.ok) return read
  const status = read.value[0]?.messages[0]?.memberStatus
  if (!status) return { ok: false, why: 'bad-output', detail: `${node}: EtcdStatus: no status of a member` }
  return {
    ok: true,
    value: {
      member: hex(status.memberId),
      leader: hex(status.leader),
      learner: status.isLearner,
      raftIndex: Number(status.raftIndex),
      raftTerm: Number(status.raftTerm),
      raftAppliedIndex: Number(status.raftAppliedIndex),
      dbBytes: Number(status.dbSize),
      dbBytesInUse: Number(status.dbSizeInUse),
      errors: status.errors.join(', '),
    },
  }
}

interface EtcdAlarmsMessage {
  messages: { memberAlarms: { memberId: string; alarm: number }[] }[]
}

const alarmNames = ['NONE', 'NOSPACE', 'CORRUPT']

export async function readEtcdAlarms(
  client: TalosClient,
  node: string,
  signal?: AbortSignal,
): Promise<Result<{ member: string; alarm: string }[]>> {
  const read = await client.call<EtcdAlarmsMessage>(node, '/machine.MachineService/EtcdAlarmList', {}, signal)
  if (!read.ok) return read
  const raised = read.value.flatMap(({ messages }) => messages.flatMap(({ memberAlarms }) => memberAlarms))
  return {
    ok: true,
    value: raised.map(({ memberId, alarm }) => ({
      member: hex(memberId),
      alarm: alarmNames[alarm] ?? `alarm ${alarm}`,
    })),
  }
}

/** Member ids as everybody writes them. */
const hex = (decimal: string) => BigInt(decimal).toString(16).padStart(16, '0')
