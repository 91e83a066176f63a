/** Restore drills: backups that are proven in a namespace that is thrown away. */
import type { Gate } from '../types.ts'

const runbook = 'docs/runbooks/volsync.md'

export const drillGates = {
  'drill-namespace-present': {
    title: 'namespace $namespace is there for $token, with its quota, and nothing in it may send or receive',
    all: [
      {
        object: { apiVersion: 'v1', kind: 'Namespace' },
        expect: {
          atLeast: 1,
          named: '$namespace',
          every: [{ path: 'metadata.annotations[k8sops.dev/drill-by]', in: ['$token'] }],
        },
      },
      {
        object: { apiVersion: 'v1', kind: 'ResourceQuota', namespace: '$namespace' },
        expect: { atLeast: 1, named: 'drill', every: [] },
      },
      {
        object: { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace: '$namespace' },
        expect: { atLeast: 1, named: 'default-deny', every: [] },
      },
    ],
    params: ['namespace', 'token'],
    runbook,
  },
  'drill-restored': {
    title: 'the restore of drill $token in $namespace is decided',
    probe: 'drill-restored',
    params: ['namespace', 'token', 'restoreSec'],
    everySec: 1,
    next: 'kubectl -n $namespace describe replicationdestinations',
    runbook,
  },
  'drill-answered': {
    title: 'drill $token in $namespace is decided, one way or the other',
    probe: 'drill-answered',
    params: ['namespace', 'token', 'restoreSec', 'readySec'],
    everySec: 1,
    next: 'kubectl -n $namespace describe pods',
    runbook,
  },
  'drill-recorded': {
    title: 'the result of drill $token of $app is written down',
    probe: 'drill-recorded',
    params: ['app', 'token'],
    everySec: 1,
    runbook,
  },
  'drill-proven': {
    title: 'drill $token has proven the backup of $app',
    probe: 'drill-proven',
    params: ['app', 'token'],
    everySec: 1,
    next: 'k8sops backup status',
    runbook,
  },
} as const satisfies Record<string, Gate>
