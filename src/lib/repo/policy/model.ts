/**
 * Network policies as one model: what NetworkPolicy, CiliumNetworkPolicy and CiliumClusterwideNetworkPolicy say of the connections at
 * layers 3 and 4, read as Cilium 1.19 reads them. Types only.
 */

/** `maybe`: the manifests do not tell. It never becomes a yes. */
export type Answer = 'yes' | 'no' | 'maybe'

export type Direction = 'ingress' | 'egress'
export type Protocol = 'TCP' | 'UDP' | 'SCTP'

export interface PolicyName {
  kind: string
  /** Undefined for a cluster-wide one. */
  namespace?: string
  name: string
}

/** Labels with their source, as Cilium keeps them: `k8s:app`, `reserved:host`. */
export type Labels = ReadonlyMap<string, string>

/** Everything that one end of a connection may be, from the point of view of a policy. */
export interface Endpoint {
  kind: 'pod' | 'node' | 'world'
  /** As it was asked for. */
  text: string
  /**
   * What Cilium may know it as. A node is `host` to the pods on it and `remote-node` to all others: whatever holds of it has to
   * hold of every one of these.
   */
  variants: Labels[]
  /** Of something outside the cluster, when it is known. */
  address?: string
  /** DNS name of something outside the cluster. */
  hostname?: string
  /** Named ports of a pod; undefined when its containers are not known. */
  ports?: ReadonlyMap<string, number>
}

export interface Requirement {
  key: string
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  values: readonly string[]
}

/** All of them; none selects everything. */
export type Selector = readonly Requirement[]

export type Peer =
  | { kind: 'everybody' }
  | { kind: 'endpoints'; selector: Selector }
  | { kind: 'entity'; entity: string }
  | { kind: 'cidr'; cidr: string; except: readonly string[] }
  | { kind: 'hostname'; pattern: string }
  /** Nodes by their labels, cloud groups, Services, lists of CIDRs: known to exist, not to whom it leads. */
  | { kind: 'opaque'; field: string; of: 'node' | 'world' | 'any' }

export interface PortMatch {
  /** `ANY` is each of the three. */
  protocol: Protocol | 'ANY'
  /** A number, a name, or undefined for all. */
  port?: number | string
  endPort?: number
  /** What is looked at above layer 4, `dns`, `http`; then the connection is not all that is asked about. */
  above?: string
}

export interface PolicyRule {
  policy: PolicyName
  /** Path in its manifest, `spec.egress[0]`. */
  at: string
  direction: Direction
  deny: boolean
  subject: Selector
  /** None of them is nobody. */
  peers: readonly Peer[]
  /** Undefined for all ports. */
  ports?: readonly PortMatch[]
  /** Fields of the rule that are not understood here, and may narrow it. */
  unknown: readonly string[]
}

/** A policy that denies what no rule allows, for what it selects. */
export interface Isolation {
  policy: PolicyName
  direction: Direction
  subject: Selector
}

export interface PolicySet {
  rules: PolicyRule[]
  isolations: Isolation[]
  policies: number
}

export const emptySet = (): PolicySet => ({ rules: [], isolations: [], policies: 0 })

export const policyText = ({ kind, namespace, name }: PolicyName): string =>
  `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
