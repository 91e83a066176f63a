/** What the commands on VolSync look at. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { backupKinds, objectsOf } from '../../lib/ops/backup-facts.ts'
import { type HoldableView, isHoldable, releasesOf } from '../../lib/ops/flux-choice.ts'
import { type FluxView, nameOf } from '../../lib/ops/flux-view.ts'
import { isForRestore } from '../../lib/ops/volsync-restore.ts'
import {
  chosenSource,
  fluxOwner,
  keeperOf,
  type Parked,
  parkedView,
  type SourceView,
  sourceView,
  usesClaim,
  workloadView,
} from '../../lib/ops/volsync-view.ts'
import type { Workload } from '../../lib/tools/kubectl-volsync.args.ts'
import type { KubeObject, KubePort } from '../../lib/types.ts'

export const appArgument = { app: 'name of its ReplicationSource, or NAMESPACE/NAME' }

/** For a plan's basis. */
export const placeFacts = ({ namespace, name, claim, schedule }: SourceView) => ({ namespace, name, claim, schedule })

/** As `namespace/name` too, since several namespaces may have one. */
export async function observeSource(context: CommandContext): Promise<SourceView> {
  const [cluster, kube] = await Promise.all([context.cluster(), context.kube()])
  const listed = objectsOf(await kube.list(backupKinds.sources, context.signal), cluster.name)
  const source = sourceView(chosenSource(listed, context.args.app ?? ''))
  if (source.claim === '') throw new UsageError(`ReplicationSource ${nameOf(source)} copies no claim`)
  return source
}

const workloadKinds = ['Deployment', 'StatefulSet'] as const

export interface Users {
  /** Who mounts the claim, as it is now. */
  workloads: Workload[]
  /** Of them: which an operator would scale up again, one line each. */
  kept: string[]
  /** Of Flux: what applies the source and the workloads. */
  objects: HoldableView[]
  /** What restores have scaled to 0 in the namespace, of this claim. */
  parked: Parked[]
  /** What restores of this source have suspended. */
  held: HoldableView[]
  /** The claim's size as it says it; empty where there is no such claim. */
  size: string
  destinations: KubeObject[]
}

/** What restores have stopped, in every namespace. */
export async function readParked(kube: KubePort, cluster: string, signal: AbortSignal): Promise<Parked[]> {
  const read = await Promise.all(
    workloadKinds.map(async (kind) => {
      const listed = objectsOf(await kube.list({ apiVersion: 'apps/v1', kind }, signal), cluster)
      return listed.flatMap((object) => parkedView(kind, object) ?? [])
    }),
  )
  return read.flat()
}

export async function observeUsers(context: CommandContext, source: SourceView, views: FluxView[]): Promise<Users> {
  const [cluster, kube] = await Promise.all([context.cluster(), context.kube()])
  const read = async (ref: Parameters<KubePort['list']>[0]) =>
    objectsOf(await kube.list({ ...ref, namespace: source.namespace }, context.signal), cluster.name)
  const [deployments, sets, claims, destinations] = await Promise.all([
    read({ apiVersion: 'apps/v1', kind: workloadKinds[0] }),
    read({ apiVersion: 'apps/v1', kind: workloadKinds[1] }),
    read({ ...backupKinds.claims, name: source.claim }),
    read(backupKinds.destinations),
  ])
  const users = [...deployments, ...sets].filter((object) => usesClaim(object, source.claim))
  const kindOf = ({ kind }: KubeObject) => kind as Workload['kind']
  const capacity = claims[0]?.status?.capacity as { storage?: string } | undefined
  return {
    workloads: users.map((object) => workloadView(kindOf(object), object)),
    kept: users.flatMap((object) => {
      const keeper = keeperOf(object)
      return keeper ? [`${object.kind} ${nameOf(workloadView(kindOf(object), object))} is kept by ${keeper}`] : []
    }),
    objects: appliers(source, users, views.filter(isHoldable)),
    parked: users.flatMap((object) => parkedView(kindOf(object), object) ?? []),
    held: views.filter(isHoldable).filter(({ hold }) => hold !== null && isForRestore(hold, source)),
    size: capacity?.storage ?? '',
    destinations,
  }
}

/**
 * Whether a new claim can be made in that namespace.
 * @throws UsageError for a namespace that is not there, or that has such a claim: nothing is overwritten unseen
 */
export async function observeCopy(context: CommandContext, source: SourceView, to: string): Promise<{ size: string }> {
  const [cluster, kube] = await Promise.all([context.cluster(), context.kube()])
  const read = async (ref: Parameters<KubePort['list']>[0]) =>
    objectsOf(await kube.list(ref, context.signal), cluster.name)
  const [namespaces, claims] = await Promise.all([read(backupKinds.namespaces), read(backupKinds.claims)])
  if (to === source.namespace) throw new UsageError(`${to} is where it comes from: leave out --to`)
  if (!namespaces.some(({ metadata }) => metadata.name === to))
    throw new UsageError(`cluster ${cluster.name} has no namespace ${to}`, { next: `kubectl create namespace ${to}` })
  const claimIn = (namespace: string) =>
    claims.find(({ metadata }) => metadata.namespace === namespace && metadata.name === source.claim)
  const home = claimIn(source.namespace)
  if (!home) throw new UsageError(`there is no claim ${source.namespace}/${source.claim} to make one like`)
  if (claimIn(to))
    throw new UsageError(`namespace ${to} has a claim ${source.claim} already`, {
      next: `another namespace, or: kubectl -n ${to} delete pvc ${source.claim}`,
    })
  return { size: (home.status?.capacity as { storage?: string } | undefined)?.storage ?? '' }
}

function appliers(source: SourceView, users: KubeObject[], views: HoldableView[]): HoldableView[] {
  const owners = (controller: 'kustomize' | 'helm') =>
    users.map(({ metadata }) => fluxOwner(metadata.labels ?? {}, controller))
  const named = (kind: HoldableView['kind'], names: (string | null)[]) =>
    views.filter((view) => view.kind === kind && names.includes(nameOf(view)))
  const kustomizations = named('Kustomization', [source.owner, ...owners('kustomize')])
  const releases = [...kustomizations.flatMap((one) => releasesOf(one, views)), ...named('HelmRelease', owners('helm'))]
  return [...new Set([...kustomizations, ...releases])]
}
