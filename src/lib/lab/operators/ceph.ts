/**
 * Rook's operator: daemons for each CephCluster, budgets that follow its OSDs, and the status that a look at Ceph every so
 * often would give. Real are the pods' scheduling, eviction and the budgets' effect; no daemon and no disk exists.
 */
import type { KubeObject } from '../../types.ts'
import { clockOffsetMs, labTime } from '../clock.ts'
import { type ClusterView, matches } from '../kube/cluster-view.ts'
import { isTrue, now, statusHolds } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'
import { type CephFacts, type Daemon, type HealthCheck, healthChecks, overall } from './ceph-health.ts'
import { diskBytes } from './ceph-jobs.ts'
import { cephMap } from './ceph-map.ts'
import { daemonBudget, daemonDeployment, isOsdBudget, osdBudgets, rbdController } from './ceph-workloads.ts'
import { nodeList } from './node-list.ts'
import { type Operator, startOperator } from './operator.ts'

const fieldManager = 'rook-ceph-operator'
/** Seconds at pace 1. Rook looks every 60 s; a lab's boot takes four seconds instead of minutes. */
const seconds = { check: 10, recovery: 5 }

interface Memory {
  checkedAt: number
  /** When the last OSD came back. */
  wholeSince: number
  wasAway: boolean
  /** The host that Rook takes for drained until every placement group is whole again, and whether it is kept in. */
  drain: { host: string; noout: boolean }
  /** What was last written down of it. */
  drainTold: string
}

const nooutOf = ({ drain: { host, noout } }: Memory): Pick<CephFacts, 'noout'> => (noout ? { noout: host } : {})

const newMemory = (): Memory => ({
  checkedAt: 0,
  wholeSince: 0,
  wasAway: false,
  drainTold: '',
  drain: { host: '', noout: false },
})

export function startCeph(lab: Lab, view: ClusterView): Operator {
  const memories = new Map<string, Memory>()
  const map = cephMap(lab)
  /** Namespaces whose CSI controller was applied since the operator began to run. */
  const csiMade = new Set<string>()
  const pace = (wanted: number) => wanted * 1000 * lab.spec.pace
  const checkMs = Math.max(1_000, pace(seconds.check))
  const nodes = nodeList(view, () => operator.again())
  let budgets: KubeObject[] = []

  const operator = startOperator(lab, view, {
    name: 'rook-ceph-operator',
    pod: { app: 'rook-ceph-operator' },
    kinds: [
      { apiVersion: 'ceph.rook.io/v1', kind: 'CephCluster', reconcile },
      { apiVersion: 'ceph.rook.io/v1', kind: 'CephBlockPool', reconcile: reconcilePool },
    ],
    onStart: () => {
      memories.clear()
      csiMade.clear()
    },
  })
  const deployments = operator.follow({ apiVersion: 'apps/v1', kind: 'Deployment', labelSelector: 'rook_cluster' })
  const endings = [
    view.watch({ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' }, (objects) => {
      budgets = objects
    }),
    view.onPods(() => operator.again()),
    lab.faults.onChange(() => {
      for (const memory of memories.values()) memory.checkedAt = 0
      operator.again()
    }),
  ]

  async function reconcile(cluster: KubeObject): Promise<number | undefined> {
    // A view that has not seen the nodes yet would take every daemon for one too many.
    if (nodes.all().length === 0) return checkMs
    const { namespace = '', uid = '' } = cluster.metadata
    await keepDaemons(cluster)
    const mons = daemons(namespace, 'rook-ceph-mon')
    const osds = daemons(namespace, 'rook-ceph-osd')
    map.hosts = new Set(osds.map(({ node }) => node))
    const memory = memories.get(uid) ?? newMemory()
    memories.set(uid, memory)
    const away = new Set(osds.filter(({ up }) => !up).map(({ node }) => node))
    if (memory.wasAway && away.size === 0) memory.wholeSince = Date.now()
    memory.wasAway = away.size > 0
    const recoveryLeftMs = away.size > 0 ? 0 : memory.wholeSince + pace(seconds.recovery) - Date.now()
    await keepBudgets(namespace, osds, away, recoveryLeftMs <= 0)
    if (away.size === 0 && recoveryLeftMs <= 0) memory.drain = { host: '', noout: false }
    else if (memory.drain.host === '' && away.size > 0) memory.drain = drainOf(osds, away)
    await keepDrains(namespace, memory)
    const checkLeftMs = memory.checkedAt + checkMs - Date.now()
    if (checkLeftMs <= 0) {
      memory.checkedAt = Date.now()
      const lacking = osds.some(({ id, up }) => !up && map.out.has(id)) && map.progress().left > 0
      await reportHealth(cluster, mons, osds, { recovering: recoveryLeftMs > 0 || lacking, ...nooutOf(memory) })
    }
    const next = checkLeftMs <= 0 ? checkMs : checkLeftMs
    return recoveryLeftMs > 0 ? Math.min(next, recoveryLeftMs) : next
  }

  /** A pool is there once its cluster is. */
  async function reconcilePool(pool: KubeObject): Promise<number | undefined> {
    const made = operator
      .objects('CephCluster')
      .some(({ metadata, status }) => metadata.namespace === pool.metadata.namespace && status?.phase === 'Ready')
    if (!made) return checkMs
    const status = { phase: 'Ready', observedGeneration: pool.metadata.generation, info: { type: 'Replicated' } }
    if (!statusHolds(pool, status)) await view.writer().patchStatus(pool, status)
    return undefined
  }

  /** Whatever the CephCluster asks for and isn't there yet; a disk that still carries a purged OSD is taken for no empty one. */
  async function keepDaemons(cluster: KubeObject): Promise<void> {
    const { namespace = '' } = cluster.metadata
    const spec = cluster.spec as {
      mon?: { count?: number }
      mgr?: { count?: number }
      cephVersion?: { image?: string }
      storage?: { useAllNodes?: boolean; nodes?: { name: string }[] }
    }
    const names = nodes.all().map(({ metadata }) => metadata.name)
    const letters = 'abcdefghijk'.split('')
    const shared = { namespace, image: spec.cephVersion?.image ?? 'ceph', owner: cluster as unknown as Manifest }
    const there = new Set(
      deployments.list.filter(({ metadata }) => metadata.namespace === namespace).map(({ metadata }) => metadata.name),
    )
    const hosts = new Set(daemons(namespace, 'rook-ceph-osd').map(({ node }) => node))
    const free = letters.length + names.length
    const osdIds = Array.from({ length: free }, (_, index) => String(index)).filter(
      (id) => !there.has(`rook-ceph-osd-${id}`),
    )
    const { useAllNodes = true, nodes: listed = [] } = spec.storage ?? {}
    const hasStorage = (node: string) => useAllNodes || listed.some(({ name }) => name === node)
    const wanted = [
      ...letters
        .slice(0, spec.mon?.count ?? 3)
        .map((id, index) => daemonDeployment('rook-ceph-mon', id, { ...shared, ...onNode(names[index]) })),
      ...letters.slice(0, spec.mgr?.count ?? 2).map((id) => daemonDeployment('rook-ceph-mgr', id, shared)),
      ...names
        .filter((node) => !hosts.has(node) && hasStorage(node) && !map.left.has(node))
        .map((node, index) => daemonDeployment('rook-ceph-osd', osdIds[index] ?? node, { ...shared, node })),
    ]
    for (const daemon of wanted.filter(({ metadata }) => !there.has(metadata.name))) {
      await view.writer().apply(daemon, fieldManager)
      if (cluster.status?.phase === 'Ready' && daemon.metadata.name.startsWith('rook-ceph-osd-')) map.moved()
    }
    // Rook wants every OSD to run that it knows: one that is stopped comes back, unless the operator is away.
    const stopped = deployments.list.filter(
      (one) => matches(one, { app: 'rook-ceph-osd' }, namespace) && one.spec?.replicas === 0,
    )
    for (const osd of stopped) await view.writer().patch(osd, { spec: { replicas: 1 } })
    for (const app of ['rook-ceph-mon', 'rook-ceph-mgr'] as const) await keepBudget(daemonBudget(app, namespace))
    if (!csiMade.has(namespace)) {
      for (const part of rbdController(namespace, shared.owner)) await view.writer().apply(part, fieldManager)
      csiMade.add(namespace)
    }
  }

  function daemons(namespace: string, app: string): Daemon[] {
    return deployments.list
      .filter((deployment) => matches(deployment, { app }, namespace))
      .map((deployment) => {
        const labels = deployment.metadata.labels ?? {}
        const id = labels.ceph_daemon_id ?? ''
        const pod = view.runningPods().find((each) => matches(each, { app, ceph_daemon_id: id }, namespace))
        const template = (deployment.spec as { template?: { spec?: { nodeSelector?: Record<string, string> } } })
          .template
        const node = template?.spec?.nodeSelector?.['kubernetes.io/hostname'] ?? ''
        return { id, node, up: pod !== undefined && isTrue(pod, 'Ready') && nodes.isReady(String(pod.spec?.nodeName)) }
      })
  }

  async function keepBudgets(namespace: string, osds: Daemon[], away: Set<string>, whole: boolean): Promise<void> {
    const wanted = osdBudgets(namespace, [...new Set(osds.map(({ node }) => node))], away, whole)
    for (const budget of wanted) await keepBudget(budget)
    const names = new Set(wanted.map(({ metadata }) => metadata.name))
    const surplus = budgets.filter(
      ({ metadata }) => metadata.namespace === namespace && isOsdBudget(metadata.name) && !names.has(metadata.name),
    )
    for (const { metadata } of surplus)
      await view
        .writer()
        .remove({ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', namespace, name: metadata.name })
  }

  async function keepBudget(budget: Manifest): Promise<void> {
    const { name, namespace } = budget.metadata
    const there = budgets.some(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
    if (!there) await view.writer().apply(budget, fieldManager)
  }

  /** A host whose node is cordoned goes before one that is just away, and only it is kept in. */
  function drainOf(osds: Daemon[], away: Set<string>): Memory['drain'] {
    const hosts = osds.filter(({ node }) => away.has(node)).map(({ node }) => node)
    const cordoned = hosts.find((host) => nodes.isCordoned(host))
    return { host: cordoned ?? hosts[0] ?? '', noout: cordoned !== undefined }
  }

  /** What Rook keeps of drains; there from its first look on. */
  async function keepDrains(namespace: string, memory: Memory): Promise<void> {
    const data = { 'draining-failure-domain': memory.drain.host, 'set-no-out': memory.drain.noout ? 'true' : '' }
    const text = JSON.stringify(data)
    if (memory.drainTold === text) return
    const metadata = { name: 'rook-ceph-pdbstatemap', namespace }
    await view.writer().apply({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }, fieldManager)
    memory.drainTold = text
  }

  async function reportHealth(
    cluster: KubeObject,
    mons: Daemon[],
    osds: Daemon[],
    { recovering, noout }: Pick<CephFacts, 'recovering' | 'noout'>,
  ): Promise<void> {
    const complete = [...mons, ...osds].every(({ up }) => up) && osds.length > 0
    const before = (cluster.status?.ceph ?? {}) as { health?: string; lastChanged?: string; lastChecked?: string }
    const created = cluster.status?.phase === 'Ready'
    if (!created && !complete) {
      const status = { phase: 'Progressing', state: 'Creating', message: 'Configuring Ceph OSDs' }
      if (!statusHolds(cluster, status)) await view.writer().patchStatus(cluster, status)
      return
    }
    // One that is out is missed by nobody.
    const counted = osds.filter(({ id, up }) => up || !map.out.has(id))
    const found = healthChecks({ mons, osds: counted, recovering, ...(noout === undefined ? {} : { noout }) })
    // Without a quorum `ceph status` gets no answer: what was known before stays, and grows old.
    if (!found) return
    const { checks, lastChecked } = withFault(found)
    const health = overall(checks)
    const forgotten = Object.keys((cluster.status?.ceph as { details?: object } | undefined)?.details ?? {})
    const details = { ...Object.fromEntries(forgotten.map((key) => [key, null])), ...checks }
    await view.writer().patchStatus(cluster, {
      phase: 'Ready',
      state: 'Created',
      message: 'Cluster created successfully',
      observedGeneration: cluster.metadata.generation,
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'ClusterCreated',
          message: 'Cluster created successfully',
          lastHeartbeatTime: now(),
          lastTransitionTime: created ? firstTransition(cluster) : now(),
        },
      ],
      ceph: {
        health,
        details,
        lastChecked,
        ...(before.health === health ? {} : { lastChanged: now(), previousHealth: before.health ?? 'HEALTH_OK' }),
        capacity: {
          bytesTotal: osds.length * diskBytes,
          bytesUsed: 4e11,
          bytesAvailable: osds.length * diskBytes - 4e11,
          lastUpdated: lastChecked,
        },
      },
    })
  }

  /** `ceph-degraded`: a health check that has nothing to do with daemons, or a look that is old. */
  function withFault(checks: Record<string, HealthCheck>) {
    const params = lab.faults.active('ceph-degraded')?.params
    if (!lab.faults.active('ceph-degraded')) return { checks, lastChecked: labTime(lab) }
    const lastChecked = new Date(Date.now() + clockOffsetMs(lab) - Number(params?.lastChecked ?? 0) * 1000)
    const severity = params?.severity === 'HEALTH_ERR' ? 'HEALTH_ERR' : 'HEALTH_WARN'
    const keys = (params?.key ?? 'OSD_NEARFULL').split(',').filter((key) => key !== '' && key !== 'none')
    const raised = keys.map((key) => [key, { severity, message: `${key} (fault ceph-degraded of the lab)` }])
    return {
      checks: { ...checks, ...(Object.fromEntries(raised) as Record<string, HealthCheck>) },
      lastChecked: `${lastChecked.toISOString().slice(0, 19)}Z`,
    }
  }

  return {
    ...operator,
    stop() {
      nodes.stop()
      for (const end of endings) end()
      operator.stop()
    },
  }
}

const onNode = (node: string | undefined) => (node === undefined ? {} : { node })

function firstTransition(cluster: KubeObject): string {
  const conditions = (cluster.status?.conditions ?? []) as { lastTransitionTime?: string }[]
  return conditions[0]?.lastTransitionTime ?? now()
}
