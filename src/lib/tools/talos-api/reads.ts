/** What is read through the Talos API, and what its answers mean. Field numbers: Talos and COSI, both 1.12. */
import { loadAll } from 'js-yaml'
import type { EtcdMember, EtcdStatus, Result, TalosResource, TalosResourceType } from '../../types.ts'
import type { MethodPath } from './call.ts'
import { bytesAt, decodeFields, encodeFields, type Fields, messagesAt, numberAt, textAt, textsAt } from './wire.ts'

/** Calls one machine. */
export type Call = (path: MethodPath, request?: Buffer) => Promise<Result<Buffer[]>>

/** Names as `talosctl get` knows them, and what they are in COSI (Talos 1.12 and 1.13). */
const resourceTypes: Record<TalosResourceType, { type: string; namespace: string }> = {
  discoveredvolumes: { type: 'DiscoveredVolumes.block.talos.dev', namespace: 'runtime' },
  extensions: { type: 'ExtensionStatuses.runtime.talos.dev', namespace: 'runtime' },
  machinestatus: { type: 'MachineStatuses.runtime.talos.dev', namespace: 'runtime' },
  members: { type: 'Members.cluster.talos.dev', namespace: 'cluster' },
  nodename: { type: 'Nodenames.kubernetes.talos.dev', namespace: 'k8s' },
  services: { type: 'Services.v1alpha1.talos.dev', namespace: 'runtime' },
  timestatus: { type: 'TimeStatuses.v1alpha1.talos.dev', namespace: 'runtime' },
  version: { type: 'Versions.runtime.talos.dev', namespace: 'runtime' },
}

/** cosi.resource.State: resource 1, in it metadata 1 with id 3 and spec 2 with yaml_spec 2. */
async function resources(
  call: Call,
  { type, namespace }: { type: string; namespace: string },
  id?: string,
): Promise<Result<{ id: string; yaml: string }[]>> {
  const request = encodeFields({ 1: namespace, 2: type, ...(id ? { 3: id } : {}) })
  return read(call, id ? '/cosi.resource.State/Get' : '/cosi.resource.State/List', request, (messages) =>
    messages
      .flatMap((message) => messagesAt(message, 1))
      .map((resource) => ({
        id: messagesAt(resource, 1).map((metadata) => textAt(metadata, 3))[0] ?? '',
        yaml: messagesAt(resource, 2).map((spec) => textAt(spec, 2))[0] ?? '',
      })),
  )
}

export async function readResources(
  call: Call,
  name: TalosResourceType,
  id?: string,
): Promise<Result<TalosResource[]>> {
  const found = await resources(call, resourceTypes[name], id)
  return mapped(found, (all) =>
    all.map((one) => ({ metadata: { id: one.id }, spec: (loadAll(one.yaml)[0] ?? {}) as TalosResource['spec'] })),
  )
}

export async function readMachineConfig(call: Call): Promise<Result<string>> {
  const found = await resources(call, { type: 'MachineConfigs.config.talos.dev', namespace: 'config' }, 'v1alpha1')
  return mapped(found, ([one]) => {
    // The documents are one text inside the resource's YAML.
    const text: unknown = loadAll(one?.yaml ?? '')[0]
    if (typeof text === 'string') return text
    throw new TypeError('the machine config is no text')
  })
}

export function readFile(call: Call, path: string): Promise<Result<string>> {
  return read(call, '/machine.MachineService/Read', encodeFields({ 1: path }), (chunks) =>
    Buffer.concat(chunks.map((chunk) => bytesAt(chunk, 2))).toString('utf8'),
  )
}

/** A member that never started has no hostname. */
export function readEtcdMembers(call: Call): Promise<Result<EtcdMember[]>> {
  // query_local: as its own etcd has it, which need not have a leader.
  return read(call, '/machine.MachineService/EtcdMemberList', encodeFields({ 1: true }), (answers) =>
    answers
      .flatMap((answer) => messagesAt(answer, 1))
      .flatMap((message) => messagesAt(message, 3))
      .map((member) => ({
        id: hex(numberAt(member, 2)),
        hostname: textAt(member, 3),
        learner: numberAt(member, 6) === 1n,
      })),
  )
}

export function readEtcdStatus(call: Call): Promise<Result<EtcdStatus>> {
  return read(call, '/machine.MachineService/EtcdStatus', Buffer.alloc(0), (answers) => {
    const [status] = answers.flatMap((answer) => messagesAt(answer, 1)).flatMap((message) => messagesAt(message, 2))
    if (!status) throw new RangeError('EtcdStatus without the status of a member')
    return {
      member: hex(numberAt(status, 10)),
      leader: hex(numberAt(status, 4)),
      learner: numberAt(status, 9) === 1n,
      raftIndex: Number(numberAt(status, 5)),
      raftTerm: Number(numberAt(status, 6)),
      raftAppliedIndex: Number(numberAt(status, 7)),
      dbBytes: Number(numberAt(status, 2)),
      dbBytesInUse: Number(numberAt(status, 3)),
      errors: textsAt(status, 8).join(', '),
    }
  })
}

const alarmNames = ['NONE', 'NOSPACE', 'CORRUPT']

export function readEtcdAlarms(call: Call): Promise<Result<{ member: string; alarm: string }[]>> {
  return read(call, '/machine.MachineService/EtcdAlarmList', Buffer.alloc(0), (answers) =>
    answers
      .flatMap((answer) => messagesAt(answer, 1))
      .flatMap((message) => messagesAt(message, 2))
      .map((raised) => {
        const alarm = Number(numberAt(raised, 2))
        return { member: hex(numberAt(raised, 1)), alarm: alarmNames[alarm] ?? `alarm ${alarm}` }
      }),
  )
}

async function read<T>(call: Call, path: MethodPath, request: Buffer, meaning: (messages: Fields[]) => T) {
  return mapped(await call(path, request), (messages) => meaning(messages.map(decodeFields)))
}

function mapped<T, U>(result: Result<T>, meaning: (value: T) => U): Result<U> {
  if (!result.ok) return result
  try {
    return { ok: true, value: meaning(result.value) }
  } catch (error) {
    return { ok: false, why: 'bad-output', detail: `Talos API: ${(error as Error).message}` }
  }
}

/** Member ids as everybody writes them. */
const hex = (id: bigint) => id.toString(16).padStart(16, '0')
