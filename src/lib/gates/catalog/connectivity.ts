/** A test of the network, step by step. */
import type { Gate } from '../types.ts'

const runbook = 'docs/runbooks/connectivity.md'

export const connectivityGates = {
  'namespaces-absent': {
    title: 'none of namespaces $names is there',
    object: { apiVersion: 'v1', kind: 'Namespace' },
    expect: { atLeast: 0, atMost: 0, where: [{ path: 'metadata.name', in: ['$names'] }], every: [] },
    params: ['names'],
    next: 'kubectl get namespaces; what keeps one: kubectl get namespace NAME -o jsonpath={.status.conditions}',
    runbook,
  },
  'probes-answered': {
    title: 'every probe of test $token has ended, or $seconds seconds are over',
    probe: 'probes-answered',
    params: ['token', 'seconds'],
    everySec: 1,
    next: 'kubectl -n k8sops-connectivity get pods -o wide',
    runbook,
  },
  'connectivity-recorded': {
    title: 'what $part of test $token found is written down on the cluster',
    probe: 'connectivity-recorded',
    params: ['part', 'token'],
    everySec: 1,
    runbook,
  },
  'connectivity-not-failed': {
    title: 'no check of test $token has failed',
    probe: 'connectivity-not-failed',
    params: ['token'],
    next: 'k8sops connectivity results',
    runbook,
  },
} as const satisfies Record<string, Gate>
