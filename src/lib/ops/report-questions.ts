/**
 * What the weekly report asks VictoriaMetrics about a cluster. Metrics of kube-state-metrics, cAdvisor and kubelet, node-exporter, Ceph's
 * manager, VolSync and controller-runtime (Flux), as their exporters name them.
 */

/** How a value is written: a part of one, a number, seconds. */
export type Unit = 'part' | 'number' | 'seconds'

interface Question {
  id: string
  title: string
  unit: Unit
  /** MetricsQL; `$range` is the report's time as a duration. */
  expression: string
}

/** One value. */
export interface FigureQuestion extends Question {
  /** Of the PRD; the figure is held against it. */
  target?: { requirement: string; atLeast?: number; atMost?: number }
  /** The value is of the whole time, and told for a day of it. */
  perDay?: true
}

/** The greatest of many. */
export interface TopQuestion extends Question {
  /** Labels by which a row is named. */
  by: string[]
}

/** Values over the time, and where they lead. */
export interface TrendQuestion extends Question {
  /** A part of one that must not be reached. */
  limit: number
}

const flux = 'controller=~"kustomization|helmrelease"'

export const figureQuestions: FigureQuestion[] = [
  {
    id: 'nodes-available',
    title: 'Nodes Ready',
    unit: 'part',
    expression: 'avg(avg_over_time(kube_node_status_condition{condition="Ready",status="true"}[$range]))',
  },
  {
    id: 'api-available',
    title: 'API servers up',
    unit: 'part',
    expression: 'avg(avg_over_time(up{job="apiserver"}[$range]))',
  },
  {
    id: 'ceph-healthy',
    title: 'Ceph HEALTH_OK',
    unit: 'part',
    expression: 'avg_over_time((max(ceph_health_status) == bool 0)[$range:5m])',
    target: { requirement: 'NFR17', atLeast: 0.999 },
  },
  {
    id: 'reconciliations',
    title: 'Reconciliations without error',
    unit: 'part',
    expression: `1 - (sum(increase(controller_runtime_reconcile_total{${flux},result="error"}[$range])) default 0) / sum(increase(controller_runtime_reconcile_total{${flux}}[$range]))`,
    target: { requirement: 'NFR16', atLeast: 0.99 },
  },
  {
    id: 'restarts',
    title: 'Container restarts a day',
    unit: 'number',
    // Of Jobs they are expected.
    expression:
      'sum(sum(increase(kube_pod_container_status_restarts_total[$range])) by (namespace, pod) unless on (namespace, pod) kube_pod_owner{owner_kind="Job"})',
    perDay: true,
    target: { requirement: 'NFR18', atMost: 5 },
  },
  {
    id: 'backups-missed',
    title: 'Backups of volumes missed',
    unit: 'number',
    expression: 'sum(increase(volsync_missed_intervals_total[$range]))',
    target: { requirement: 'NFR19', atMost: 0 },
  },
]

export const topQuestions: TopQuestion[] = [
  {
    id: 'restarting',
    title: 'Pods that restarted most',
    unit: 'number',
    by: ['namespace', 'pod'],
    expression: 'topk(10, sum(increase(kube_pod_container_status_restarts_total[$range])) by (namespace, pod) > 0)',
  },
  {
    id: 'flapping',
    title: 'Deployments whose available replicas changed most',
    unit: 'number',
    by: ['namespace', 'deployment'],
    expression:
      'topk(10, sum(changes(kube_deployment_status_replicas_available[$range])) by (namespace, deployment) > 1)',
  },
  {
    id: 'slow',
    title: 'Flux objects that are slowest to reconcile (95th percentile)',
    unit: 'seconds',
    by: ['kind', 'exported_namespace', 'name'],
    expression:
      'topk(10, histogram_quantile(0.95, sum(increase(gotk_reconcile_duration_seconds_bucket[$range])) by (le, kind, exported_namespace, name)))',
  },
  {
    id: 'volumes',
    title: 'Volumes that are fullest',
    unit: 'part',
    by: ['namespace', 'persistentvolumeclaim'],
    expression:
      'topk(10, max(kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes) by (namespace, persistentvolumeclaim))',
  },
]

export const trendQuestions: TrendQuestion[] = [
  {
    id: 'cpu',
    title: 'CPU used',
    unit: 'part',
    limit: 0.85,
    expression: '1 - avg(rate(node_cpu_seconds_total{mode="idle"}[10m]))',
  },
  {
    id: 'memory',
    title: 'Memory used',
    unit: 'part',
    limit: 0.9,
    expression: '1 - sum(node_memory_MemAvailable_bytes) / sum(node_memory_MemTotal_bytes)',
  },
  {
    id: 'ceph',
    title: 'Ceph used',
    unit: 'part',
    // Where Ceph warns (mon_osd_nearfull_ratio).
    limit: 0.85,
    expression: 'max(ceph_cluster_total_used_bytes) / max(ceph_cluster_total_bytes)',
  },
]

export const expressionOf = ({ expression }: Question, rangeSec: number): string =>
  expression.replaceAll('$range', `${Math.round(rangeSec)}s`)
