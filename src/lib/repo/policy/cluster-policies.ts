/** The policies of a cluster's manifests, and what may have others that no manifest shows. */
import type { KubeObject } from '../../types.ts'
import { dig } from '../fields.ts'
import type { ClusterView } from '../rules/view.ts'
import { fluxNetworkPolicies } from './flux.ts'
import type { PolicySet } from './model.ts'
import { policyKinds, readPolicies } from './read.ts'

export interface ClusterPolicies {
  set: PolicySet
  /** Releases whose chart was not rendered: a NetworkPolicy that it may bring is not among these. */
  notRendered: string[]
}

export const isPolicy = ({ kind }: { kind: string }): boolean => (policyKinds as readonly string[]).includes(kind)

/** As objects: those of the manifests, of charts as far as they could be rendered, and those that flux-operator makes. */
export function clusterPolicyObjects({ objects, recorded, releases }: ClusterView) {
  const all = [...objects, ...recorded]
  const own = all.filter(isPolicy).map((one) => one.object())
  const flux = all.filter(({ kind, group }) => kind === 'FluxInstance' && group === 'fluxcd.controlplane.io')
  return {
    objects: [...own, ...flux.flatMap((one) => fluxPolicies(one.object()))],
    notRendered: releases.filter((one) => !one.rendered).map(({ release }) => `${release.namespace}/${release.name}`),
  }
}

export function clusterPolicies(view: ClusterView): ClusterPolicies {
  const { objects, notRendered } = clusterPolicyObjects(view)
  return { set: readPolicies(objects), notRendered }
}

/** What flux-operator 0.59 makes beside the controllers, unless `spec.cluster.networkPolicy` is false. */
export function fluxPolicies(instance: KubeObject): KubeObject[] {
  if (dig(instance, 'spec.cluster.networkPolicy') === false) return []
  return fluxNetworkPolicies(instance.metadata.namespace ?? 'flux-system')
}
