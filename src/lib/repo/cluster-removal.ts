/** What a cluster's end means for the repository and for what is outside of it. Pure. */
import type { Repository } from '../config/load.ts'
import type { Cluster } from '../types.ts'
import { layout } from './layout.ts'
import { vaultOf } from './new-cluster.ts'
import type { SourceFile } from './source-files.ts'

/** Another cluster's files, or the rollout, need it: as `file: what`. */
export function dependentsOf({ clusters, rollout, defaultCluster }: Repository, name: string): string[] {
  const others = clusters.filter((cluster) => cluster.name !== name)
  const domains = clusters.flatMap(({ name: owner, settings }) =>
    settings.CLUSTER_DOMAIN ? [{ owner, domain: settings.CLUSTER_DOMAIN }] : [],
  )
  /** The closest domain above a host decides whose it is. */
  const ownerOf = (host: string) =>
    domains
      .filter(({ domain }) => host === domain || host.endsWith(`.${domain}`))
      .toSorted((a, b) => b.domain.length - a.domain.length)[0]?.owner
  const [first, ...behind] = rollout.order
  return [
    ...(others.length === 0 ? [`${layout.repositoryFile}: it is the only cluster`] : []),
    ...(defaultCluster === name ? [`${layout.repositoryFile}: defaultCluster is ${name}`] : []),
    ...(first === name && behind.length > 0
      ? [
          `${layout.repositoryFile}: what ${behind.join(', ')} get${behind.length === 1 ? 's' : ''} soaks on ${name} first`,
        ]
      : []),
    ...others.flatMap((cluster) => [
      ...Object.entries(cluster.settings).flatMap(([key, value]) =>
        hostsIn(value).some((host) => ownerOf(host) === name)
          ? [`${layout.settings(cluster.name)}: ${key} is ${value}`]
          : [],
      ),
      ...(cluster.alertmanager && hostsIn(cluster.alertmanager.url).some((host) => ownerOf(host) === name)
        ? [`${layout.repositoryFile}: the alerts of ${cluster.name} are at ${cluster.alertmanager.url}`]
        : []),
    ]),
  ]
}

/** Of a mail address the domain is nobody's host. */
const hostsIn = (value: string): string[] =>
  value.includes('@') && !value.includes('://') ? [] : (value.match(/[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}/g) ?? [])

export interface Reference {
  file: string
  line: number
  text: string
}

/** Lines elsewhere in the repository that name it, and would be left behind. */
export function referencesTo({ name, settings, nodes, vip }: Cluster, files: SourceFile[]): Reference[] {
  const own = ownPaths(name).map((path) => `${path}/`)
  const facts = [
    ...own,
    vaultOf(name),
    `cluster=${name}`,
    `cluster="${name}"`,
    `--cluster ${name}`,
    ...['NODE_CIDR', 'POD_CIDR', 'SERVICE_CIDR', 'LB_POOL_CIDR', 'CLUSTER_DOMAIN'].flatMap(
      (key) => settings[key] ?? [],
    ),
    ...nodes.map(({ address }) => address),
    vip,
  ].filter((fact) => fact !== '')
  const escaped = facts.map((fact) => fact.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const named = new RegExp(`(?<![\\w.-])(${escaped.join('|')})(?![\\w-])`)
  return files
    .filter(({ path }) => path !== layout.repositoryFile && !own.some((directory) => path.startsWith(directory)))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .flatMap((line, index) => (named.test(line) ? [{ file: path, line: index + 1, text: line.trim() }] : [])),
    )
}

/** Directories that are the cluster's alone. */
export const ownPaths = (name: string): string[] => [layout.talos(name), layout.cluster(name), layout.bootstrapOf(name)]

/** What is left outside of the repository, in the order in which it goes: each with the command or the place. */
export function leftOutside(
  { name, settings, nodes, alertmanager, follows, context }: Cluster,
  others: Cluster[],
): string[] {
  const { CLUSTER_DOMAIN: domain, CLOUDFLARE_TUNNEL_ID: tunnel, CILIUM_ASN: asn, LB_POOL_CIDR: pool } = settings
  const machines = nodes.map(({ address }) => address).join(',')
  return [
    ...(alertmanager
      ? [
          `monitoring: its alerts (${alertmanager.matchers.join(', ')}) at ${alertmanager.url}: silence them before it is off`,
        ]
      : []),
    `machines: talosctl --context ${name} -n ${machines} reset --graceful=false --system-labels-to-wipe STATE --system-labels-to-wipe EPHEMERAL; Ceph's disks are wiped by themselves`,
    ...(domain
      ? [`DNS: records of ${domain} whose TXT record names k8s-${name} as owner, at Cloudflare and bind9`]
      : []),
    ...(tunnel ? [`Cloudflare: cloudflared tunnel delete ${tunnel}`] : []),
    ...(asn ? [`router: the BGP group of AS ${asn}${pool ? `, and the route to ${pool}` : ''}`] : []),
    `1Password: vault ${vaultOf(name)}, its Connect server, and the deploy key in GitHub`,
    'backups: their buckets stay; delete them when nobody asks for the data any more',
    ...(others.some((cluster) => cluster.follows === follows)
      ? []
      : [`git: branch ${follows}, which nobody else follows`]),
    `this machine: kubectl config delete-context ${context}`,
  ]
}
