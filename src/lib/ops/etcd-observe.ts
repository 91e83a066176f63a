/** What etcd says of itself, asked on every control plane: each member's own view, not one member's view of all. */
import type { Cluster, ClusterNode, EtcdStatus, Json, Result, TalosPort } from '../types.ts'

export interface EtcdMemberView {
  /** Hostname; of a member that is no control plane of the repository as etcd names it. */
  name: string
  address: string | null
  /** 16 hex digits; null while the node's etcd does not answer and no other member knows it. */
  member: string | null
  role: 'leader' | 'follower' | 'learner' | 'unknown'
  status: EtcdStatus | null
  /** Why there is no status; what makes it no good member. Empty when all is well. */
  problem: string
}

export interface EtcdView {
  members: EtcdMemberView[]
  alarms: { member: string; alarm: string }[]
  /** Addresses of the control planes whose own etcd answered. */
  answering: string[]
  /** For a plan's basis: hostname -> role, or what is wrong. */
  facts: { [name: string]: Json }
}

export async function observeEtcd(talos: TalosPort, cluster: Cluster, signal?: AbortSignal): Promise<EtcdView> {
  const controlPlanes = cluster.nodes.filter(({ controlPlane }) => controlPlane)
  const answers = await Promise.all(
    controlPlanes.map(async (node) => {
      const [status, members, alarms] = await Promise.all([
        talos.etcdStatus(node.address, signal),
        talos.etcdMembers(node.address, signal),
        talos.etcdAlarms(node.address, signal),
      ])
      return { node, status, members, alarms }
    }),
  )
  // Members of one etcd know each other; the list of the first that tells it is the list.
  const listed = answers.flatMap(({ members }) => (members.ok ? [members.value] : []))[0] ?? []
  const own = answers.map(({ node, status }) => viewOf(node, status, listed))
  const strangers = listed
    .filter(({ hostname }) => !controlPlanes.some((node) => node.hostname === hostname))
    .map(({ id, hostname }): EtcdMemberView => {
      const problem = hostname ? 'is no control plane of talconfig.yaml' : 'has never started'
      return { name: hostname || '(unnamed)', address: null, member: id, role: 'unknown', status: null, problem }
    })
  const members = [...own, ...strangers]
  const alarms = answers.flatMap((answer) => (answer.alarms.ok ? [answer.alarms.value] : []))[0] ?? []
  return {
    members,
    alarms,
    answering: answers.filter(({ status }) => status.ok).map(({ node }) => node.address),
    facts: Object.fromEntries(members.map(({ name, role, problem }) => [name, role === 'unknown' ? problem : role])),
  }
}

function viewOf(
  node: ClusterNode,
  status: Result<EtcdStatus>,
  listed: { id: string; hostname: string }[],
): EtcdMemberView {
  const known = listed.find(({ hostname }) => hostname === node.hostname)?.id ?? null
  const base = { name: node.hostname, address: node.address }
  if (!status.ok) return { ...base, member: known, role: 'unknown', status: null, problem: status.detail }
  const { member, leader, learner, errors } = status.value
  const role = learner ? 'learner' : leader === member ? 'leader' : 'follower'
  const leaderless = /^0*$/.test(leader) ? 'sees no leader' : ''
  return { ...base, member, role, status: status.value, problem: errors || leaderless }
}
