/** The real etcd members as Talos's etcd client uses them, over their JSON gateway (etcd 3.6: POST /v3/...). */
import type { ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { EtcdMember } from '../types.ts'
import { StatusError } from './status.ts'

export interface ListedMember {
  /** Decimal uint64. */
  ID: string
  name: string
  peerURLs: string[]
  clientURLs: string[]
  isLearner: boolean
}

export interface MemberStatus {
  memberId: string
  version: string
  storageVersion: string
  dbSize: string
  dbSizeInUse: string
  leader: string
  raftIndex: string
  raftTerm: string
  raftAppliedIndex: string
  errors: string[]
  isLearner: boolean
}

/** QuorumCheckTimeout of Talos's etcd client is 15 s; a lab's members answer in milliseconds. */
const timeoutMs = 5_000

export async function listMembers(member: EtcdMember): Promise<ListedMember[]> {
  const reply = await call<{ members?: Partial<ListedMember>[] }>(member, '/v3/cluster/member/list', {
    linearizable: true,
  })
  return (reply.members ?? []).map((found) => ({
    ID: found.ID ?? '0',
    name: found.name ?? '',
    peerURLs: found.peerURLs ?? [],
    clientURLs: found.clientURLs ?? [],
    isLearner: found.isLearner ?? false,
  }))
}

export async function memberStatus(member: EtcdMember): Promise<MemberStatus> {
  const reply = await call<{ header?: { member_id?: string } } & Partial<Omit<MemberStatus, 'memberId'>>>(
    member,
    '/v3/maintenance/status',
    {},
  )
  const version = reply.version ?? ''
  return {
    memberId: reply.header?.member_id ?? '0',
    version,
    storageVersion: reply.storageVersion ?? version.replace(/\.\d+$/, '.0'),
    dbSize: reply.dbSize ?? '0',
    dbSizeInUse: reply.dbSizeInUse ?? '0',
    leader: reply.leader ?? '0',
    raftIndex: reply.raftIndex ?? '0',
    raftTerm: reply.raftTerm ?? '0',
    raftAppliedIndex: reply.raftAppliedIndex ?? '0',
    errors: reply.errors ?? [],
    isLearner: reply.isLearner ?? false,
  }
}

export interface Alarm {
  memberID: string
  /** `NOSPACE` or `CORRUPT`. */
  alarm: string
}

/** @param action `GET` lists; `DEACTIVATE` disarms every alarm, one by one, as clientv3 does: etcd disarms none that isn't named */
export async function alarms(member: EtcdMember, action: 'GET' | 'DEACTIVATE'): Promise<Alarm[]> {
  const send = (request: object) => call<{ alarms?: Alarm[] }>(member, '/v3/maintenance/alarm', request)
  const raised = (await send({ action: 'GET' })).alarms ?? []
  if (action === 'DEACTIVATE') for (const alarm of raised) await send({ action, ...alarm })
  return raised
}

export async function removeMember(member: EtcdMember, id: string): Promise<void> {
  await call(member, '/v3/cluster/member/remove', { ID: id })
}

export async function moveLeader(member: EtcdMember, targetID: string): Promise<void> {
  await call(member, '/v3/maintenance/transfer-leadership', { targetID })
}

export async function defragment(member: EtcdMember): Promise<void> {
  await call(member, '/v3/maintenance/defragment', {}, 60_000)
}

/** A linearizable read: only a member with a quorum answers it (Talos's ValidateQuorum). */
export async function readThroughQuorum(member: EtcdMember): Promise<void> {
  await call(member, '/v3/kv/range', { key: base64('health') })
}

/**
 * The upgrade mutex, taken as etcd's concurrency package does it: a key with a lease, owned by whose key is oldest.
 * @returns how to release it
 * @throws StatusError when somebody else holds it
 */
export async function lockUpgradeMutex(member: EtcdMember): Promise<() => Promise<void>> {
  const prefix = 'talos:v1:etcdUpgradeMutex/'
  const { ID: lease } = await call<{ ID: string }>(member, '/v3/lease/grant', { TTL: '60' })
  const release = async () => {
    await call(member, '/v3/lease/revoke', { ID: lease })
  }
  const key = base64(`${prefix}${BigInt(lease).toString(16)}`)
  const oldest = {
    requestRange: {
      key: base64(prefix),
      range_end: base64('talos:v1:etcdUpgradeMutex0'),
      sort_target: 'CREATE',
      sort_order: 'ASCEND',
      limit: '1',
    },
  }
  const reply = await call<{ responses?: { response_range?: { kvs?: { key: string }[] } }[] }>(member, '/v3/kv/txn', {
    compare: [{ key, result: 'EQUAL', target: 'CREATE', create_revision: '0' }],
    success: [{ requestPut: { key, lease } }, oldest],
    failure: [oldest],
  })
  const owner = reply.responses
    ?.map((response) => response.response_range?.kvs?.[0]?.key)
    .find((found) => found !== undefined)
  if (owner === key) return release
  await release()
  throw new StatusError('Unknown', 'error trying to lock etcd upgrade mutex: mutex: Locked by another session')
}

/** The snapshot as etcd streams it: the database and its sha256. */
export async function snapshot(
  member: EtcdMember,
  signal: AbortSignal,
  onData: (data: Buffer) => Promise<void>,
): Promise<void> {
  const response = await open(member, '/v3/maintenance/snapshot', {}, timeoutMs, signal)
  let rest = ''
  response.setEncoding('utf8')
  for await (const chunk of response) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) await deliver(line, onData)
  }
  await deliver(rest, onData)
}

async function deliver(line: string, onData: (data: Buffer) => Promise<void>): Promise<void> {
  if (line.trim() === '') return
  const message = JSON.parse(line) as { result?: { blob?: string }; error?: GatewayError }
  if (message.error) throw gatewayError(message.error)
  if (message.result?.blob) await onData(Buffer.from(message.result.blob, 'base64'))
}

const base64 = (text: string) => Buffer.from(text).toString('base64')

async function call<T>(member: EtcdMember, path: string, body: object, timeout = timeoutMs): Promise<T> {
  const response = await open(member, path, body, timeout)
  return JSON.parse(await bodyOf(response)) as T
}

async function open(
  member: EtcdMember,
  path: string,
  body: object,
  timeout: number,
  signal?: AbortSignal,
): Promise<IncomingMessage> {
  const { ca, cert, key } = member
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const options = { method: 'POST', ca, cert, key, timeout, agent: false as const, ...(signal ? { signal } : {}) }
  const sent: ClientRequest = request(new URL(path, member.clientUrl), options, resolve)
  sent.on('timeout', () => sent.destroy(new StatusError('DeadlineExceeded', 'context deadline exceeded')))
  sent.on('error', (error) => reject(error instanceof StatusError ? error : dialError(error)))
  sent.end(JSON.stringify(body))
  const response = await promise
  if (response.statusCode === 200) return response
  const text = await bodyOf(response)
  throw gatewayError(parseError(text))
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

interface GatewayError {
  code?: number
  message?: string
}

function parseError(text: string): GatewayError {
  try {
    return JSON.parse(text) as GatewayError
  } catch {
    return { message: text.trim() }
  }
}

const gatewayCodes: Record<number, ConstructorParameters<typeof StatusError>[0]> = {
  3: 'InvalidArgument',
  4: 'DeadlineExceeded',
  5: 'NotFound',
  8: 'ResourceExhausted',
  9: 'FailedPrecondition',
  11: 'OutOfRange',
  14: 'Unavailable',
}

function gatewayError(error: GatewayError): StatusError {
  return new StatusError(gatewayCodes[error.code ?? 2] ?? 'Unknown', error.message ?? 'etcd failed')
}

/** As Talos's client sees an etcd that doesn't run: it dials its own machine's port 2379. */
export function dialError(error?: { message: string }): StatusError {
  const reason =
    error && !/ECONNREFUSED/.test(error.message)
      ? error.message
      : 'dial tcp 127.0.0.1:2379: connect: connection refused'
  const description = JSON.stringify(`transport: Error while dialing: ${reason}`)
  return new StatusError('Unavailable', `connection error: desc = ${description}`)
}
