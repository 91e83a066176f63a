/** Invariants over what Flux would apply. */

import { normalPath } from '../../../src/lib/repo/build.ts'
import { nameOf } from '../../../src/lib/repo/flux.ts'
import type { Manifest } from '../../../src/lib/repo/manifests.ts'
import { isHelmRelease } from '../../../src/lib/repo/releases.ts'
import type { ClusterView, Invariant } from './view.ts'

const each =
  (check: (cluster: ClusterView) => string[]): Invariant =>
  ({ clusters }) =>
    clusters.flatMap((cluster) => check(cluster).map((line) => `${cluster.name}: ${line}`))

const manifests = ({ rendered }: ClusterView): Manifest[] => rendered.flatMap((one) => one.manifests)
const identity = (one: Manifest) => {
  const { namespace, name } = one.object().metadata
  return `${one.kind} ${namespace ? `${namespace}/` : ''}${name}`
}

/** Paths, dependsOn, variables, charts: whatever `k8sops validate` reports of manifests. */
export const rendersWithoutFindings: Invariant = each(({ findings }) =>
  findings.map(({ file, message }) => `${file}: ${message}`),
)

const exactVersion = /^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/

export const chartsPinned: Invariant = each(({ releases }) =>
  releases
    .filter(({ version }) => !exactVersion.test(version))
    .map((release) => `${nameOf(release)}: chart version ${release.version}`),
)

/** Also images in a HelmRelease's values, where a chart takes `repository` and `tag` apart. */
export const imagesPinned: Invariant = each((cluster) => [
  ...manifests(cluster)
    .flatMap((one) => images(one.object()).map((image) => [identity(one), image] as const))
    .filter(([, image]) => !isPinned(image))
    .map(([name, image]) => `${name}: image ${image}`),
  ...cluster.releases.flatMap((release) => looseTags(release.values).map((tag) => `${nameOf(release)}: tag ${tag}`)),
])

const isPinned = (image: string) =>
  /@sha256:[0-9a-f]{64}$/.test(image) || (/:[^/:]+$/.test(image) && !/:(latest|main|master|edge|stable)$/.test(image))

function images(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(images)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, below]) =>
    key === 'image' && typeof below === 'string' && below !== '' ? [below] : images(below),
  )
}

function looseTags(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(looseTags)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, below]) => {
    if (key === 'tag' && typeof below === 'string' && /^(latest|main|master|edge|stable)?$/.test(below))
      return [below || '(empty)']
    return looseTags(below)
  })
}

/** Flux's own objects have cluster-admin through their controllers; nothing else gets it. */
export const noClusterAdmin: Invariant = each((cluster) =>
  manifests(cluster)
    .filter(({ kind }) => /^(Cluster)?RoleBinding$/.test(kind))
    .filter((one) => (one.object() as { roleRef?: { name?: string } }).roleRef?.name === 'cluster-admin')
    .map((one) => `${identity(one)}: binds cluster-admin`),
)

interface Retries {
  remediation?: { retries?: number }
  strategy?: { name?: string }
}

/** A release that failed once must be tried again by itself; with `strategy` Flux 2.7 and later do so without a count. */
export const releasesAreRemediated: Invariant = each((cluster) =>
  manifests(cluster)
    .filter(isHelmRelease)
    .flatMap((one) => {
      const spec = (one.object().spec ?? {}) as { install?: Retries; upgrade?: Retries }
      const tries = (action?: Retries) =>
        action?.strategy?.name !== undefined || (action?.remediation?.retries ?? 0) !== 0
      return (['install', 'upgrade'] as const)
        .filter((action) => !tries(spec[action]))
        .map((action) => `${identity(one)}: ${action} has no remediation`)
    }),
)

/** A directory that two Kustomizations of one cluster apply would be pruned by whichever is removed first. */
export const onePathOneConsumer: Invariant = each(({ rendered }) => {
  const consumers = Map.groupBy(rendered, ({ kustomization }) => normalPath(kustomization.spec.path))
  return [...consumers]
    .filter(([, list]) => list.length > 1)
    .map(([path, list]) => `${path}: applied by ${list.map(({ kustomization }) => kustomization.name).join(' and ')}`)
})

/** One object, one owner: two Kustomizations that apply the same fight for ever. */
export const oneObjectOneOwner: Invariant = each(({ rendered }) => {
  const owned = rendered.flatMap(({ kustomization, manifests: list }) =>
    list.map((one) => ({ key: `${one.apiVersion.split('/')[0]} ${identity(one)}`, owner: kustomization.name })),
  )
  return [...Map.groupBy(owned, ({ key }) => key)]
    .filter(([, list]) => list.length > 1)
    .map(([key, list]) => `${key}: applied by ${list.map(({ owner }) => owner).join(' and ')}`)
})

/** kstatus takes these for ready as soon as they exist, or never: their readiness must be written down. */
const withoutReady = new Set([
  'CephCluster',
  'CephBlockPool',
  'CephFilesystem',
  'CephObjectStore',
  'Cluster',
  'CiliumBGPClusterConfig',
])
const groupsWithoutReady = /^(ceph\.rook\.io|postgresql\.cnpg\.io)\//

export const readinessIsKnown: Invariant = each(({ rendered }) =>
  rendered.flatMap(({ kustomization, manifests: list }) => {
    const kinds = new Set(
      list
        .filter(({ apiVersion, kind }) => withoutReady.has(kind) && groupsWithoutReady.test(apiVersion))
        .map(({ kind }) => kind),
    )
    const given = new Set(((kustomization.raw.healthCheckExprs ?? []) as { kind: string }[]).map(({ kind }) => kind))
    return [...kinds]
      .filter((kind) => !given.has(kind))
      .map((kind) => `Kustomization ${kustomization.name}: ${kind} has no healthCheckExprs`)
  }),
)

/** A Kustomization does not make the namespace that its objects go to. */
const builtIn = new Set(['kube-system', 'kube-public', 'default'])
export const namespacesExist: Invariant = each((cluster) => {
  const all = manifests(cluster)
  const made = new Set(all.filter(({ kind }) => kind === 'Namespace').map((one) => one.object().metadata.name))
  const used = new Map(all.map((one) => [one.object().metadata.namespace, one] as const))
  for (const release of cluster.releases)
    if (!made.has(release.releaseNamespace) && !builtIn.has(release.releaseNamespace))
      return [`${nameOf(release)}: namespace ${release.releaseNamespace} is not made`]
  return [...used]
    .filter(([name]) => name !== undefined && !made.has(name) && !builtIn.has(name))
    .map(([name, one]) => `${identity(one)}: namespace ${name} is not made`)
})

export const hostsInDomain: Invariant = each((cluster) =>
  manifests(cluster)
    .filter(({ kind }) => kind === 'HTTPRoute')
    .flatMap((one) => {
      const { hostnames = [] } = (one.object().spec ?? {}) as { hostnames?: string[] }
      const domain = cluster.settings.CLUSTER_DOMAIN ?? ''
      return hostnames
        .filter((host) => host !== domain && !host.endsWith(`.${domain}`))
        .map((host) => `${identity(one)}: ${host} is not in ${domain}`)
    }),
)
