/**
 * Every gate, as data. A gate is a positive fact; what it looks at and what must be true stands here and nowhere else.
 * Fixtures for each are in test/fixtures/gates/<id>/.
 */
import type { Condition, Gate } from './types.ts'

const bootstrapRunbook = 'docs/runbooks/talos.md'

/** What Flux's kinds mean by done: the controller has seen this generation, and says Ready for it. */
const fluxReady: Condition[] = [
  { path: 'spec.suspend', notIn: ['true'] },
  // Before the generation, because its message says why.
  { condition: 'Ready', is: 'True' },
  { observed: true },
]

export const gates = {
  // ---- the operator's machine and repository -------------------------------------------------------------------
  'tools-present': {
    title: 'every tool is there in its pinned version',
    probe: 'tools-present',
    params: ['tools'],
    runbook: bootstrapRunbook,
  },
  'config-sound': {
    title: 'the configuration has no problem',
    probe: 'config-sound',
    params: [],
    runbook: bootstrapRunbook,
  },
  'no-confirm-left': {
    title: 'no fact is left to be confirmed',
    probe: 'no-confirm-left',
    params: [],
    runbook: 'docs/prerequisites.md',
  },
  'op-signed-in': {
    title: '1Password is signed in',
    probe: 'op-signed-in',
    params: [],
    runbook: 'docs/prerequisites.md',
  },
  'talsecret-decrypts': {
    title: "the cluster's Talos secrets are there and decrypt with the age key",
    probe: 'talsecret-decrypts',
    params: [],
    runbook: bootstrapRunbook,
  },
  'talsecret-absent': {
    title: 'the cluster has no Talos secrets yet',
    probe: 'talsecret-absent',
    params: [],
    runbook: bootstrapRunbook,
  },

  // ---- machines ------------------------------------------------------------------------------------------------
  'node-state': {
    title: 'machines $nodes are $in',
    probe: 'node-state',
    params: ['nodes', 'in'],
    everySec: 1,
    runbook: bootstrapRunbook,
  },
  'talos-config-current': {
    title: 'the machine configs are what talhelper makes now',
    probe: 'talos-config-current',
    params: [],
    runbook: bootstrapRunbook,
  },
  'talos-config-valid': {
    title: 'talosctl finds the machine configs valid',
    probe: 'talos-config-valid',
    params: ['files'],
    runbook: bootstrapRunbook,
  },
  'machine-configured': {
    title: 'machine $node has installed its config and came back with our certificates',
    probe: 'machine-configured',
    params: ['node'],
    everySec: 1,
    runbook: bootstrapRunbook,
  },
  'machine-running': {
    title: 'machine $node runs and is ready',
    talos: { nodes: '$node', type: 'machinestatus', id: 'machine' },
    expect: {
      atLeast: 1,
      every: [
        { path: 'spec.stage', in: ['running'] },
        { path: 'spec.status.ready', in: ['true'] },
      ],
    },
    params: ['node'],
    everySec: 2,
    runbook: bootstrapRunbook,
  },
  'time-synced': {
    title: 'the clock of machine $node is in sync',
    talos: { nodes: '$node', type: 'timestatus', id: 'node' },
    expect: { atLeast: 1, every: [{ path: 'spec.synced', in: ['true'] }] },
    params: ['node'],
    everySec: 2,
    next: 'see talosctl -n $node get timestatus and the time servers in talos/patches; a certificate from the future is refused',
    runbook: bootstrapRunbook,
  },

  // ---- etcd ----------------------------------------------------------------------------------------------------
  'etcd-absent': {
    title: 'no control plane ($nodes) has an etcd',
    probe: 'etcd-absent',
    params: ['nodes'],
    runbook: bootstrapRunbook,
  },
  'etcd-bootstrapped': {
    title: 'a control plane ($nodes) has an etcd',
    probe: 'etcd-bootstrapped',
    params: ['nodes'],
    runbook: bootstrapRunbook,
  },
  'etcd-quorum': {
    title: '$members are the voting members of one etcd, says each of them',
    probe: 'etcd-quorum',
    params: ['members', 'nodes'],
    everySec: 1,
    runbook: bootstrapRunbook,
  },

  // ---- API server ----------------------------------------------------------------------------------------------
  'kubeconfig-merged': {
    title: "the operator's kubeconfig has the cluster's context, going to $server",
    probe: 'kubeconfig-merged',
    params: ['server'],
    runbook: bootstrapRunbook,
  },
  'context-not-foreign': {
    title: "no other cluster hides behind the context's name",
    probe: 'context-not-foreign',
    params: [],
    runbook: bootstrapRunbook,
  },
  'cluster-identity': {
    title: 'the API server behind the context is this cluster',
    probe: 'cluster-identity',
    params: [],
    runbook: bootstrapRunbook,
  },
  'api-ready': {
    title: 'the API server is ready at $servers',
    probe: 'api-ready',
    params: ['servers'],
    everySec: 1,
    runbook: bootstrapRunbook,
  },
  'nodes-registered': {
    title: 'nodes $names are registered',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: { atLeast: 1, named: '$names', every: [] },
    params: ['names'],
    runbook: bootstrapRunbook,
  },
  'nodes-ready': {
    title: 'nodes $names are Ready',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: { atLeast: 1, named: '$names', every: [{ condition: 'Ready', is: 'True' }] },
    params: ['names'],
    stableSec: 5,
    next: 'kubectl describe node NAME; without a CNI no node gets Ready: kubectl -n kube-system get pods -l k8s-app=cilium',
    runbook: bootstrapRunbook,
  },

  // ---- objects -------------------------------------------------------------------------------------------------
  'namespace-present': {
    title: 'namespaces $names are there',
    object: { apiVersion: 'v1', kind: 'Namespace' },
    expect: { atLeast: 1, named: '$names', every: [{ path: 'status.phase', in: ['Active'] }] },
    params: ['names'],
    runbook: bootstrapRunbook,
  },
  'secret-present': {
    title: 'Secret $namespace/$name is there with $keys',
    object: { apiVersion: 'v1', kind: 'Secret', namespace: '$namespace', name: '$name' },
    expect: { atLeast: 1, every: [{ path: 'data', has: '$keys' }] },
    params: ['namespace', 'name', 'keys'],
    next: 'compare the item and field in 1Password with docs/prerequisites.md',
    runbook: 'docs/prerequisites.md',
  },
  'crds-established': {
    title: 'CRDs $names are served',
    object: { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
    expect: { atLeast: 1, named: '$names', every: [{ condition: 'Established', is: 'True' }] },
    params: ['names'],
    next: 'compare the chart with its facts in lab/charts: kubectl get crds',
    runbook: bootstrapRunbook,
  },
  'crd-groups-established': {
    title: 'the CRDs of $groups are served',
    object: { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' },
    expect: {
      atLeast: 1,
      covering: { path: 'spec.group', values: '$groups' },
      every: [{ condition: 'Established', is: 'True' }],
    },
    params: ['groups'],
    runbook: bootstrapRunbook,
  },
  'deployment-available': {
    title: 'Deployment $namespace/$name is available',
    object: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: '$namespace', name: '$name' },
    expect: {
      atLeast: 1,
      every: [
        { observed: true },
        { condition: 'Available', is: 'True' },
        { path: 'status.updatedReplicas', atLeastPath: 'spec.replicas' },
      ],
    },
    params: ['namespace', 'name'],
    runbook: bootstrapRunbook,
  },
  'daemonset-ready': {
    title: 'DaemonSet $namespace/$name runs on every node that it is meant for',
    object: { apiVersion: 'apps/v1', kind: 'DaemonSet', namespace: '$namespace', name: '$name' },
    expect: {
      atLeast: 1,
      every: [
        { observed: true },
        { path: 'status.updatedNumberScheduled', atLeastPath: 'status.desiredNumberScheduled' },
        { path: 'status.numberReady', atLeastPath: 'status.desiredNumberScheduled' },
      ],
    },
    params: ['namespace', 'name'],
    runbook: bootstrapRunbook,
  },

  // ---- releases and Flux ---------------------------------------------------------------------------------------
  'release-in-place': {
    title: 'release $namespace/$name has chart version $version and its workloads run, or Flux owns it',
    probe: 'release-in-place',
    params: ['namespace', 'name', 'version'],
    runbook: bootstrapRunbook,
  },
  'releases-settled': {
    title: 'none of the releases $releases was left pending',
    probe: 'releases-settled',
    params: ['releases'],
    runbook: bootstrapRunbook,
  },
  'clustersecretstore-ready': {
    title: 'ClusterSecretStore $name reaches 1Password',
    object: { apiVersion: 'external-secrets.io/v1', kind: 'ClusterSecretStore', name: '$name' },
    expect: { atLeast: 1, every: [{ condition: 'Ready', is: 'True' }] },
    params: ['name'],
    next: 'kubectl describe clustersecretstore $name; kubectl -n external-secrets logs deploy/onepassword-connect',
    runbook: 'docs/runbooks/external-secrets.md',
  },
  'flux-instance-ready': {
    title: 'Flux is installed and syncs',
    object: { apiVersion: 'fluxcd.controlplane.io/v1', kind: 'FluxInstance', namespace: 'flux-system', name: 'flux' },
    expect: { atLeast: 1, every: [{ condition: 'Ready', is: 'True' }] },
    params: [],
    runbook: 'docs/runbooks/flux.md',
  },
  'kustomizations-ready': {
    title: 'every Kustomization is Ready, among them $names',
    object: { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' },
    expect: { atLeast: 1, including: '$names', every: fluxReady },
    params: ['names'],
    next: 'flux get kustomizations -A --status-selector ready=false',
    runbook: 'docs/runbooks/flux.md',
  },
  'helmreleases-ready': {
    title: 'every HelmRelease is Ready, among them $names',
    object: { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' },
    expect: { atLeast: 1, including: '$names', every: fluxReady },
    params: ['names'],
    next: 'flux get helmreleases -A --status-selector ready=false',
    runbook: 'docs/runbooks/flux.md',
  },
} as const satisfies Record<string, Gate>

export type GateId = keyof typeof gates
