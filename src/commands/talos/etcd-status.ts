import { cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes } from '../../lib/errors.ts'
import { etcdHealthy } from '../../lib/gates/lifecycle-sets.ts'
import { type EtcdMemberView, observeEtcd } from '../../lib/ops/etcd-observe.ts'
import type { Json } from '../../lib/types.ts'

export const talosEtcdStatus = defineCommand({
  path: 'talos etcd status',
  summary: "Show etcd's members as each control plane sees itself: leader, size, raft, alarms",
  description:
    'One line for each control plane, and for each member that is none. Exit code 3 when etcd is not healthy, 4 when no control plane answers.',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops talos etcd status --cluster apps', 'k8sops talos etcd status -o json'],
  runbook: 'docs/runbooks/talos.md',
  async read(context) {
    const [cluster, talos, gates] = await Promise.all([context.cluster(), context.talos(), context.gates()])
    const [{ members, alarms, answering }, healthy] = await Promise.all([
      observeEtcd(talos, cluster, context.signal),
      gates.evaluate(etcdHealthy(cluster), context.signal),
    ])
    if (healthy.status !== 'pass') context.note(`etcd is not healthy: ${healthy.detail}`)
    return {
      kind: 'EtcdStatus',
      items: members.map(itemOf),
      columns: [
        { title: 'NAME', value: cell('name') },
        { title: 'ADDRESS', value: cell('address') },
        { title: 'MEMBER', value: cell('member') },
        { title: 'ROLE', value: cell('role') },
        { title: 'DB SIZE', value: megabytes('dbBytes') },
        { title: 'IN USE', value: megabytes('dbBytesInUse') },
        { title: 'TERM', value: cell('raftTerm') },
        { title: 'INDEX', value: cell('raftIndex') },
        { title: 'APPLIED', value: cell('raftAppliedIndex'), wide: true },
        { title: 'PROBLEM', value: cell('problem') },
      ],
      fields: { healthy: healthy.status === 'pass', detail: healthy.detail, alarms },
      exitCode:
        answering.length === 0 ? exitCodes.unreachable : healthy.status === 'pass' ? exitCodes.ok : exitCodes.gate,
    }
  },
})

const megabytes = (key: string) => (row: { [key: string]: Json }) => {
  const bytes = row[key]
  return typeof bytes === 'number' ? `${(bytes / 1e6).toFixed(1)} MB` : ''
}

function itemOf({ name, address, member, role, status, problem }: EtcdMemberView): { [key: string]: Json } {
  const {
    raftTerm = null,
    raftIndex = null,
    raftAppliedIndex = null,
    dbBytes = null,
    dbBytesInUse = null,
  } = status ?? {}
  return { name, address, member, role, dbBytes, dbBytesInUse, raftTerm, raftIndex, raftAppliedIndex, problem }
}
