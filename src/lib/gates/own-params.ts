/** The parameters that a gate gets when nobody gives them: what the repository says of the cluster. */
import { UsageError } from '../errors.ts'
import type { Check, Cluster, ClusterNode } from '../types.ts'
import { etcdGates } from './catalog/etcd.ts'
import { nodeGates } from './catalog/nodes.ts'
import { releaseGates } from './catalog/releases.ts'
import { storageGates } from './catalog/storage.ts'
import { gates as catalog } from './catalog.ts'
import type { Gate } from './types.ts'

export interface CheckRequest {
  cluster: Cluster
  /** The nodes that are asked about. */
  nodes: ClusterNode[]
  /** `--param`: these win. */
  given: Record<string, string>
}

/**
 * The checks of the named gates; a gate about one node becomes one check for each node.
 * @throws UsageError for unknown gates, and for parameters that neither the repository nor `given` has: all of them at once
 */
export function checksNamed(ids: string[], request: CheckRequest): Check[] {
  const unknown = ids.filter((id) => !(id in catalog))
  if (unknown.length > 0) throw new UsageError(`there is no gate ${unknown.join(', ')}`, { next: 'k8sops gate list' })
  const open: string[] = []
  const checks = ids.flatMap((id) => {
    const gate: Gate = catalog[id as keyof typeof catalog]
    return subjectsOf(id, gate, request).map((node): Check => {
      const found = gate.params.map((name) => [name, paramOf(name, id, request, node)] as const)
      for (const [name, value] of found) if (value === undefined) open.push(`${id} ${name}`)
      const params = Object.fromEntries(found.map(([name, value]) => [name, value ?? '']))
      return gate.params.length > 0 ? { gate: id, params } : { gate: id }
    })
  })
  if (open.length > 0) {
    const names = [...new Set(open.map((one) => one.split(' ')[1]))]
    throw new UsageError(`the repository does not tell: ${[...new Set(open)].join(', ')}`, {
      next: `give ${names.map((name) => `--param ${name}=VALUE`).join(' ')}`,
    })
  }
  return checks
}

/** The parameter by which a gate is about one node, if it is about one. */
const subjectOf = (id: string, { params }: Gate) =>
  params.includes('node') ? 'node' : id in nodeGates && params.includes('name') ? 'name' : undefined

function subjectsOf(id: string, gate: Gate, { nodes, given }: CheckRequest): (ClusterNode | undefined)[] {
  const subject = subjectOf(id, gate)
  if (subject === undefined || given[subject] !== undefined) return [undefined]
  return id in etcdGates ? nodes.filter(({ controlPlane }) => controlPlane) : nodes
}

function paramOf(name: string, id: string, request: CheckRequest, node: ClusterNode | undefined): string | undefined {
  const { cluster, given } = request
  if (given[name] !== undefined) return given[name]
  const controlPlanes = cluster.nodes.filter(({ controlPlane }) => controlPlane)
  switch (name) {
    case 'node':
      return node && (id in nodeGates || id in storageGates ? node.hostname : node.address)
    case 'name':
      return node?.hostname
    case 'nodes':
      // Asking etcd about fewer members than there are would prove less than it says.
      return (id in etcdGates ? controlPlanes : request.nodes).map(({ address }) => address).join(',')
    case 'names':
      if (id in nodeGates) return request.nodes.map(({ hostname }) => hostname).join(',')
      return id in releaseGates ? '' : undefined
    case 'members':
      return controlPlanes.map(({ hostname }) => hostname).join(',')
    case 'servers':
      return controlPlanes
        .map(({ address }) => `https://${address}:${new URL(cluster.endpoint).port || '443'}`)
        .join(',')
    case 'server':
      return cluster.endpoint
    case 'in':
      return 'ours'
    case 'to':
    case 'version':
      return cluster.talosVersion
    case 'osImage':
      return `Talos (${cluster.talosVersion})`
    case 'downgrade':
      return 'false'
    case 'days':
      return '30'
    case 'expect':
      return expected(id, cluster)
    case 'sources':
      return String(cluster.gates.volsync.sources)
    case 'databases':
      return String(cluster.gates.cnpg.clusters)
    case 'tolerate':
      return cluster.gates.ceph.tolerate.join(',')
  }
  return undefined
}

function expected(id: string, { gates }: Cluster): string | undefined {
  if (id === 'ceph-healthy') return String(gates.ceph.clusters)
  if (id === 'cnpg-healthy') return String(gates.cnpg.clusters)
  return id === 'backups-idle' ? String(gates.volsync.sources) : undefined
}
