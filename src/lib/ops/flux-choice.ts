/** Which Flux objects a name or a scope means. Pure. */
import { UsageError } from '../errors.ts'
import type { HeldKind } from '../tools/kubectl-hold.args.ts'
import { type FluxView, idOf, nameOf } from './flux-view.ts'

/** An application: its Kustomization and the HelmReleases that it has applied, or a HelmRelease of its own. */
export interface App {
  /** As the operator named it. */
  name: string
  objects: HoldableView[]
}

export type HoldableView = FluxView & { kind: HeldKind }

export const isHoldable = (view: FluxView): view is HoldableView =>
  view.kind === 'Kustomization' || view.kind === 'HelmRelease'

/**
 * Finds each application by Flux' own records: the Kustomization of that name and what its inventory lists; what it could not apply
 * yet is found by the labels that kustomize-controller sets.
 * @throws UsageError for names that the cluster doesn't have, and for ambiguous ones
 */
export function chosenApps(views: FluxView[], names: string[]): App[] {
  const holdable = views.filter(isHoldable)
  return [...new Set(names)].map((name) => {
    const named = holdable.filter((view) => view.name === name || nameOf(view) === name)
    const kustomizations = named.filter(({ kind }) => kind === 'Kustomization')
    const heads = kustomizations.length > 0 ? kustomizations : named
    const [head] = heads
    if (!head) throw unknownApp(name, holdable)
    if (heads.length > 1)
      throw new UsageError(`${name} is ambiguous: ${heads.map(idOf).join(', ')}`, { next: 'give it as NAMESPACE/NAME' })
    return { name, objects: head.kind === 'Kustomization' ? [head, ...releasesOf(head, holdable)] : [head] }
  })
}

/** HelmReleases of a Kustomization. */
export function releasesOf(kustomization: FluxView, views: FluxView[]): HoldableView[] {
  const applied = new Set(kustomization.applied.map(idOf))
  return views.filter(isHoldable).filter((view) => {
    return view.kind === 'HelmRelease' && (applied.has(idOf(view)) || view.owner === nameOf(kustomization))
  })
}

function unknownApp(name: string, views: HoldableView[]): UsageError {
  const close = views.filter((view) => view.name.includes(name) || name.includes(view.name)).map((view) => view.name)
  return new UsageError(`the cluster has no Kustomization or HelmRelease ${name}`, {
    next: close.length > 0 ? `did you mean ${[...new Set(close)].join(', ')}?` : 'k8sops flux status',
  })
}

/**
 * Those that wait for `held`, directly or not, from the next commit on: what a dependency has applied has to be the revision of the source that
 * both are made from (kustomize-controller 1.9.5, checkDependencies), and the one that is held applies none.
 */
export function dependentsOf(held: FluxView[], views: FluxView[]): FluxView[] {
  const waiting = new Set(held.map(idOf))
  for (let before = -1; before !== waiting.size; ) {
    before = waiting.size
    for (const view of views)
      if (view.dependsOn.some((name) => waiting.has(`${view.kind}/${name}`))) waiting.add(idOf(view))
  }
  const own = new Set(held.map(idOf))
  return views.filter((view) => waiting.has(idOf(view)) && !own.has(idOf(view)))
}
