/**
 * Probes of etcd. A second cluster with the same PKI comes about when `bootstrap` is called on a control plane that has
 * not joined yet (talos#5500), so every control plane is asked for members first; one that can't be asked is not "none".
 */
import type { Result, TalosPort, Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'

type EtcdProbe = 'etcd-absent' | 'etcd-bootstrapped' | 'etcd-quorum'
interface Member {
  id: string
  hostname: string
  learner: boolean
}

export function etcdProbes(ports: GatePorts, talos: TalosPort): Record<EtcdProbe, Probe> {
  const { talosconfig } = ports.target

  const ask = (nodes: string | undefined, signal: AbortSignal) =>
    Promise.all(listOf(nodes).map(async (node) => ({ node, members: await talos.etcdMembers(node, signal) })))

  return {
    async 'etcd-absent'(params, signal) {
      const answers = await ask(params.nodes, signal)
      const member = answers.find(({ members }) => hasMembers(members))
      if (member) return { status: 'fail', detail: `${member.node} has an etcd already`, final: true }
      const silent = answers.flatMap(({ members }) => (isSilent(members) ? [members] : []))
      if (silent.length > 0) return unreadable(...silent)
      return { status: 'pass', detail: `none of ${answers.length} control planes has an etcd` }
    },

    async 'etcd-bootstrapped'(params, signal) {
      const answers = await ask(params.nodes, signal)
      const member = answers.find(({ members }) => hasMembers(members))
      if (member) return { status: 'pass', detail: `${member.node} has an etcd` }
      const silent = answers.flatMap(({ members }) => (isSilent(members) ? [members] : []))
      if (silent.length > 0) return unreadable(...silent)
      const [first = ''] = listOf(params.nodes)
      return {
        status: 'fail',
        detail: 'no control plane has an etcd',
        waitingFor: ['an etcd on one of the control planes'],
        // Said only when waiting for it was in vain: bootstrap has been called by then, on the first of them.
        next: `if bootstrap said "etcd data directory is not empty", ${first} holds etcd data of an older installation: wipe it, then go on: talosctl --talosconfig ${talosconfig} -e ${first} -n ${first} reset --system-labels-to-wipe EPHEMERAL --reboot --graceful=false`,
      }
    },

    /** Exactly `members` (hostnames) are voting members, and each of `nodes` (addresses) says so. */
    async 'etcd-quorum'(params, signal) {
      const expected = listOf(params.members)
      const answers = await ask(params.nodes, signal)
      const waitingFor: string[] = []
      for (const { node, members } of answers) {
        if (!members.ok) {
          waitingFor.push(`etcd on ${members.detail.startsWith(node) ? members.detail : `${node}: ${members.detail}`}`)
          continue
        }
        const stranger = members.value.find(({ hostname }) => hostname && !expected.includes(hostname))
        if (stranger) return foreignMember(node, stranger)
        const voting = members.value.filter(({ learner }) => !learner).map(({ hostname }) => hostname)
        const absent = expected.filter((hostname) => !voting.includes(hostname))
        if (absent.length > 0)
          waitingFor.push(`etcd on ${node}: ${voting.length} voting members, without ${absent.join(', ')}`)
      }
      if (waitingFor.length === 0) return { status: 'pass', detail: `${expected.length} voting members` }
      const unheard = answers.every(({ members }) => isSilent(members))
      return {
        status: unheard ? 'unknown' : 'fail',
        detail: waitingFor.join('; '),
        waitingFor,
        ...(unheard ? { cause: 'unreachable' as const } : {}),
      }
    },
  }
}

function foreignMember(node: string, member: Member): Verdict {
  return {
    status: 'fail',
    detail: `${node} is in an etcd cluster with ${member.hostname} (${member.id}), which is no control plane of this cluster`,
    final: true,
    next: 'find out who bootstrapped it; k8sops never removes a member that it does not know',
  }
}

const hasMembers = (members: Result<Member[]>) => members.ok && members.value.length > 0

/** The machine itself could not be asked; `failed` means that it answered and its etcd doesn't run. */
function isSilent(members: Result<Member[]>): members is Extract<Result<never>, { ok: false }> {
  return !members.ok && members.why !== 'failed'
}
