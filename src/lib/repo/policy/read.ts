/** The policies among objects. */
import type { KubeObject } from '../../types.ts'
import { readCilium } from './cilium.ts'
import { readNetworkPolicy } from './kubernetes.ts'
import { emptySet, type PolicySet } from './model.ts'

export const policyKinds = ['CiliumClusterwideNetworkPolicy', 'CiliumNetworkPolicy', 'NetworkPolicy'] as const

const readers: Record<string, (object: KubeObject, into: PolicySet) => void> = {
  CiliumClusterwideNetworkPolicy: readCilium,
  CiliumNetworkPolicy: readCilium,
  NetworkPolicy: readNetworkPolicy,
}

export function readPolicies(objects: Iterable<KubeObject>): PolicySet {
  const set = emptySet()
  for (const object of objects) readers[object.kind]?.(object, set)
  return set
}
