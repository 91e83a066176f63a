import { cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes } from '../../lib/errors.ts'
import { observeEtcd } from '../../lib/ops/etcd-observe.ts'
import { isoOf, observeMachineViews } from '../../lib/ops/machine-observe.ts'
import { nodeView } from '../../lib/ops/node-view.ts'
import type { Json } from '../../lib/types.ts'

export const nodeList = defineCommand({
  path: 'node list',
  summary: 'Show every node: role, versions, Ready, by whom it is cordoned, etcd, boot time',
  description:
    'Nodes of talconfig.yaml and of Kubernetes in one table. Exit code 4 when neither the machines nor the API server answer.',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops node list --cluster apps', 'k8sops node list -o json'],
  runbook: 'docs/runbooks/talos.md',
  async read(context) {
    const [cluster, talos, kube] = await Promise.all([context.cluster(), context.talos(), context.kube()])
    const [machines, etcd, read] = await Promise.all([
      observeMachineViews(talos, cluster.nodes, context.signal),
      observeEtcd(talos, cluster, context.signal),
      kube.list({ apiVersion: 'v1', kind: 'Node' }, context.signal),
    ])
    if (!read.ok) context.note(`the API server does not tell its nodes: ${read.detail}`)
    const views = read.ok ? read.value.map(nodeView) : []
    const inTalconfig = machines.map(({ node, talos: version, bootedAt, problem }): { [key: string]: Json } => {
      const view = views.find(({ name }) => name === node.hostname)
      const member = etcd.members.find(({ name }) => name === node.hostname)
      return {
        name: node.hostname,
        role: node.controlPlane ? 'control-plane' : 'worker',
        address: node.address,
        talos: version,
        ...kubernetesPart(view),
        etcd: member ? member.role : null,
        bootedAt: isoOf(bootedAt),
        problem: problem || member?.problem || (read.ok && !view ? 'is not in Kubernetes' : ''),
      }
    })
    const strangers = views
      .filter(({ name }) => !cluster.nodes.some(({ hostname }) => hostname === name))
      .map((view): { [key: string]: Json } => ({
        name: view.name,
        role: null,
        address: null,
        talos: null,
        ...kubernetesPart(view),
        etcd: null,
        bootedAt: null,
        problem: 'is not in talconfig.yaml',
      }))
    const answered = read.ok || machines.some(({ talos: version }) => version !== null)
    return {
      kind: 'NodeList',
      items: [...inTalconfig, ...strangers],
      columns: [
        { title: 'NAME', value: cell('name') },
        { title: 'ROLE', value: cell('role') },
        { title: 'ADDRESS', value: cell('address') },
        { title: 'TALOS', value: cell('talos') },
        { title: 'KUBELET', value: cell('kubelet') },
        { title: 'READY', value: (row) => yesNo(row.ready) },
        { title: 'TAKES PODS', value: (row) => (row.holder ? `no: ${row.holder}` : yesNo(row.schedulable)) },
        { title: 'WHY', value: cell('reason'), wide: true },
        { title: 'SINCE', value: cell('since'), wide: true },
        { title: 'ETCD', value: cell('etcd') },
        { title: 'BOOTED', value: cell('bootedAt') },
        { title: 'PROBLEM', value: cell('problem') },
      ],
      exitCode: answered ? exitCodes.ok : exitCodes.unreachable,
    }
  },
})

function kubernetesPart(view: ReturnType<typeof nodeView> | undefined): { [key: string]: Json } {
  const { kubelet = null, ready = null, schedulable = null, holder = null, reason = null, since = null } = view ?? {}
  return { kubelet, ready, schedulable, holder, reason, since }
}

const yesNo = (value: Json | undefined) => (value === null || value === undefined ? '' : value ? 'yes' : 'no')
