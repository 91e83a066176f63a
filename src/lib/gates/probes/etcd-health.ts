/** Probes of a running etcd: whether it can spare a member, and who leads it. */
import type { EtcdStatus, Result, TalosPort, Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import { unreadable } from '../unreadable.ts'

type EtcdHealthProbe = 'etcd-healthy' | 'etcd-leader-elsewhere'

/**
 * Entries that one member may be behind another. They are asked one after the other while others write, and a member that
 * has just come back catches up thousands a second.
 */
const lagLimit = 1_000

const hasNoLeader = ({ leader }: EtcdStatus) => /^0*$/.test(leader)

export function etcdHealthProbes(talos: TalosPort): Record<EtcdHealthProbe, Probe> {
  return {
    /** `members` (hostnames) are the members, and the etcd of each of `nodes` (addresses) is one of them and in good health. */
    async 'etcd-healthy'(params, signal): Promise<Verdict> {
      const nodes = listOf(params.nodes)
      const expected = listOf(params.members)
      const [first = ''] = nodes
      const [statuses, members, alarms] = await Promise.all([
        Promise.all(nodes.map(async (node) => ({ node, status: await talos.etcdStatus(node, signal) }))),
        talos.etcdMembers(first, signal),
        talos.etcdAlarms(first, signal),
      ])
      const wrong: string[] = []
      const unread = [members, alarms, ...statuses.map(({ status }) => status)].filter((read) => !read.ok)
      const known = statuses.flatMap(({ node, status }) => (status.ok ? [{ node, ...status.value }] : []))
      for (const status of known) wrong.push(...faultsOf(status.node, status))
      wrong.push(...disagreements(known))
      if (members.ok) {
        wrong.push(...membership(expected, members.value))
        for (const { node, member } of known.filter(({ member }) => !members.value.some(({ id }) => id === member)))
          wrong.push(`etcd on ${node} (${member}) is not among the members that ${first} knows`)
      }
      if (alarms.ok) wrong.push(...alarms.value.map(({ member, alarm }) => `etcd member ${member} raised ${alarm}`))
      // A machine that answered, and whose etcd does not run, is a fact about etcd.
      const down = unread.filter(({ why }) => why === 'failed').map(({ detail }) => `etcd on ${detail}`)
      const silent = unread.filter(({ why }) => why !== 'failed')
      const waitingFor = [...wrong, ...down, ...silent.map(({ detail }) => detail)]
      if (waitingFor.length === 0)
        return { status: 'pass', detail: `${known.length} members, led by ${leaderOf(known, expected, members)}` }
      if (wrong.length + down.length === 0) return unreadable(...silent)
      return { status: 'fail', detail: waitingFor.join('; '), waitingFor }
    },

    /** The etcd of `node` (an address) has a leader, and is not it. */
    async 'etcd-leader-elsewhere'({ node = '' }, signal): Promise<Verdict> {
      const status = await talos.etcdStatus(node, signal)
      if (!status.ok) return unreadable(status)
      const { member, leader } = status.value
      if (hasNoLeader(status.value)) return failed(`etcd on ${node} knows no leader`)
      if (leader === member) return failed(`etcd on ${node} (${member}) is the leader`)
      return { status: 'pass', detail: `etcd is led by ${leader}, not by ${node}` }
    },
  }
}

function faultsOf(node: string, status: EtcdStatus): string[] {
  const lag = status.raftIndex - status.raftAppliedIndex
  return [
    ...(status.errors ? [`etcd on ${node}: ${status.errors}`] : []),
    ...(status.learner ? [`etcd on ${node} is a learner`] : []),
    ...(hasNoLeader(status) ? [`etcd on ${node} knows no leader`] : []),
    ...(lag > lagLimit ? [`etcd on ${node} has ${lag} entries to apply`] : []),
  ]
}

function disagreements(statuses: ({ node: string } & EtcdStatus)[]): string[] {
  const leaders = new Map(statuses.filter((status) => !hasNoLeader(status)).map(({ leader, node }) => [leader, node]))
  const terms = new Map(statuses.map(({ raftTerm, node }) => [raftTerm, node]))
  const ahead = Math.max(...statuses.map(({ raftIndex }) => raftIndex))
  const behind = statuses.filter(({ raftIndex }) => ahead - raftIndex > lagLimit)
  const said = (values: Map<string | number, string>) =>
    [...values].map(([value, node]) => `${value} says ${node}`).join(', ')
  return [
    ...(leaders.size > 1 ? [`etcd has more than one leader: ${said(leaders)}`] : []),
    ...(terms.size > 1 ? [`etcd's members are in different terms: ${said(terms)}`] : []),
    ...behind.map(({ node, raftIndex }) => `etcd on ${node} is ${ahead - raftIndex} entries behind`),
  ]
}

type Members = { id: string; hostname: string; learner: boolean }[]

function membership(expected: string[], members: Members): string[] {
  const names = members.map(({ hostname }) => hostname)
  const absent = expected.filter((name) => !names.includes(name))
  const strangers = members.filter(({ hostname }) => !expected.includes(hostname))
  return [
    ...absent.map((name) => `etcd has no member ${name}`),
    ...strangers.map(({ id, hostname }) => `etcd has a member ${hostname || '(never started)'} (${id}) too many`),
    ...members.filter(({ learner }) => learner).map(({ hostname, id }) => `etcd member ${hostname || id} is a learner`),
  ]
}

function leaderOf(statuses: EtcdStatus[], expected: string[], members: Result<Members>): string {
  const leader = statuses[0]?.leader
  const found = members.ok ? members.value.find(({ id }) => id === leader)?.hostname : undefined
  return found && expected.includes(found) ? found : (leader ?? '')
}

const failed = (detail: string): Verdict => ({ status: 'fail', detail, waitingFor: [detail] })
