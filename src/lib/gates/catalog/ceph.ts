/** What `ceph maintenance` waits for: OSDs at rest, Rook's word that they are so on purpose, and their return. */
import type { Condition, Gate } from '../types.ts'

const runbook = 'docs/runbooks/rook-ceph.md'

/** What Rook (1.19) writes down of drains: which failure domain is out, and whether it may stay in Ceph's map meanwhile. */
const drains = { apiVersion: 'v1', kind: 'ConfigMap', namespace: '$namespace', name: 'rook-ceph-pdbstatemap' }
const isOsd: Condition = { path: 'metadata.labels.app', in: ['rook-ceph-osd'] }

export const cephGates = {
  'ceph-rest-held': {
    title: 'node $node is cordoned, with the note of hold $hold, until $until',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: {
      atLeast: 1,
      named: '$node',
      every: [
        { path: 'spec.unschedulable', in: ['true'] },
        { path: 'metadata.annotations[k8sops.dev/hold-id]', in: ['$hold'] },
        { path: 'metadata.annotations[k8sops.dev/hold-until]', in: ['$until'] },
      ],
    },
    params: ['node', 'hold', 'until'],
    runbook,
  },
  'ceph-rest-ended': {
    title: 'hold $hold is no more on node $node',
    all: [
      // An empty list would rather mean that somebody else answered.
      { object: { apiVersion: 'v1', kind: 'Node' }, expect: { atLeast: 1, every: [] } },
      {
        object: { apiVersion: 'v1', kind: 'Node' },
        expect: {
          atLeast: 0,
          atMost: 0,
          where: [
            { path: 'metadata.name', in: ['$node'] },
            { path: 'metadata.annotations[k8sops.dev/hold-id]', in: ['$hold'] },
          ],
          every: [],
        },
      },
    ],
    params: ['node', 'hold'],
    next: 'somebody changed the node meanwhile: k8sops ceph maintenance $node off, once more',
    runbook,
  },
  'ceph-osds-at-rest': {
    title: 'no OSD runs on node $node',
    all: [
      { object: { apiVersion: 'v1', kind: 'Node' }, expect: { atLeast: 1, named: '$node', every: [] } },
      {
        object: { apiVersion: 'v1', kind: 'Pod', fieldSelector: 'spec.nodeName=$node' },
        expect: { atLeast: 0, atMost: 0, where: [{ path: 'spec.nodeName', in: ['$node'] }, isOsd], every: [] },
      },
    ],
    params: ['node'],
    next: 'kubectl -n rook-ceph get pods,poddisruptionbudgets -o wide: is another node away, or does Ceph recover?',
    runbook,
  },
  'ceph-osds-running': {
    title: 'every OSD of host $host runs',
    object: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: '$namespace', labelSelector: 'app=rook-ceph-osd' },
    expect: {
      atLeast: 1,
      where: [isOsd, { path: 'metadata.labels.topology-location-host', in: ['$host'] }],
      every: [{ path: 'status.readyReplicas', atLeast: 1 }],
    },
    params: ['namespace', 'host'],
    next: 'kubectl -n $namespace get pods -l app=rook-ceph-osd -o wide',
    runbook,
  },
  'ceph-noout-set': {
    title: 'Rook keeps the OSDs of host $host in (noout) while they are down',
    object: drains,
    expect: {
      atLeast: 1,
      every: [
        { path: 'data.draining-failure-domain', in: ['$host'] },
        { path: 'data.set-no-out', in: ['true'] },
      ],
    },
    params: ['namespace', 'host'],
    next: 'kubectl -n $namespace logs deployment/rook-ceph-operator --tail=50; kubectl -n $namespace get configmap rook-ceph-pdbstatemap -o yaml',
    runbook,
  },
  'ceph-noout-released': {
    title: 'Rook holds no host of its Ceph cluster in (noout) any more',
    object: drains,
    expect: { atLeast: 1, every: [{ path: 'data.draining-failure-domain', empty: true }] },
    params: ['namespace'],
    next: 'kubectl -n $namespace get cephcluster; k8sops ceph status: it ends when every placement group is whole',
    runbook,
  },
} as const satisfies Record<string, Gate>
