/** What `flux suspend`, `flux resume` and `holds` have in common: what is there, what is meant, what has expired. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { UnreachableError, UsageError } from '../../lib/errors.ts'
import { basisOf } from '../../lib/ops/basis.ts'
import { chosenApps, type HoldableView, isHoldable } from '../../lib/ops/flux-choice.ts'
import type { HoldScope } from '../../lib/ops/flux-hold.ts'
import { observeFlux } from '../../lib/ops/flux-observe.ts'
import { type FluxKind, type FluxView, nameOf } from '../../lib/ops/flux-view.ts'
import { isExpired } from '../../lib/ops/hold.ts'
import { layout } from '../../lib/repo/layout.ts'
import { pinnedVersion, toolNamed } from '../../lib/tools/catalog.ts'
import type { Basis, Cluster, Json, Target } from '../../lib/types.ts'

export interface Holdable {
  cluster: Cluster
  target: Target
  views: FluxView[]
}

/**
 * @param kinds others than those that can be held, for what they tell beside
 * @throws UnreachableError when the cluster does not tell
 */
export async function observeHoldable(
  context: CommandContext,
  kinds: FluxKind[] = ['Kustomization', 'HelmRelease'],
): Promise<Holdable> {
  const [cluster, target, kube] = await Promise.all([context.cluster(), context.target(), context.kube()])
  const read = await observeFlux(kube, context.signal, kinds)
  if (read.ok) return { cluster, target, views: read.value }
  throw new UnreachableError(`Flux of ${cluster.name} can't be read`, { output: read.detail })
}

/** Nothing of the repository but the cluster's name and context: what is held stands in the cluster. */
export async function holdBasis(context: CommandContext, observed: { [name: string]: Json }): Promise<Basis> {
  const [target, exec] = await Promise.all([context.target(), context.exec()])
  const tools = { kubectl: pinnedVersion(toolNamed('kubectl')) }
  return basisOf(exec, target, { paths: [layout.repositoryFile], tools }, observed)
}

export interface Meant {
  scope: HoldScope
  /** As it stands in the hold: `app/odoo`, `namespace/business`, `cluster`. */
  label: string
  objects: HoldableView[]
}

/** @throws UsageError for names without a scope that takes them, and the other way round */
export function meantObjects(views: FluxView[], names: string[], wanted: unknown): Meant {
  const scope = wanted as HoldScope
  const holdable = views.filter(isHoldable)
  if (scope === 'cluster') {
    if (names.length > 0) throw new UsageError('--scope cluster takes no names')
    return { scope, label: 'cluster', objects: holdable }
  }
  if (names.length === 0)
    throw new UsageError(`which ${scope}?`, { next: 'name it; the whole cluster only with --scope cluster' })
  if (scope === 'namespace') {
    const objects = holdable.filter((view) => isIn(view, names, holdable))
    if (objects.length === 0) throw new UsageError(`Flux has nothing in namespace ${names.join(', ')}`)
    return { scope, label: `namespace/${names.toSorted().join('-')}`, objects }
  }
  const apps = chosenApps(views, names)
  const objects = [...new Set(apps.flatMap((app) => app.objects))]
  return { scope, label: `app/${apps.map(({ name }) => name.replaceAll('/', '.')).join('-')}`, objects }
}

/** What is there, and the Kustomizations that make nothing but what is there: one that makes others too would hold these as well. */
function isIn(view: HoldableView, namespaces: string[], all: HoldableView[]): boolean {
  if (namespaces.includes(view.namespace)) return true
  if (view.kind !== 'Kustomization') return false
  const made = all.filter(({ owner }) => owner === nameOf(view))
  return (
    made.length > 0 && made.every(({ kind, namespace }) => kind === 'HelmRelease' && namespaces.includes(namespace))
  )
}

/**
 * Holds whose time is up. While something around them is held on purpose (their namespace, the cluster), they end together with that:
 * nothing may begin to run in the middle of it.
 */
export function expiredHolds(views: FluxView[], now: number): HoldableView[] {
  const holdable = views.filter(isHoldable)
  const open = holdable.flatMap(({ hold }) => (hold && !isExpired(hold, now) ? [hold] : []))
  const frozen = open.some(({ scope }) => scope === 'cluster')
  return holdable.filter(({ hold, namespace }) => {
    if (!hold || !isExpired(hold, now)) return false
    if (hold.scope === 'cluster') return true
    return !frozen && !open.some(({ scope }) => scope === `namespace/${namespace}`)
  })
}
