/**
 * Which gates stand around the work on Talos machines, in the order of docs/adr/0022: A before anything is touched, B before
 * each node, C after each node, D at the end. Ids and parameters only, so that operations may import it.
 */
import type { Check, Cluster, ClusterNode } from '../types.ts'
import type { MaintenanceWindow } from './maintenance-window.ts'

/** What one node is to run. */
export interface NodeTarget {
  /** `v1.12.11` */
  version: string
  /** Schematic id of the image factory, 64 hex digits. */
  schematic: string
  /** Reference with tag, `factory.talos.dev/metal-installer/<schematic>:v1.12.11`. */
  image: string
  /** The schematic's system extensions as Git names them, `siderolabs/intel-ucode`. */
  extensions: string[]
  /** `/proc/sys/kernel/random/boot_id` as it was before the upgrade. */
  bootId?: string
}

export interface LifecycleFacts {
  cluster: Cluster
  /** By hostname: the nodes that get an image. Nodes without one only go out of service and come back (reboot, apply). */
  targets?: Record<string, NodeTarget>
  /** The nodes that are worked on, when they aren't those of `targets`. */
  nodes?: ClusterNode[]
  /** Nodes that are meant to be out at the same time. */
  together?: ClusterNode[]
  /** Nodes are taken out only in it. */
  window?: MaintenanceWindow
  /** A lower version was asked for by its flag. */
  downgrade?: boolean
  /** Taken before the first node is touched. */
  snapshot?: { path: string; maxAgeSec: number }
}

/** How long everything has to hold after a node came back, before the next one is touched (seconds). */
export const settledSec = 30

/** Set A: all of it must hold before anything is touched, and every failure is told at once. */
export function beforeUpgrade(facts: LifecycleFacts): Check[] {
  const { cluster, downgrade = false } = facts
  const targets = targetsOf(facts)
  return [
    ...windowChecks(facts),
    check('cluster-identity'),
    check('client-certificates-valid', { days: '1' }),
    check('inventory-matches'),
    ...grouped(
      targets,
      ({ target }) => target.version,
      (to, nodes) => check('version-path', { nodes: addresses(nodes), to, downgrade: String(downgrade) }),
    ),
    ...grouped(
      targets,
      ({ target }) => target.image,
      (image) => check('installer-image', { image }),
    ),
    ...grouped(
      targets,
      ({ target }) => extensionNames(target),
      (extensions, nodes) => check('extensions-kept', { nodes: addresses(nodes), extensions }),
    ),
    ...clusterHealthy(cluster),
    ...workedOn(facts).map(({ hostname }) => check('pdbs-allow', { node: hostname })),
  ]
}

/** What must be true of the whole cluster while all its nodes are in service. */
export function clusterHealthy(cluster: Cluster): Check[] {
  const { gates, nodes } = cluster
  return [
    check('machines-ready', { nodes: addresses(nodes) }),
    etcdHealthy(cluster),
    check('api-ready', { servers: serversOf(cluster, controlPlanes(cluster)) }),
    check('nodes-schedulable', { names: hostnames(nodes) }),
    ...gates.daemonsets.map((name) => check('daemonset-ready', namespaced(name))),
    ...gates.deployments.map((name) => check('deployment-available', namespaced(name))),
    ...storesHealthy(cluster),
    check('flux-settled'),
    check('backups-idle', { expect: String(gates.volsync.sources) }),
    check('no-other-upgrader'),
  ]
}

/**
 * Set B: what is asked again before each node. The node itself may be cordoned: a run that was stopped in the middle of its
 * work comes this way again. Flux isn't asked: a release that went wrong meanwhile is no reason to stop half way.
 */
export function beforeNode(facts: LifecycleFacts, node: ClusterNode): Check[] {
  const { cluster, snapshot, together = [] } = facts
  const others = cluster.nodes.filter(({ hostname }) => hostname !== node.hostname)
  const staying = others.filter(({ hostname }) => !together.some((out) => out.hostname === hostname))
  const alone = others.length === 0
  return [
    ...windowChecks(facts),
    ...(alone ? [] : [check('machines-ready', { nodes: addresses(others) })]),
    etcdHealthy(cluster),
    ...(snapshot ? [check('etcd-snapshot-fresh', { path: snapshot.path, maxAgeSec: String(snapshot.maxAgeSec) })] : []),
    ...(staying.length > 0 ? [check('nodes-schedulable', { names: hostnames(staying) })] : []),
    ...storesHealthy(cluster),
    check('pdbs-allow', { node: node.hostname }),
    check('backups-idle', { expect: String(cluster.gates.volsync.sources) }),
    check('no-other-upgrader'),
  ]
}

/**
 * What is asked once more right before something is taken away, minutes after set B: that all other nodes are in service, and
 * for a control plane that etcd can do without it. Cheap, because it stands before every drain and every restart.
 */
export function othersInService(facts: LifecycleFacts, node: ClusterNode): Check[] {
  const { cluster, together = [] } = facts
  const staying = cluster.nodes.filter(({ hostname }) => !together.some((out) => out.hostname === hostname))
  const others = staying.filter(({ hostname }) => hostname !== node.hostname)
  return [
    check('machines-ready', { nodes: addresses([...others, node]) }),
    ...(others.length > 0 ? [check('nodes-schedulable', { names: hostnames(others) })] : []),
    ...(node.controlPlane ? [etcdHealthy(cluster)] : []),
  ]
}

/**
 * What the node itself must show before it may be in service again. Nothing about what runs on it: databases on local volumes
 * and Ceph's OSDs are bound to the node, and can't start while it is cordoned.
 */
export function nodeIsBack(facts: LifecycleFacts, node: ClusterNode): Check[] {
  const { cluster } = facts
  const target = facts.targets?.[node.hostname]
  return [
    ...(target ? nodeUpgraded(node, target) : [check('nodes-ready', { names: node.hostname })]),
    check('machines-ready', { nodes: node.address }),
    etcdHealthy(cluster),
    ...(node.controlPlane ? [check('api-ready', { servers: serversOf(cluster, [node]) })] : []),
  ]
}

/** Set C: the node is back in service, is what it should be, and nothing has suffered; all of it for `settledSec`. */
export function afterNode(facts: LifecycleFacts, node: ClusterNode): Check[] {
  const checks = [
    ...nodeIsBack(facts, node),
    ...storesHealthy(facts.cluster),
    check('pods-ready-on-node', { name: node.hostname }),
  ]
  return checks.map((one) => ({ ...one, stableSec: settledSec }))
}

/** Set D: the whole cluster is as it was before, and every node runs what Git says, configs included. */
export function afterUpgrade(facts: LifecycleFacts): Check[] {
  return [
    ...grouped(
      targetsOf(facts),
      ({ target }) => target.version,
      (version, nodes) => check('versions-equal', { nodes: addresses(nodes), version }),
    ),
    check('inventory-matches'),
    ...clusterHealthy(facts.cluster),
    check('machine-configs-applied', { nodes: addresses(workedOn(facts)) }),
  ]
}

function nodeUpgraded(node: ClusterNode, { version, schematic, bootId }: NodeTarget): Check[] {
  const runs = { node: node.address, version, schematic }
  return [
    bootId === undefined ? check('node-at-target', runs) : check('node-upgraded', { ...runs, bootId }),
    // What kubelet reports, so that Kubernetes has seen the new boot, too.
    check('node-ready-version', { name: node.hostname, osImage: `Talos (${version})` }),
  ]
}

function windowChecks({ window }: LifecycleFacts): Check[] {
  if (!window) return []
  const { days, from, hours, timeZone } = window
  return [check('within-window', { days: days.join(','), from, hours: String(hours), timeZone })]
}

/** Whatever keeps data has all of its copies. */
export const storesHealthy = ({ gates }: Cluster): Check[] => [
  check('ceph-healthy', { expect: String(gates.ceph.clusters), tolerate: gates.ceph.tolerate.join(',') }),
  check('cnpg-healthy', { expect: String(gates.cnpg.clusters) }),
]

/** The control planes of talconfig.yaml, and nobody else, are healthy members of one etcd. */
export function etcdHealthy(cluster: Cluster): Check {
  const members = controlPlanes(cluster)
  return check('etcd-healthy', { nodes: addresses(members), members: hostnames(members) })
}

type Targeted = { node: ClusterNode; target: NodeTarget }

/** In the order of the cluster's nodes. */
function targetsOf({ cluster, targets = {} }: LifecycleFacts): Targeted[] {
  return cluster.nodes.flatMap((node) => {
    const target = targets[node.hostname]
    return target ? [{ node, target }] : []
  })
}

function workedOn(facts: LifecycleFacts): ClusterNode[] {
  return facts.nodes ?? targetsOf(facts).map(({ node }) => node)
}

/** One check for all nodes that share a value. */
function grouped(
  targets: Targeted[],
  value: (targeted: Targeted) => string,
  make: (value: string, nodes: ClusterNode[]) => Check,
): Check[] {
  return [...Map.groupBy(targets, value)].map(([shared, members]) =>
    make(
      shared,
      members.map(({ node }) => node),
    ),
  )
}

/** A machine names its extensions without the publisher that Git has in front. */
const extensionNames = ({ extensions }: NodeTarget) => extensions.map((name) => name.split('/').at(-1)).join(',')

const check = (gate: string, params?: Record<string, string>): Check => (params ? { gate, params } : { gate })
const controlPlanes = ({ nodes }: Cluster) => nodes.filter(({ controlPlane }) => controlPlane)
const addresses = (nodes: ClusterNode[]) => nodes.map(({ address }) => address).join(',')
const hostnames = (nodes: ClusterNode[]) => nodes.map(({ hostname }) => hostname).join(',')

/** The API servers of control planes at their own addresses, never at the VIP. */
function serversOf({ endpoint }: Cluster, nodes: ClusterNode[]): string {
  return nodes.map(({ address }) => `https://${address}:${new URL(endpoint).port || '443'}`).join(',')
}

function namespaced(text: string): { namespace: string; name: string } {
  const [namespace = '', name = ''] = text.split('/')
  return { namespace, name }
}
