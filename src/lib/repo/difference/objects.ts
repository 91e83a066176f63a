/** What two renderings of a cluster differ in: objects by owner, never mistaking what could not be rendered for removed. */
import { nameOf } from '../flux.ts'
import type { ClusterView, RenderedObject } from '../rules/view.ts'
import { type FieldChange, fieldChanges } from './fields.ts'

export type Change =
  | { kind: 'added'; after: RenderedObject }
  | { kind: 'removed'; before: RenderedObject }
  | { kind: 'changed'; before: RenderedObject; after: RenderedObject; fields: FieldChange[] }

export interface OwnerDifference {
  /** `Kustomization ns/name` or `HelmRelease ns/name`. */
  owner: string
  changes: Change[]
}

export interface ClusterDifference {
  cluster: string
  owners: OwnerDifference[]
  /** Owners that are rendered on one side only because the other could not be: nothing is said of their objects. */
  unknown: { owner: string; reason: string }[]
}

const objectKey = ({ group, kind, namespace, name }: RenderedObject) => `${group}/${kind}/${namespace ?? ''}/${name}`

const ownerOf = ({ release, kustomization }: RenderedObject): string =>
  release ? `HelmRelease ${nameOf(release)}` : `Kustomization ${nameOf(kustomization)}`

/** Owner -> reason, of what this side could not render; what is below a broken Kustomization has no name here. */
function notRendered(cluster: ClusterView): Map<string, string> {
  const broken = cluster.rendered
    .filter(({ findings, manifests }) => findings.length > 0 && manifests.length === 0)
    .map(
      ({ kustomization, findings }) => [`Kustomization ${nameOf(kustomization)}`, findings[0]?.message ?? ''] as const,
    )
  const releases = cluster.releases
    .filter(({ rendered }) => !rendered)
    .map(({ release }) => [`HelmRelease ${nameOf(release)}`, 'its chart could not be rendered'] as const)
  return new Map([...broken, ...releases])
}

/** @param before undefined for a cluster that is new */
export function compareClusters(before: ClusterView | undefined, after: ClusterView): ClusterDifference {
  const [lost, gone] = [before ? notRendered(before) : new Map<string, string>(), notRendered(after)]
  const isBlind = [...gone.keys()].some((owner) => owner.startsWith('Kustomization '))
  const old = new Map((before?.objects ?? []).map((one) => [objectKey(one), one]))
  const now = new Map(after.objects.map((one) => [objectKey(one), one]))
  const known = new Set(after.rendered.map(({ kustomization }) => `Kustomization ${nameOf(kustomization)}`))
  const owners = new Map<string, Change[]>()
  const unknown = new Map<string, string>()
  const note = (owner: string, change: Change) => owners.set(owner, [...(owners.get(owner) ?? []), change])

  for (const [key, one] of now) {
    const earlier = old.get(key)
    const owner = ownerOf(one)
    if (!earlier) {
      const reason = lost.get(owner)
      if (reason === undefined) note(owner, { kind: 'added', after: one })
      else unknown.set(owner, `before: ${reason}`)
      continue
    }
    const fields = fieldChanges(earlier.object(), one.object())
    if (fields.length > 0) note(owner, { kind: 'changed', before: earlier, after: one, fields })
  }
  for (const [key, one] of old) {
    if (now.has(key)) continue
    const owner = ownerOf(one)
    // A broken Kustomization hides itself, the releases in it and everything below it.
    const below = isBlind && !known.has(`Kustomization ${nameOf(one.kustomization)}`)
    const reason =
      gone.get(owner) ??
      gone.get(`Kustomization ${nameOf(one.kustomization)}`) ??
      (below ? 'something above it cannot be rendered' : undefined)
    if (reason === undefined) note(owner, { kind: 'removed', before: one })
    else unknown.set(owner, `after: ${reason}`)
  }
  for (const [owner, reason] of gone)
    if (lost.get(owner) === undefined && !unknown.has(owner) && owner.startsWith('Kustomization '))
      unknown.set(owner, `after: ${reason}`)
  return {
    cluster: after.name,
    owners: [...owners].map(([owner, changes]) => ({ owner, changes })).sort((a, b) => (a.owner < b.owner ? -1 : 1)),
    unknown: [...unknown].map(([owner, reason]) => ({ owner, reason })).sort((a, b) => (a.owner < b.owner ? -1 : 1)),
  }
}
