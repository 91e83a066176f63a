/** Cilium's BGP control plane as far as its operator judges configurations (operator/pkg/bgp, 1.19). No session is opened. */
import type { KubeObject } from '../../types.ts'
import { type ClusterView, matches } from '../kube/cluster-view.ts'
import type { Condition } from '../kube/conditions.ts'
import { readSecret, report } from './operator.ts'

interface ClusterConfigSpec {
  nodeSelector?: { matchLabels?: Record<string, string>; matchExpressions?: unknown[] }
  bgpInstances?: { name: string; peers?: { name: string; peerConfigRef?: { name: string } }[] }[]
}

export interface BgpFacts {
  nodes(): KubeObject[]
  clusterConfigs(): KubeObject[]
  peerConfigs(): KubeObject[]
}

/** Reports on a CiliumBGPClusterConfig: whether it selects nodes, names peer configs that exist, and conflicts with none. */
export async function judgeClusterConfig(view: ClusterView, config: KubeObject, facts: BgpFacts): Promise<undefined> {
  const spec = config.spec as unknown as ClusterConfigSpec
  const selected = nodesOf(spec, facts)
  const existing = new Set(facts.peerConfigs().map(({ metadata }) => metadata.name))
  const peers = (spec.bgpInstances ?? []).flatMap((instance) => instance.peers ?? [])
  const missing = peers.flatMap(({ peerConfigRef }) =>
    peerConfigRef && !existing.has(peerConfigRef.name) ? [peerConfigRef.name] : [],
  )
  const rivals = facts
    .clusterConfigs()
    .filter(({ metadata, spec: other }) => {
      const theirs = nodesOf(other as unknown as ClusterConfigSpec, facts)
      return metadata.name !== config.metadata.name && theirs.some((name) => selected.includes(name))
    })
    .map(({ metadata }) => metadata.name)
  await report(view, config, [
    judgement('NoMatchingNode', selected.length === 0, 'No node matches spec.nodeSelector'),
    judgement('MissingPeerConfigs', missing.length > 0, `Referenced CiliumBGPPeerConfig(s) are missing: ${missing}`),
    judgement(
      'ConflictingClusterConfig',
      rivals.length > 0,
      `Selecting the same node(s) with ClusterConfig(s): ${rivals}`,
    ),
  ])
  return undefined
}

/** Reports on a CiliumBGPPeerConfig: whether the secret with the session's password is there. */
export async function judgePeerConfig(view: ClusterView, config: KubeObject): Promise<number | undefined> {
  const name = (config.spec as { authSecretRef?: string } | undefined)?.authSecretRef
  const missing = name !== undefined && !(await readSecret(view, 'kube-system', name))
  await report(view, config, [judgement('MissingAuthSecret', missing, `Referenced Auth Secret "${name}" is missing`)])
  return missing ? 1_000 : undefined
}

function judgement(type: string, found: boolean, message: string): Condition {
  return { type: `cilium.io/${type}`, status: found ? 'True' : 'False', reason: type, message: found ? message : '' }
}

/** Without a selector every node is selected; expressions are not evaluated here and count as no restriction. */
function nodesOf({ nodeSelector }: ClusterConfigSpec, facts: BgpFacts): string[] {
  const labels = nodeSelector?.matchLabels ?? {}
  return facts.nodes().flatMap((node) => (matches(node, labels) ? [node.metadata.name] : []))
}
