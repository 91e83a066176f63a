/**
 * `ceph maintenance`: the OSDs of a node are put to rest and Ceph leaves its data where they are. It is Rook (1.19) that sets `noout`: on a host
 * whose OSDs are down while its node is cordoned, for osdMaintenanceTimeout, and it takes the flag from every other host at each look
 * (pkg/operator/ceph/disruption/clusterdisruption/osd.go), so a `ceph osd set-group noout` by hand does not last.
 */
import { GateError, UsageError } from '../errors.ts'
import { evictOsdsArgs, restNodeArgs, wakeNodeArgs } from '../tools/kubectl-ceph.args.ts'
import type { HoldNote } from '../tools/kubectl-hold.args.ts'
import type { Basis, Check, Cluster, Command, KubeObject, Plan, Step } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldPlace } from './flux-hold.ts'
import { type Hold, holderText, holdOf, isExpired } from './hold.ts'
import { planOf } from './machine-plan.ts'

export const cephRunbook = 'docs/runbooks/rook-ceph.md'

/** Rook's own where the CephCluster names none (minutes). */
const defaultTimeoutMin = 30

/** A node whose OSDs rest. */
export interface RestView {
  node: string
  hold: Hold
  resourceVersion: string
}

export const restName = (node: string): string => `ceph/${node}`

/** The nodes that `ceph maintenance` holds. One that somebody has uncordoned since is held no more, whatever its note says. */
export const restingNodes = (nodes: KubeObject[]): RestView[] =>
  nodes.flatMap((node) => {
    const hold = holdOf(node)
    const { name, resourceVersion = '' } = node.metadata
    const isHeld = node.spec?.unschedulable === true && hold?.scope === restName(name)
    return isHeld ? [{ node: name, hold, resourceVersion }] : []
  })

export const expiredRests = (views: RestView[], now: number): RestView[] =>
  views.filter(({ hold }) => isExpired(hold, now))

/** Where a node's OSDs are in Ceph's map and in the cluster. */
export interface OsdHost {
  namespace: string
  /** Failure domain as Rook labels it. */
  host: string
  osds: string[]
}

/** The OSDs that are bound to a node. @throws UsageError when it has none, GateError when they are not all of one host */
export function osdHostOf(node: string, deployments: KubeObject[]): OsdHost {
  const own = deployments.filter(({ metadata, spec }) => {
    const template = (spec as { template?: { spec?: { nodeSelector?: Record<string, string> } } } | undefined)?.template
    return metadata.labels?.app === 'rook-ceph-osd' && template?.spec?.nodeSelector?.['kubernetes.io/hostname'] === node
  })
  const hosts = [...new Set(own.map(({ metadata }) => metadata.labels?.['topology-location-host'] ?? ''))]
  const [first] = own
  if (!first)
    throw new UsageError(`no OSD belongs to node ${node}: Ceph does not mind its absence`, {
      next: `k8sops node drain ${node} --reason TEXT`,
      runbook: cephRunbook,
    })
  const [host = ''] = hosts
  if (hosts.length > 1 || host === '')
    throw new GateError(`the OSDs of ${node} are in more than one failure domain, or in none`, {
      output: own.map(({ metadata }) => `${metadata.name}: ${metadata.labels?.['topology-location-host']}`).join('\n'),
      runbook: cephRunbook,
    })
  return { namespace: first.metadata.namespace ?? '', host, osds: own.map(({ metadata }) => metadata.name).toSorted() }
}

/**
 * How long Rook keeps a host in (seconds).
 * @throws GateError where Rook does not look after disruptions: then nothing keeps the data where they are
 */
export function restLimitSec({ metadata, spec }: KubeObject): number {
  const management = (spec?.disruptionManagement ?? {}) as {
    managePodBudgets?: boolean
    osdMaintenanceTimeout?: number
  }
  if (management.managePodBudgets !== true)
    throw new GateError(`CephCluster ${metadata.name} has no managePodBudgets: Rook sets noout for nobody`, {
      next: 'set cephClusterSpec.disruptionManagement.managePodBudgets in Git',
      runbook: cephRunbook,
    })
  return (management.osdMaintenanceTimeout || defaultTimeoutMin) * 60
}

export interface RestInput extends HoldPlace {
  node: string
  at: OsdHost
  note: HoldNote
  /** Stands in `cordoned-by`. */
  by: string
  /** All nodes that rest already. */
  resting: RestView[]
  evictTimeoutSec: number
}

/**
 * `k8sops ceph maintenance NODE on`; once more on a node that rests already: until later.
 * @throws GateError where somebody else holds the node, or another node rests
 */
export function planRest(input: RestInput, now: number, basis: Basis): Plan {
  const { cluster, target, node, at, note, by, resting, evictTimeoutSec } = input
  const others = resting.filter((view) => view.node !== node || view.hold.owner !== note.owner)
  if (others.length > 0)
    throw new GateError(`OSDs are at rest already: ${others.map((view) => view.node).join(', ')}`, {
      output: others.map((view) => `${view.node}: ${holderText(view.hold, now)}`).join('\n'),
      next: `k8sops ceph maintenance ${others[0]?.node} off: Ceph can spare one host at a time`,
      runbook: cephRunbook,
    })
  const [known] = resting
  const held = [check('ceph-rest-held', { node, hold: note.id, until: note.until })]
  const atRest = [check('ceph-osds-at-rest', { node })]
  const params = { node, reason: note.reason, by: note.owner, until: note.until, osds: at.osds }
  return planOf({ operation: 'ceph.maintenance.on', cluster: cluster.name, params }, basis, [
    {
      ...common(`${node}/hold`, `Cordon ${node} until ${note.until}`, held),
      // While it rests Ceph is not well, and the node is cordoned by us: an extension asks for nothing.
      ...(known ? {} : { require: [...cephHealthy(cluster), check('node-not-held', { node, by })] }),
      action: exec(cluster, restNodeArgs(target.context, node, by, note)),
      timeoutSec: 120,
    },
    {
      ...common(`${node}/rest`, `Put the OSDs of ${node} to rest`, atRest),
      require: held,
      action: exec(cluster, evictOsdsArgs(target.context, node, evictTimeoutSec), [
        'has more than one PodDisruptionBudget',
      ]),
      interrupt: 'after',
      timeoutSec: evictTimeoutSec + 60,
    },
    {
      ...common(`${node}/noout`, `Wait until Rook keeps host ${at.host} in while it is down`),
      action: { kind: 'wait' },
      // Rook looks every 15 to 30 seconds while an OSD is away.
      verify: [check('ceph-noout-set', { namespace: at.namespace, host: at.host })],
      timeoutSec: 300,
    },
  ])
}

export interface WakeInput extends HoldPlace {
  node: string
  at: OsdHost
  view: RestView
  settleTimeoutSec: number
}

/** `k8sops ceph maintenance NODE off`: until Ceph is well again. */
export function planWake(input: WakeInput, basis: Basis): Plan {
  const { cluster, node, at, view, settleTimeoutSec } = input
  const head = { operation: 'ceph.maintenance.off', cluster: cluster.name, params: { node, osds: at.osds } }
  return planOf(head, basis, [
    ...wakeSteps(input, [view], 'release'),
    {
      ...common(`${node}/return`, `Wait until the OSDs of ${node} run and Ceph is well`),
      action: { kind: 'wait' },
      verify: [
        check('ceph-osds-running', { namespace: at.namespace, host: at.host }),
        check('ceph-noout-released', { namespace: at.namespace }),
        ...cephHealthy(cluster),
      ],
      timeoutSec: settleTimeoutSec,
    },
  ])
}

/** The cordon ends, and the OSDs come back by themselves. */
export const wakeSteps = (place: HoldPlace, views: RestView[], why: 'release' | 'expired'): Step[] =>
  views.map(({ node, hold, resourceVersion }) => ({
    ...common(
      `${node}/${why === 'expired' ? 'expire' : 'release'}`,
      why === 'expired' ? `End the expired rest of the OSDs of ${node}` : `Let the OSDs of ${node} come back`,
      [check('ceph-rest-ended', { node, hold: hold.id })],
    ),
    action: exec(place.cluster, wakeNodeArgs(place.target.context, node, resourceVersion)),
    timeoutSec: 60,
  }))

const common = (id: string, title: string, held: Check[] = []) => ({
  id,
  title,
  verify: held,
  interrupt: 'now' as const,
  runbook: cephRunbook,
  ...(held.length > 0 ? { unless: held } : {}),
})

function exec(cluster: Cluster, command: Command, also: string[] = []): Step['action'] {
  const away = whileApiIsAway(cluster.endpoint)
  return { kind: 'exec', pipeline: [command], retry: { ...away, while: [...away.while, ...also] } }
}

export const cephHealthy = ({ gates: { ceph } }: Cluster): Check[] => [
  check('ceph-healthy', { expect: String(Math.max(1, ceph.clusters)), tolerate: ceph.tolerate.join(',') }),
]

/** For a plan's basis. */
export const restFacts = (views: RestView[], now: number): { [name: string]: string } =>
  Object.fromEntries(views.map(({ node, hold }) => [restName(node), holderText(hold, now)]))
