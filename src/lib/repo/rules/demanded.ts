/** What requirements, design and the machines ask of single components: values that have to be stated, whatever a chart's default is. */
import { isAskedFor, valuesOf } from '../chart-objects.ts'
import { dig, durationOf, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { podOf } from './charts.ts'
import { about, aboutRelease, each, type Rule } from './rule.ts'
import { type ClusterView, type KnownRelease, ofKind } from './view.ts'

export const demandedRules: Rule[] = [
  {
    id: 'component-settings',
    demands: 'A component is set up as requirements, design and Talos ask: the message names which',
    why: 'A chart’s default is something else, or may be in its next version',
    fix: 'Set the value that the message names',
    source: 'FR21, FR25, FR28, FR32, FR51, NFR1, NFR22, NFR36, NFR42, NFR43, Talos 1.12',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => cluster.releases.flatMap((known) => unset(known, cluster.settings))),
  },
  {
    id: 'priority-stated',
    demands: 'What runs below infrastructure/ says its priority class',
    why: 'Without one it has that of applications: when nodes are full the platform is evicted with them',
    fix: 'priorityClassName: platform-critical or cluster-services (docs/patterns.md)',
    source: 'FR31',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => [...cluster.releases.flatMap(withoutPriority), ...podsWithoutPriority(cluster)]),
  },
]

interface Demand {
  path: string
  /** A value, a setting of the cluster (`$NAME`), or the least number or duration (`>=`). */
  is: string
  source: string
}

const talos = 'Talos 1.12'
const demand = (source: string, values: Record<string, string>): Demand[] =>
  Object.entries(values).map(([path, is]) => ({ path, is, source }))

/** By chart. */
const demands: Record<string, Demand[]> = {
  cilium: [
    ...demand('FR21', {
      routingMode: 'native',
      kubeProxyReplacement: 'true',
      autoDirectNodeRoutes: 'true',
      'bpf.masquerade': 'true',
      MTU: '9000',
      ipv4NativeRoutingCIDR: '$POD_CIDR',
      'ipam.mode': 'kubernetes',
      'hubble.enabled': 'true',
      'hubble.relay.enabled': 'true',
      'cluster.name': '$CLUSTER_NAME',
      'cluster.id': '$CLUSTER_ID',
    }),
    ...demand('FR25', { 'bgpControlPlane.enabled': 'true' }),
    ...demand(talos, {
      k8sServiceHost: '127.0.0.1',
      k8sServicePort: '7445',
      'cgroup.autoMount.enabled': 'false',
      'cgroup.hostRoot': '/sys/fs/cgroup',
    }),
  ],
  coredns: demand('design section 2', {
    'service.clusterIP': '$CLUSTER_DNS_IP',
    'service.name': 'kube-dns',
    k8sAppLabelOverride: 'kube-dns',
  }),
  'cert-manager': demand('FR32', { 'crds.enabled': 'true', 'crds.keep': 'true' }),
  'external-dns': demand('FR51', { policy: 'sync', registry: 'txt' }),
  spegel: demand(talos, {
    'spegel.containerdRegistryConfigPath': '/etc/cri/conf.d/hosts',
    'spegel.containerdSock': '/run/containerd/containerd.sock',
  }),
  'rook-ceph-cluster': [
    ...demand('NFR22', { 'cephClusterSpec.mon.count': '>=3', 'cephClusterSpec.mon.allowMultiplePerNode': 'false' }),
    ...demand('ADR 0011', { 'cephClusterSpec.dataDirHostPath': '/var/lib/rook' }),
    ...demand('FR28', { 'cephClusterSpec.dashboard.enabled': 'true', 'toolbox.enabled': 'true' }),
    ...demand('NFR11', { 'cephClusterSpec.network.connections.requireMsgr2': 'true' }),
    ...demand('design section 2', { 'cephClusterSpec.storage.useAllDevices': 'false' }),
  ],
  'victoria-logs-single': demand('NFR42', { 'server.retentionPeriod': '>=30d' }),
  'plugin-barman-cloud': demand('NFR6', { 'certificate.renewBefore': '>=720h' }),
  'rook-ceph': [
    ...demand('FR27', { 'csi.enableCephfsDriver': 'false' }),
    ...demand('design section 2', { currentNamespaceOnly: 'true' }),
  ],
}

function unset({ release }: KnownRelease, settings: Record<string, string>): Finding[] {
  return (demands[release.chartName] ?? []).flatMap(({ path, is, source }) => {
    const found = dig(release.values, path)
    const text = found === undefined || found === null ? undefined : String(found)
    const wanted = is.startsWith('$') ? settings[is.slice(1)] : is
    if (wanted === undefined || text === wanted) return []
    if (wanted.startsWith('>=') && isAtLeast(text, wanted.slice(2))) return []
    return [
      aboutRelease(release, `${path} is ${text ?? 'unset'}, not ${wanted} (${source})`, [
        'spec',
        'values',
        ...path.split('.'),
      ]),
    ]
  })
}

function isAtLeast(text: string | undefined, least: string): boolean {
  const [is, wanted] = [text, least].map((one) => durationOf(one) ?? Number(one))
  return is !== undefined && wanted !== undefined && is >= wanted
}

function withoutPriority({ release, facts, rendered }: KnownRelease): Finding[] {
  if (!facts || rendered || !release.file?.includes('/infrastructure/')) return []
  const values = valuesOf(release, facts)
  const paths = (facts.workloads ?? [])
    .filter((workload) => isAskedFor(workload, values))
    .flatMap(({ priorityClassNameValue, priorityClassName }) =>
      priorityClassNameValue !== undefined && priorityClassName === undefined ? [priorityClassNameValue] : [],
    )
  return [...new Set(paths)]
    .filter((path) => (textAt(values, path) ?? '') === '')
    .map((path) => aboutRelease(release, `${path} is unset`, ['spec', 'values', ...path.split('.')]))
}

const podsWithoutPriority = (cluster: ClusterView): Finding[] =>
  ofKind(cluster, 'Deployment', 'StatefulSet', 'DaemonSet')
    .filter(({ release, manifest }) => !release && manifest.file?.includes('/infrastructure/'))
    .filter((one) => textAt(podOf(one).pod, 'priorityClassName') === undefined)
    .map((one) => about(one, 'says no priorityClassName', podOf(one).path))
