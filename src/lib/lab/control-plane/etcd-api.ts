/** The few calls that the lab itself makes to a real etcd, over its JSON gateway (POST /v3/..., uint64 as strings). */
import { Agent, request } from 'node:https'
import type { EtcdMember } from '../types.ts'

export interface ListedMember {
  /** Decimal uint64. */
  ID: string
  /** Empty until the member has started once. */
  name?: string
  peerURLs: string[]
  isLearner?: boolean
}

export interface EtcdClient {
  members(): Promise<ListedMember[]>
  remove(id: string): Promise<void>
  addLearner(peerUrl: string): Promise<string>
  promote(id: string): Promise<void>
  /** Raises or takes back an alarm of a member. @param id decimal */
  alarm(action: 'ACTIVATE' | 'DEACTIVATE', id: string, alarm: 'NOSPACE' | 'CORRUPT'): Promise<void>
  /** Its own id, decimal, and whether it is a learner; answered without a quorum. */
  self(): Promise<{ id: string; learner: boolean }>
  /** Whether the member has a leader and answers a linearizable read. */
  healthy(): Promise<boolean>
  close(): void
}

/** A call that takes longer means that there is no quorum. */
const timeoutMs = 5_000

/** @throws (each call) Error with etcd's own message, or the network's */
export function etcdClient(member: EtcdMember): EtcdClient {
  const agent = new Agent({ keepAlive: true, ca: member.ca, cert: member.cert, key: member.key })
  const call = async <T>(path: string, body: unknown): Promise<T> =>
    JSON.parse(await send(agent, `${member.clientUrl}${path}`, 'POST', JSON.stringify(body))) as T

  return {
    members: async () =>
      (await call<{ members?: ListedMember[] }>('/v3/cluster/member/list', { linearizable: true })).members ?? [],
    remove: (id) => call('/v3/cluster/member/remove', { ID: id }),
    addLearner: async (peerUrl) =>
      (await call<{ member: ListedMember }>('/v3/cluster/member/add', { peerURLs: [peerUrl], isLearner: true })).member
        .ID,
    promote: (id) => call('/v3/cluster/member/promote', { ID: id }),
    alarm: (action, memberID, alarm) => call('/v3/maintenance/alarm', { action, memberID, alarm }),
    async self() {
      const { header, isLearner = false } = await call<{ header: { member_id: string }; isLearner?: boolean }>(
        '/v3/maintenance/status',
        {},
      )
      return { id: header.member_id, learner: isLearner }
    },
    async healthy() {
      try {
        return (
          (JSON.parse(await send(agent, `${member.clientUrl}/health?exclude=NOSPACE`, 'GET')) as { health: string })
            .health === 'true'
        )
      } catch {
        return false
      }
    },
    close: () => agent.destroy(),
  }
}

function send(agent: Agent, url: string, method: string, body?: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const call = request(url, { agent, method, timeout: timeoutMs }, (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', reject)
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8')
      if (response.statusCode === 200) resolve(text)
      else reject(new Error(messageOf(text)))
    })
  })
  call.on('timeout', () => call.destroy(new Error(`etcd does not answer within ${timeoutMs / 1000} s`)))
  call.on('error', reject)
  call.end(body)
  return promise
}

function messageOf(text: string): string {
  try {
    return (JSON.parse(text) as { message?: string }).message ?? text
  } catch {
    return text
  }
}
