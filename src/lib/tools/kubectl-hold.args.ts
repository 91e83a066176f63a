/** Argv of kubectl 1.35 for what an operator holds on Flux objects: suspension and hold in one request, and back. */
import type { Command } from '../types.ts'

/** A hold stands on the object itself, so that whoever looks at it sees who, why and until when. */
export const holdKeys = {
  /** Common to everything that was taken at once. */
  id: 'k8sops.dev/hold-id',
  owner: 'k8sops.dev/hold-owner',
  reason: 'k8sops.dev/hold-reason',
  /** RFC 3339. */
  since: 'k8sops.dev/hold-since',
  /** RFC 3339; then `holds expire` or the next run ends it. */
  until: 'k8sops.dev/hold-until',
  /** `app/odoo`, `namespace/business`, `cluster`. */
  scope: 'k8sops.dev/hold-scope',
  /** There when the parent was told to leave the object alone, because Git sets `spec.suspend`. */
  detached: 'k8sops.dev/hold-detached',
} as const

/** kustomize-controller 1.9 neither applies nor prunes an object in the cluster that has it with the value `disabled`. */
export const reconcileKey = 'kustomize.toolkit.fluxcd.io/reconcile'

/**
 * Not kubectl's own: kustomize-controller 1.9 (ssa 0.76, a prefix match) takes over the fields of every manager that begins with
 * `kubectl`, and so removes what `kubectl patch` and `kubectl annotate` have set, at its next reconciliation.
 */
export const fieldManager = 'k8sops'

export interface HoldNote {
  id: string
  /** `user@host` */
  owner: string
  reason: string
  since: string
  until: string
  scope: string
}

export type HeldKind = 'Kustomization' | 'HelmRelease'

/** Objects of one kind and namespace. */
export interface HeldObjects {
  kind: HeldKind
  namespace: string
  names: string[]
}

/**
 * With their version: else kubectl (1.35) takes `kustomize` for one, does not find it, and asks the server anew for everything that it
 * serves, which is a third of the time of a patch.
 */
const plurals: Record<HeldKind, string> = {
  Kustomization: 'kustomizations.v1.kustomize.toolkit.fluxcd.io',
  HelmRelease: 'helmreleases.v2.helm.toolkit.fluxcd.io',
}

/** A hold as it stands on its object. */
export const noteAnnotations = (note: HoldNote) => ({
  [holdKeys.id]: note.id,
  [holdKeys.owner]: note.owner,
  [holdKeys.reason]: note.reason,
  [holdKeys.since]: note.since,
  [holdKeys.until]: note.until,
  [holdKeys.scope]: note.scope,
})

/** @param detach Git sets `spec.suspend` there, and its Kustomization would set it back */
export function suspendArgs(context: string, objects: HeldObjects, note: HoldNote, detach: boolean): Command {
  const annotations = {
    ...noteAnnotations(note),
    ...(detach ? { [holdKeys.detached]: 'true', [reconcileKey]: 'disabled' } : {}),
  }
  return patchArgs(context, objects, { metadata: { annotations }, spec: { suspend: true } })
}

/** @param detached the hold has taken the object from its Kustomization, which gets it back */
export function resumeArgs(context: string, objects: HeldObjects, detached: boolean): Command {
  const keys = [...Object.values(holdKeys), ...(detached ? [reconcileKey] : [])]
  const annotations = Object.fromEntries(keys.map((key) => [key, null]))
  return patchArgs(context, objects, { metadata: { annotations }, spec: { suspend: null } })
}

/** @param until RFC 3339 */
export function extendArgs(context: string, objects: HeldObjects, until: string): Command {
  return patchArgs(context, objects, { metadata: { annotations: { [holdKeys.until]: until } } })
}

function patchArgs(context: string, { kind, namespace, names }: HeldObjects, patch: object): Command {
  const flags = ['--type', 'merge', '--field-manager', fieldManager, '-p', JSON.stringify(patch)]
  return { tool: 'kubectl', args: ['--context', context, '-n', namespace, 'patch', plurals[kind], ...names, ...flags] }
}
