/** Kubernetes objects of any kind. */
import type { Gate } from '../types.ts'

const talosRunbook = 'docs/runbooks/talos.md'
const gatesRunbook = 'docs/runbooks/gates.md'

export const objectGates = {
  'namespace-present': {
    title: 'namespaces $names are there',
    object: { apiVersion: 'v1', kind: 'Namespace' },
    expect: { atLeast: 1, named: '$names', every: [{ path: 'status.phase', in: ['Active'] }] },
    params: ['names'],
    runbook: talosRunbook,
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
    runbook: talosRunbook,
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
    runbook: talosRunbook,
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
    runbook: gatesRunbook,
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
    runbook: gatesRunbook,
  },
} as const satisfies Record<string, Gate>
