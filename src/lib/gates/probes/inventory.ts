/** Whether the three who know the machines agree: talconfig.yaml, Kubernetes, and the machines among themselves. */
import type { ClusterNode, KubeObject, KubePort, TalosPort, Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'

interface Machine {
  controlPlane: boolean
}

export function inventoryProbes(
  { cluster }: GatePorts,
  kube: KubePort,
  talos: TalosPort,
): Record<'inventory-matches', Probe> {
  return {
    /**
     * The machine at each address of talconfig.yaml goes by the name that stands there, and the Nodes and the Talos members
     * are these machines, in these roles, no more and no fewer.
     */
    async 'inventory-matches'(_params, signal): Promise<Verdict> {
      const asked = cluster.nodes.find(({ controlPlane }) => controlPlane)?.address ?? ''
      const [nodes, members, names] = await Promise.all([
        kube.list({ apiVersion: 'v1', kind: 'Node' }, signal),
        talos.get(asked, 'members', undefined, signal),
        Promise.all(
          cluster.nodes.map(async (node) => ({
            node,
            read: await talos.get(node.address, 'nodename', undefined, signal),
          })),
        ),
      ])
      const unread = [nodes, members, ...names.map(({ read }) => read)].filter((read) => !read.ok)
      const here = new Map(cluster.nodes.map((node): [string, Machine] => [node.hostname, node]))
      const lines = names.flatMap(({ node, read }) => {
        const name = read.ok ? String(read.value[0]?.spec.nodename ?? '') : node.hostname
        return name === node.hostname
          ? []
          : [`the machine at ${node.address} is ${name || 'nameless'}, not ${node.hostname} as in talconfig.yaml`]
      })
      if (nodes.ok) lines.push(...differences(here, new Map(nodes.value.map(nodeFacts)), 'Kubernetes'))
      if (members.ok) {
        lines.push(...differences(here, new Map(members.value.map(memberFacts)), 'the Talos members'))
        lines.push(...strayAddresses(cluster.nodes, members.value))
      }
      if (lines.length > 0) {
        return {
          status: 'fail',
          detail: lines.join('; '),
          waitingFor: lines,
          next: 'bring talconfig.yaml and the cluster together: k8sops node list shows both',
        }
      }
      if (unread.length > 0) return unreadable(...unread)
      return { status: 'pass', detail: `${here.size} machines, the same everywhere` }
    },
  }
}

function nodeFacts({ metadata }: KubeObject): [string, Machine] {
  return [metadata.name, { controlPlane: 'node-role.kubernetes.io/control-plane' in (metadata.labels ?? {}) }]
}

interface Member {
  spec: { [key: string]: unknown }
}

function memberFacts({ spec }: Member): [string, Machine] {
  return [String(spec.hostname ?? ''), { controlPlane: spec.machineType === 'controlplane' }]
}

function differences(ours: Map<string, Machine>, theirs: Map<string, Machine>, there: string): string[] {
  const role = (machine: Machine | undefined) => (machine?.controlPlane ? 'a control plane' : 'a worker')
  return [
    ...[...ours.keys()]
      .filter((name) => !theirs.has(name))
      .map((name) => `${name} is in talconfig.yaml, not in ${there}`),
    ...[...theirs.keys()]
      .filter((name) => !ours.has(name))
      .map((name) => `${name} is in ${there}, not in talconfig.yaml`),
    ...[...ours]
      .filter(([name, { controlPlane }]) => theirs.has(name) && theirs.get(name)?.controlPlane !== controlPlane)
      .map(
        ([name, machine]) => `${name} is ${role(machine)} in talconfig.yaml, and ${role(theirs.get(name))} in ${there}`,
      ),
  ]
}

function strayAddresses(nodes: ClusterNode[], members: Member[]): string[] {
  return nodes.flatMap(({ hostname, address }) => {
    const member = members.find(({ spec }) => spec.hostname === hostname)
    const own = (member?.spec.addresses ?? []) as string[]
    if (!member || own.includes(address)) return []
    return [`${hostname} has address ${address} in talconfig.yaml, and ${own.join(', ') || 'none'} as a Talos member`]
  })
}
