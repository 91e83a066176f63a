/** Whether the three who know the machines agree: talconfig.yaml, Kubernetes, and the machines among themselves. */
import type { KubePort, TalosPort, Verdict } from '../../types.ts'
import { valueAt } from '../conditions.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'

interface Machine {
  controlPlane: boolean
  addresses: string[]
}

export function inventoryProbes(
  { cluster }: GatePorts,
  kube: KubePort,
  talos: TalosPort,
): Record<'inventory-matches', Probe> {
  return {
    /**
     * The machine at each address of talconfig.yaml goes by the name that stands there, and the Nodes and the Talos members
     * are these machines, in these roles, no more and no fewer. A Node's address is one of the member's.
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
      const here = new Map(
        cluster.nodes.map(({ hostname, controlPlane }) => [hostname, { controlPlane, addresses: [] }]),
      )
      const lines = names.flatMap(({ node, read }) => {
        const name = read.ok ? String(read.value[0]?.spec.nodename ?? '') : node.hostname
        return name === node.hostname
          ? []
          : [`the machine at ${node.address} is ${name || 'nameless'}, not ${node.hostname} as in talconfig.yaml`]
      })
      if (nodes.ok) {
        const found = new Map(nodes.value.map((node): [string, Machine] => [node.metadata.name, nodeFacts(node)]))
        lines.push(...differences(here, 'talconfig.yaml', found, 'Kubernetes'))
        if (members.ok) {
          const known = new Map(members.value.map((member): [string, Machine] => memberFacts(member.spec)))
          lines.push(...differences(here, 'talconfig.yaml', known, 'the Talos members'))
          lines.push(...strayAddresses(found, known))
        }
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

function nodeFacts(node: unknown): Machine {
  const labels = (valueAt(node, 'metadata.labels') ?? {}) as Record<string, string>
  const addresses = (valueAt(node, 'status.addresses') ?? []) as { type: string; address: string }[]
  return {
    controlPlane: 'node-role.kubernetes.io/control-plane' in labels,
    addresses: addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address),
  }
}

function memberFacts(spec: { [key: string]: unknown }): [string, Machine] {
  return [
    String(spec.hostname ?? ''),
    { controlPlane: spec.machineType === 'controlplane', addresses: (spec.addresses ?? []) as string[] },
  ]
}

function differences(left: Map<string, Machine>, here: string, right: Map<string, Machine>, there: string): string[] {
  const role = (machine: Machine | undefined) => (machine?.controlPlane ? 'a control plane' : 'a worker')
  return [
    ...[...left.keys()].filter((name) => !right.has(name)).map((name) => `${name} is in ${here}, not in ${there}`),
    ...[...right.keys()].filter((name) => !left.has(name)).map((name) => `${name} is in ${there}, not in ${here}`),
    ...[...left]
      .filter(([name, { controlPlane }]) => right.has(name) && right.get(name)?.controlPlane !== controlPlane)
      .map(([name, machine]) => `${name} is ${role(machine)} in ${here}, and ${role(right.get(name))} in ${there}`),
  ]
}

function strayAddresses(nodes: Map<string, Machine>, members: Map<string, Machine>): string[] {
  return [...nodes].flatMap(([name, { addresses }]) => {
    const own = members.get(name)?.addresses
    const stray = own ? addresses.filter((address) => !own.includes(address)) : []
    return stray.map((address) => `Node ${name} has address ${address}, the Talos member ${own?.join(', ') || 'none'}`)
  })
}
