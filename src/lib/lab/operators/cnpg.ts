/**
 * CloudNativePG's operator: instances with their volumes, budgets, and a primary that leaves a node which is cordoned or
 * lost. Real are scheduling, volumes' binding, eviction and budgets; no PostgreSQL runs and nothing is replicated.
 */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { isTrue, nextConditions, now, statusHolds } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'
import { createArchives, databaseContentKey, failedRecovery, failedStatus } from './cnpg-archives.ts'
import { type ClusterSpec, instanceBudgets, instanceClaim, instancePod, roleLabels } from './cnpg-workloads.ts'
import { nodeList } from './node-list.ts'
import { isAmong, type Operator, ownerReference, ready, startOperator } from './operator.ts'

const apiVersion = 'postgresql.cnpg.io/v1'
const fieldManager = 'cloudnative-pg'
/** At pace 1: the old primary shuts down and a replica is promoted; a base backup is written, or recovered. */
const seconds = { switchover: 3, backup: 5, recovery: 8 }
const healthyPhase = 'Cluster in healthy state'

interface Status {
  phase?: string
  currentPrimary?: string
  targetPrimary?: string
}

export function startCnpg(lab: Lab, view: ClusterView): Operator {
  const pace = (wanted: number) => Math.max(300, wanted * 1000 * lab.spec.pace)
  /** When a switch was first seen, by the Cluster's uid; a new operator begins to count anew. */
  const switching = new Map<string, number>()
  /** The primary that was written last, by uid: a list may still show the one before. */
  const primaries = new Map<string, string>()
  const archives = createArchives(lab, view)
  const nodes = nodeList(view, () => operator.again())

  const operator = startOperator(lab, view, {
    name: 'cloudnative-pg',
    pod: { 'app.kubernetes.io/name': 'cloudnative-pg' },
    kinds: [
      { apiVersion, kind: 'Cluster', reconcile },
      { apiVersion, kind: 'Backup', reconcile: reconcileBackup },
      { apiVersion, kind: 'ScheduledBackup', reconcile: reconcileSchedule },
      { apiVersion, kind: 'Database', reconcile: reconcileApplied },
      { apiVersion, kind: 'DatabaseRole', reconcile: reconcileApplied },
    ],
    onStart: () => primaries.clear(),
  })
  const pods = operator.follow({ apiVersion: 'v1', kind: 'Pod', labelSelector: 'cnpg.io/cluster' })
  const claims = operator.follow({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    labelSelector: 'cnpg.io/pvcRole=PG_DATA',
  })
  const budgets = operator.follow({ apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' })
  const endWithFaults = lab.faults.onChange(() => operator.again())

  async function reconcile(cluster: KubeObject): Promise<number | undefined> {
    const { instances } = cluster.spec as unknown as ClusterSpec
    const names = Array.from({ length: instances }, (_, index) => `${cluster.metadata.name}-${index + 1}`)
    const status = (cluster.status ?? {}) as Status
    if (cluster.metadata.deletionTimestamp) return undefined
    if (status.currentPrimary === undefined && cluster.metadata.annotations?.[databaseContentKey] === undefined)
      return begin(cluster)
    const primary = primaries.get(cluster.metadata.uid ?? '') ?? status.currentPrimary ?? names[0] ?? ''
    await keepInstances(cluster, names, primary)
    const own = pods.list.filter(
      ({ metadata }) =>
        metadata.namespace === cluster.metadata.namespace &&
        metadata.labels?.['cnpg.io/podRole'] === 'instance' &&
        metadata.labels['cnpg.io/cluster'] === cluster.metadata.name,
    )
    await keepRoles(own, primary)
    const healthy = own.filter(isHealthy).map(({ metadata }) => metadata.name)
    if (status.currentPrimary === undefined) {
      const up = healthy.includes(primary)
      return write(cluster, own, { phase: up ? healthyPhase : 'Setting up primary', primary, target: primary })
    }
    // What it was switched to last is no wish any more.
    const asked = status.currentPrimary === primary ? status.targetPrimary : undefined
    const target = chooseTarget(own, primary, asked ?? primary)
    if (target !== primary) return switchOver(cluster, own, primary, target)
    switching.delete(cluster.metadata.uid ?? '')
    const complete = healthy.length === instances
    const phase = complete ? healthyPhase : 'Waiting for the instances to become active'
    return write(cluster, own, { phase, primary, target })
  }

  /** Before its first instance: what that holds is new, or recovered. */
  async function begin(cluster: KubeObject): Promise<number> {
    const { name, namespace = '', creationTimestamp = now() } = cluster.metadata
    const setting = { phase: 'Setting up primary', primary: '', target: `${name}-1` }
    await write(cluster, [], setting)
    const recovers = (cluster.spec as { bootstrap?: { recovery?: object } }).bootstrap?.recovery !== undefined
    const leftMs = recovers ? Date.parse(creationTimestamp) + pace(seconds.recovery) - Date.now() : 0
    if (leftMs > 0) return leftMs
    const outcome = await archives.first(cluster)
    const job = failedRecovery(cluster)
    if ('failure' in outcome) {
      if (!isAmong(pods.list, job)) {
        const made = await view.writer().apply(job, fieldManager)
        await view.writer().patchStatus(made, failedStatus(outcome.failure))
      }
      return pace(seconds.recovery)
    }
    await view.writer().remove({ apiVersion: 'v1', kind: 'Pod', namespace, name: job.metadata.name })
    await view.writer().patch(cluster, { metadata: { annotations: { [databaseContentKey]: outcome.content } } })
    return 100
  }

  const isHealthy = (pod: KubeObject) =>
    pod.metadata.deletionTimestamp === undefined && isTrue(pod, 'Ready') && nodes.isReady(String(pod.spec?.nodeName))

  /** Another instance if the primary is lost or its node is being emptied; a promotion that somebody asked for goes first. */
  function chooseTarget(own: KubeObject[], primary: string, asked: string): string {
    const healthy = own.filter(isHealthy)
    if (asked !== primary && healthy.some(({ metadata }) => metadata.name === asked)) return asked
    const current = healthy.find(({ metadata }) => metadata.name === primary)
    if (current && nodes.takesPods(String(current.spec?.nodeName))) return primary
    if (current && lab.faults.active('cnpg-no-switchover')) return primary
    const candidates = healthy
      .filter(({ metadata, spec }) => metadata.name !== primary && nodes.takesPods(String(spec?.nodeName)))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    return candidates[0]?.metadata.name ?? primary
  }

  async function switchOver(cluster: KubeObject, own: KubeObject[], primary: string, target: string): Promise<number> {
    const uid = cluster.metadata.uid ?? ''
    const planned = own.some((pod) => pod.metadata.name === primary && isHealthy(pod))
    const begun = switching.get(uid) ?? Date.now()
    switching.set(uid, begun)
    const leftMs = begun + pace(seconds.switchover) - Date.now()
    if (leftMs > 0) {
      await write(cluster, own, { phase: planned ? 'Switchover in progress' : 'Failing over', primary, target })
      return leftMs
    }
    await keepRoles(own, target)
    switching.delete(uid)
    primaries.set(uid, target)
    lab.log(fieldManager, `${cluster.metadata.name}: ${target} is the primary, ${primary} was`)
    await write(cluster, own, { phase: 'Waiting for the instances to become active', primary: target, target })
    return 100
  }

  /**
   * One primary, whatever a pod was made as: the budgets go by these labels. The old one is demoted first: the disruption
   * controller (Kubernetes 1.35) counts anew only for the budget that a changed pod is in now, and would go on with two primaries.
   */
  async function keepRoles(own: KubeObject[], primary: string): Promise<void> {
    const roleOf = (pod: KubeObject) => (pod.metadata.name === primary ? 'primary' : 'replica')
    const wrong = own.filter((pod) => pod.metadata.labels?.['cnpg.io/instanceRole'] !== roleOf(pod))
    for (const role of ['replica', 'primary'] as const) {
      for (const pod of wrong.filter((one) => roleOf(one) === role)) {
        await view.writer().patch(pod, { metadata: { labels: roleLabels(role) } })
      }
    }
  }

  async function keepInstances(cluster: KubeObject, names: string[], primary: string): Promise<void> {
    for (const name of names) {
      const claim = instanceClaim(cluster, name)
      const pod = instancePod(cluster, name, name === primary ? 'primary' : 'replica')
      if (!isAmong(claims.list, claim)) await view.writer().apply(claim, fieldManager)
      // Others clone the first one, so it has to be there; a pod that is being deleted keeps its name until it is gone.
      const first = names[0] === name || cluster.status?.currentPrimary !== undefined
      if (first && !isAmong(pods.list, pod)) await view.writer().apply(pod, fieldManager)
    }
    const wanted = instanceBudgets(cluster)
    for (const budget of wanted) if (!isAmong(budgets.list, budget)) await view.writer().apply(budget, fieldManager)
    const kept = new Set(wanted.map(({ metadata }) => metadata.name))
    const possible = [cluster.metadata.name, `${cluster.metadata.name}-primary`]
    for (const { metadata } of budgets.list) {
      const ours = metadata.namespace === cluster.metadata.namespace && possible.includes(metadata.name)
      if (!ours || kept.has(metadata.name)) continue
      const ref = { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget', name: metadata.name }
      await view.writer().remove({ ...ref, namespace: metadata.namespace ?? '' })
    }
  }

  async function write(
    cluster: KubeObject,
    own: KubeObject[],
    { phase, primary, target }: { phase: string; primary: string; target: string },
  ): Promise<undefined> {
    const { instances } = cluster.spec as unknown as ClusterSpec
    const before = (cluster.status ?? {}) as Status
    const healthy = own
      .filter(isHealthy)
      .map(({ metadata }) => metadata.name)
      .sort()
    const complete = phase === healthyPhase && healthy.length === instances
    const verdict = complete
      ? ready('True', 'ClusterIsReady', 'Cluster is Ready')
      : ready('False', 'ClusterIsNotReady', 'Cluster Is Not Ready')
    const settled = phase === healthyPhase || before.currentPrimary !== undefined
    const status = {
      phase: phase === healthyPhase && !complete ? 'Creating a new replica' : phase,
      instances: own.length,
      readyInstances: healthy.length,
      instanceNames: own.map(({ metadata }) => metadata.name).sort(),
      instancesStatus: { healthy },
      ...(settled ? { currentPrimary: primary, targetPrimary: target } : { targetPrimary: target }),
      ...(settled && before.currentPrimary !== primary ? { currentPrimaryTimestamp: now() } : {}),
      ...(before.targetPrimary !== target ? { targetPrimaryTimestamp: now() } : {}),
      writeService: `${cluster.metadata.name}-rw`,
      readService: `${cluster.metadata.name}-r`,
    }
    const wanted = { ...status, conditions: nextConditions(cluster, [verdict]) }
    if (!statusHolds(cluster, wanted)) await view.writer().patchStatus(cluster, wanted)
    return undefined
  }

  async function reconcileBackup(backup: KubeObject): Promise<number | undefined> {
    const { phase, startedAt } = (backup.status ?? {}) as { phase?: string; startedAt?: string }
    if (phase === 'completed' || phase === 'failed') return undefined
    if (!startedAt) {
      await view.writer().patchStatus(backup, { phase: 'running', startedAt: now(), method: 'plugin' })
      return pace(seconds.backup)
    }
    const leftMs = Date.parse(startedAt) + pace(seconds.backup) - Date.now()
    if (leftMs > 0) return leftMs
    const failure = lab.faults.active('base-backup-fails')
    const end = failure
      ? { phase: 'failed', error: failure.params?.message ?? 'rpc error: the bucket answers AccessDenied' }
      : { phase: 'completed' }
    if (!failure) {
      const { cluster } = backup.spec as { cluster: { name: string } }
      const { namespace } = backup.metadata
      const saved = operator
        .objects('Cluster')
        .find(({ metadata }) => metadata.name === cluster.name && metadata.namespace === namespace)
      if (saved) await archives.saved(saved, startedAt)
    }
    await view.writer().patchStatus(backup, { ...end, stoppedAt: now() })
    return undefined
  }

  /** The backup that `immediate` asks for. The schedule isn't kept: it would fall into a rehearsal by chance. */
  async function reconcileSchedule(schedule: KubeObject): Promise<undefined> {
    const { immediate, cluster, method, pluginConfiguration } = schedule.spec as { [key: string]: unknown }
    if (schedule.status?.lastScheduleTime || immediate !== true) return
    const { name, namespace = '', creationTimestamp = now() } = schedule.metadata
    // Called after a moment that stays the same: a schedule seen once more before its status is there gets no second one.
    await view.writer().apply(
      {
        apiVersion,
        kind: 'Backup',
        metadata: {
          name: `${name}-${creationTimestamp.replace(/\D/g, '')}`,
          namespace,
          ownerReferences: [ownerReference(schedule as unknown as Manifest)],
        },
        spec: { cluster, method, pluginConfiguration },
      },
      fieldManager,
    )
    await view.writer().patchStatus(schedule, { lastCheckTime: now(), lastScheduleTime: now() })
  }

  /** A database or a role exists as soon as its cluster has a primary. */
  async function reconcileApplied(object: KubeObject): Promise<number | undefined> {
    const { cluster } = object.spec as { cluster: { name: string } }
    const served = operator
      .objects('Cluster')
      .some(({ metadata, status }) => metadata.name === cluster.name && status?.currentPrimary !== undefined)
    if (!served) return pace(seconds.switchover)
    const status = { applied: true, observedGeneration: object.metadata.generation }
    if (!statusHolds(object, status)) await view.writer().patchStatus(object, status)
    return undefined
  }

  return {
    ...operator,
    stop() {
      nodes.stop()
      endWithFaults()
      operator.stop()
    },
  }
}
