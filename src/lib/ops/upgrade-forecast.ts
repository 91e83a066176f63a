/**
 * What rolling a cluster would meet, from live state: for each node what its drain would be held up by, what would be away
 * meanwhile, and how long it took before. Pure functions over lists, one pass over the pods (200 nodes and 5,000 pods).
 */
import { budgetReason, covers, instancesOf, isEvictable, isManaged, ownersOf } from '../gates/disruption-rules.ts'
import type { KubeObject } from '../types.ts'
import { type Range, type Timing, timingsOf } from './upgrade-history.ts'

export interface ForecastInput {
  /** In the order in which they would be rolled; those of one batch are out at the same time. */
  batches: string[][]
  /** Hostnames that are at the target already. */
  atTarget: string[]
  pods: KubeObject[]
  budgets: KubeObject[]
  /** CloudNativePG Clusters. */
  databases: KubeObject[]
  cephClusters: KubeObject[]
  claims: KubeObject[]
  volumes: KubeObject[]
  /** Of earlier upgrades. */
  history: Timing[]
}

export interface Finding {
  /** `namespace/name` */
  pod: string
  why: string
}

export interface NodeForecast {
  node: string
  /** Which of the batches, from 1; 0 when there is nothing to do. */
  batch: number
  /** What the drain would wait for in vain. */
  blocks: Finding[]
  /** What would be away until it runs elsewhere, or until the node is back. */
  interrupts: Finding[]
  /** Members of Ceph and of databases that are out while the node is. */
  risks: string[]
  /** Pods that the drain would evict. */
  evicts: number
  expected: Range | undefined
}

export interface Forecast {
  nodes: NodeForecast[]
  /** Of the whole roll. */
  expected: Range | undefined
}

export function forecastUpgrade(input: ForecastInput): Forecast {
  const known = indexOf(input)
  const nodes = [
    ...input.batches.flatMap((batch, index) => batch.map((node) => forecastNode(input, known, node, index + 1))),
    ...input.atTarget.map((node) => emptyForecast(node)),
  ]
  return { nodes, expected: totalOf(input.batches, nodes) }
}

interface Index {
  podsOf: Map<string, KubeObject[]>
  budgetsOf: Map<string, KubeObject[]>
  /** How many pods that run belong to a controller, by its uid. */
  replicas: Map<string, number>
  claims: Map<string, KubeObject>
  volumes: Map<string, KubeObject>
}

function indexOf({ pods, budgets, claims, volumes }: ForecastInput): Index {
  const replicas = new Map<string, number>()
  for (const pod of pods) {
    const owner = controllerOf(pod)
    if (owner && isEvictable(pod)) replicas.set(owner.uid ?? '', (replicas.get(owner.uid ?? '') ?? 0) + 1)
  }
  return {
    podsOf: Map.groupBy(pods.filter(isEvictable), ({ spec }) => String(spec?.nodeName ?? '')),
    budgetsOf: Map.groupBy(budgets, ({ metadata }) => metadata.namespace ?? ''),
    replicas,
    claims: new Map(claims.map((claim) => [nameOf(claim), claim])),
    volumes: new Map(volumes.map((volume) => [volume.metadata.name, volume])),
  }
}

function forecastNode(input: ForecastInput, known: Index, node: string, batch: number): NodeForecast {
  const pods = known.podsOf.get(node) ?? []
  const findings = (of: (pod: KubeObject) => string | undefined): Finding[] =>
    pods.flatMap((pod) => {
      const why = of(pod)
      return why === undefined ? [] : [{ pod: nameOf(pod), why }]
    })
  return {
    node,
    batch,
    blocks: findings((pod) => blockReason(pod, input, known)),
    interrupts: findings((pod) => interruptReason(pod, known)),
    risks: [...cephRisks(pods, input), ...databaseRisks(pods, input)],
    evicts: pods.length,
    expected: timingsOf(input.history, node),
  }
}

const emptyForecast = (node: string): NodeForecast => ({
  node,
  batch: 0,
  blocks: [],
  interrupts: [],
  risks: [],
  evicts: 0,
  expected: undefined,
})

function blockReason(pod: KubeObject, { databases }: ForecastInput, known: Index): string | undefined {
  if (ownersOf(pod).every(({ controller }) => controller !== true))
    return 'nobody would start it again elsewhere, so kubectl drain refuses to evict it'
  const budgets = (known.budgetsOf.get(pod.metadata.namespace ?? '') ?? []).filter((budget) => covers(budget, pod))
  // The eviction API refuses a pod under two budgets, whatever they allow.
  if (budgets.length > 1)
    return `is under ${budgets.length} budgets: ${budgets.map(({ metadata }) => metadata.name).join(', ')}`
  const [budget] = budgets
  const reason = budget && !isManaged(budget, databases) ? budgetReason(budget) : undefined
  return reason === undefined ? undefined : `PodDisruptionBudget ${budget?.metadata.name} ${reason}`
}

function interruptReason(pod: KubeObject, known: Index): string | undefined {
  if (isMember(pod)) return undefined
  const local = localVolumeOf(pod, known)
  if (local !== undefined) return `its volume ${local} is on this node: it waits until the node is back`
  const owner = controllerOf(pod)
  if (!owner || (known.replicas.get(owner.uid ?? '') ?? 0) > 1) return undefined
  if (owner.kind === 'Job') return 'its Job begins anew'
  return `is the only pod of ${owner.kind} ${owner.name}`
}

/** Name of a volume that only this node has. */
function localVolumeOf(pod: KubeObject, known: Index): string | undefined {
  const volumes = (pod.spec?.volumes ?? []) as { persistentVolumeClaim?: { claimName: string } }[]
  for (const { persistentVolumeClaim } of volumes) {
    if (!persistentVolumeClaim) continue
    const claim = known.claims.get(`${pod.metadata.namespace}/${persistentVolumeClaim.claimName}`)
    const volume = known.volumes.get(String(claim?.spec?.volumeName ?? ''))
    if (volume?.spec && ('local' in volume.spec || 'hostPath' in volume.spec)) return persistentVolumeClaim.claimName
  }
  return undefined
}

/** Members of Ceph and of databases say so in their labels; what their absence means is told once for all of them. */
const isMember = ({ metadata: { labels = {} } }: KubeObject) =>
  labels['cnpg.io/cluster'] !== undefined || cephRoles.some(({ app }) => labels.app === app)

const cephRoles = [
  { app: 'rook-ceph-osd', what: 'OSD' },
  { app: 'rook-ceph-mon', what: 'monitor' },
]

function cephRisks(pods: KubeObject[], { cephClusters }: ForecastInput): string[] {
  const members = cephRoles.flatMap(({ app, what }) => {
    const own = pods.filter(({ metadata }) => metadata.labels?.app === app)
    // Rook names a daemon in both labels; the second one is the older.
    const ids = own.map(({ metadata: { labels = {} } }) => labels.ceph_daemon_id ?? labels['ceph-osd-id'] ?? '?')
    return ids.length > 0 ? [`${what} ${ids.sort().join(', ')}`] : []
  })
  if (members.length === 0) return []
  const health = cephClusters.map(({ status }) =>
    String((status?.ceph as { health?: string } | undefined)?.health ?? 'unknown'),
  )
  return [`Ceph without ${members.join(' and ')} (now ${health.join(', ') || 'unknown'})`]
}

function databaseRisks(pods: KubeObject[], { databases }: ForecastInput): string[] {
  return pods.flatMap((pod) => {
    const cluster = pod.metadata.labels?.['cnpg.io/cluster']
    if (cluster === undefined || pod.metadata.labels?.['cnpg.io/podRole'] === 'pooler') return []
    const database = databases.find(
      ({ metadata }) => metadata.name === cluster && metadata.namespace === pod.metadata.namespace,
    )
    if (!database) return []
    const name = nameOf(database)
    if (instancesOf(database) === 1) return [`database ${name} away: it has no standby`]
    const primary = database.status?.currentPrimary === pod.metadata.name
    return [
      primary
        ? `database ${name} switches over from ${pod.metadata.name}`
        : `database ${name} without standby ${pod.metadata.name}`,
    ]
  })
}

/** Batches one after the other; of a batch, the node that takes longest. */
function totalOf(batches: string[][], nodes: NodeForecast[]): Range | undefined {
  const expected = new Map(nodes.map((one) => [one.node, one.expected]))
  const longest = batches.map((batch) => {
    const ranges = batch.flatMap((node) => expected.get(node) ?? [])
    return ranges.length === 0
      ? undefined
      : {
          lowSec: Math.max(...ranges.map(({ lowSec }) => lowSec)),
          likelySec: Math.max(...ranges.map(({ likelySec }) => likelySec)),
          highSec: Math.max(...ranges.map(({ highSec }) => highSec)),
        }
  })
  if (longest.length === 0 || longest.some((range) => range === undefined)) return undefined
  const sum = (of: (range: Range) => number) => longest.reduce((all, range) => all + (range ? of(range) : 0), 0)
  return {
    lowSec: sum(({ lowSec }) => lowSec),
    likelySec: sum(({ likelySec }) => likelySec),
    highSec: sum(({ highSec }) => highSec),
  }
}

const controllerOf = (pod: KubeObject) => ownersOf(pod).find(({ controller }) => controller === true)
const nameOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`
