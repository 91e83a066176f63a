/** Namespaces whose network policies are bypassed for a while. */
import type { Gate } from '../types.ts'

const runbook = 'docs/runbooks/network-policies.md'

/** The API server selects by the label's presence: one with an empty value opens the namespace as well. */
const bypassed = { apiVersion: 'v1', kind: 'Namespace', labelSelector: 'k8sops.dev/netpol-bypass' }
const id = 'metadata.annotations[k8sops.dev/hold-id]'

export const bypassGates = {
  'netpol-bypassed': {
    title: 'namespace $namespace is left out of the default deny, with the note of hold $hold',
    object: bypassed,
    expect: { atLeast: 1, named: '$namespace', every: [{ path: id, in: ['$hold'] }] },
    params: ['namespace', 'hold'],
    runbook,
  },
  'netpol-bypassed-until': {
    title: 'namespace $namespace is left out of the default deny until $until',
    object: bypassed,
    expect: {
      atLeast: 1,
      named: '$namespace',
      every: [{ path: 'metadata.annotations[k8sops.dev/hold-until]', in: ['$until'] }],
    },
    params: ['namespace', 'until'],
    runbook,
  },
  'netpol-restored': {
    title: 'the default deny holds in namespace $namespace again',
    object: bypassed,
    expect: { atLeast: 0, atMost: 0, where: [{ path: 'metadata.name', in: ['$namespace'] }], every: [] },
    params: ['namespace'],
    next: 'somebody sets the label again: kubectl get namespace $namespace -o yaml --show-managed-fields',
    runbook,
  },
  'netpol-released': {
    title: 'hold $hold bypasses nothing in namespace $namespace any more',
    object: bypassed,
    expect: {
      atLeast: 0,
      atMost: 0,
      where: [
        { path: 'metadata.name', in: ['$namespace'] },
        { path: id, in: ['$hold'] },
      ],
      every: [],
    },
    params: ['namespace', 'hold'],
    runbook,
  },
} as const satisfies Record<string, Gate>
