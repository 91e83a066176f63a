/** Probes of operations on single nodes. */
import type { TalosPort, Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'

type NodeOperationProbe =
  | 'etcd-member-absent'
  | 'etcd-snapshot-whole'
  | 'machine-left'
  | 'machine-rebooted'
  | 'talconfig-lacks'

export function nodeOperationProbes(ports: GatePorts, talos: TalosPort): Record<NodeOperationProbe, Probe> {
  /** A boot id that was `unknown` when the plan was made can't be told from another one. */
  const rebooted = async (node: string, bootId: string, signal: AbortSignal): Promise<Verdict> => {
    if (bootId === 'unknown') return { status: 'unknown', detail: `nobody knows how ${node} was booted before` }
    const read = await talos.bootId(node, signal)
    if (!read.ok) return unreadable(read)
    const now = read.value
    if (now === '') return { status: 'unknown', detail: `${node} tells no boot id` }
    if (now !== bootId) return { status: 'pass', detail: `${node} has been booted anew (${now})` }
    const detail = `${node} still has the boot id ${bootId}`
    return { status: 'fail', detail, waitingFor: [detail] }
  }

  return {
    'machine-rebooted': ({ node = '', bootId = '' }, signal) => rebooted(node, bootId, signal),

    /** In maintenance mode a machine tells no boot id, so the two are looked at together. */
    async 'machine-left'({ node = '', bootId = '' }, signal): Promise<Verdict> {
      const state = await talos.state(node, signal)
      if (!state.ok) return unreadable(state)
      if (state.value === 'maintenance') return { status: 'pass', detail: `${node} waits for its first config` }
      if (state.value === 'ours') return rebooted(node, bootId, signal)
      return { status: 'unknown', detail: `${node} can't be asked (${state.value})`, cause: 'unreachable' }
    },

    /** Says every control plane that is asked: one that has not heard of a removal yet would count on the member. */
    async 'etcd-member-absent'({ nodes, member = '' }, signal): Promise<Verdict> {
      const answers = await Promise.all(
        listOf(nodes).map(async (node) => ({ node, members: await talos.etcdMembers(node, signal) })),
      )
      const failed = answers.flatMap(({ members }) => (members.ok ? [] : [members]))
      if (failed.length > 0) return unreadable(...failed)
      const lines = answers.flatMap(({ node, members }) =>
        (members.ok ? members.value : [])
          .filter(({ id }) => id === member)
          .map(({ hostname }) => `etcd on ${node} has a member ${member} (${hostname})`),
      )
      if (answers.some(({ members }) => members.ok && members.value.length === 0))
        return { status: 'unknown', detail: 'etcd tells no members at all' }
      if (lines.length === 0) return { status: 'pass', detail: `no member ${member}` }
      return { status: 'fail', detail: lines.join('; '), waitingFor: lines }
    },

    async 'etcd-snapshot-whole'({ path = '', sha256 = '' }, signal): Promise<Verdict> {
      const snapshot = await ports.etcdSnapshot(path, signal)
      if (!snapshot.ok) return { status: 'fail', detail: snapshot.detail, cause: 'configuration', final: true }
      if (snapshot.value.sha256 === sha256) return { status: 'pass', detail: `${path} is whole` }
      const detail = `${path} is another snapshot than the one that the plan was made for`
      return { status: 'fail', detail, cause: 'configuration', final: true }
    },

    async 'talconfig-lacks'({ node = '' }): Promise<Verdict> {
      if (await ports.talconfigNames(node))
        return { status: 'fail', detail: `talconfig.yaml of ${ports.cluster.name} has a node ${node}` }
      return { status: 'pass', detail: `talconfig.yaml of ${ports.cluster.name} has no node ${node}` }
    },
  }
}
