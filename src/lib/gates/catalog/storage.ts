/** What loses data or service when a node goes: Ceph, databases, volumes, budgets, backups. */
import type { Gate } from '../types.ts'

const gatesRunbook = 'docs/runbooks/gates.md'

export const storageGates = {
  'ceph-healthy': {
    title: '$expect CephClusters or more are healthy (tolerated: $tolerate), and Ceph can spare an OSD',
    all: [
      {
        object: { apiVersion: 'ceph.rook.io/v1', kind: 'CephCluster' },
        expect: {
          atLeast: '$expect',
          every: [
            { path: 'status.phase', in: ['Ready'] },
            {
              path: 'status.ceph.health',
              in: ['HEALTH_OK'],
              tolerating: { value: 'HEALTH_WARN', reasons: 'status.ceph.details', named: '$tolerate' },
            },
            // The operator asks Ceph once a minute; without the operator the last answer stands for ever.
            { path: 'status.ceph.lastChecked', youngerThanSec: 180 },
          ],
        },
      },
      {
        // Rook's budget while no failure domain is out. In its place come others when one is (rook-ceph-osd-host-NAME).
        object: { apiVersion: 'policy/v1', kind: 'PodDisruptionBudget' },
        expect: {
          atLeast: '$expect',
          where: [{ path: 'metadata.name', in: ['rook-ceph-osd'] }],
          every: [{ observed: true }, { path: 'status.disruptionsAllowed', atLeast: 1 }],
        },
      },
    ],
    params: ['expect', 'tolerate'],
    mayBeEmpty: ['tolerate'],
    everySec: 10,
    next: 'kubectl -n rook-ceph get cephcluster; kubectl -n rook-ceph exec deploy/rook-ceph-tools -- ceph status',
    runbook: gatesRunbook,
  },
  'cnpg-healthy': {
    title: '$expect CloudNativePG clusters or more have all their instances, and none is switching over',
    object: { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster' },
    expect: {
      atLeast: '$expect',
      every: [
        { path: 'status.readyInstances', equalsPath: 'spec.instances' },
        { path: 'status.currentPrimary', equalsPath: 'status.targetPrimary' },
        { path: 'status.phase', in: ['Cluster in healthy state'] },
      ],
    },
    params: ['expect'],
    next: 'kubectl get clusters.postgresql.cnpg.io -A; kubectl -n NAMESPACE describe cluster NAME',
    runbook: gatesRunbook,
  },
  'cnpg-database-healthy': {
    title: 'PostgreSQL $namespace/$name has all its instances, and is not switching over',
    object: { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster', namespace: '$namespace' },
    expect: {
      atLeast: 1,
      named: '$name',
      every: [
        { path: 'status.readyInstances', equalsPath: 'spec.instances' },
        { path: 'status.currentPrimary', equalsPath: 'status.targetPrimary' },
        { path: 'status.phase', in: ['Cluster in healthy state'] },
      ],
    },
    params: ['namespace', 'name'],
    next: 'k8sops cnpg status',
    runbook: 'docs/runbooks/postgres.md',
  },
  'cnpg-primary-is': {
    title: '$instance is the primary of PostgreSQL $namespace/$name, which has all its instances',
    object: { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster', namespace: '$namespace' },
    expect: {
      atLeast: 1,
      named: '$name',
      every: [
        { path: 'status.currentPrimary', in: ['$instance'] },
        { path: 'status.targetPrimary', in: ['$instance'] },
        { path: 'status.readyInstances', equalsPath: 'spec.instances' },
        { path: 'status.phase', in: ['Cluster in healthy state'] },
      ],
    },
    params: ['namespace', 'name', 'instance'],
    next: 'kubectl -n $namespace describe clusters.postgresql.cnpg.io $name',
    runbook: 'docs/runbooks/postgres.md',
  },
  'cnpg-primaries-elsewhere': {
    title: 'no CloudNativePG primary that has a standby runs on node $node',
    probe: 'cnpg-primaries-elsewhere',
    params: ['node'],
    next: 'k8sops cnpg switchover DATABASE --to INSTANCE, when the operator does not switch over by itself (cnpg#11202)',
    runbook: gatesRunbook,
  },
  'pdbs-allow': {
    title: 'every disruption budget over a pod of node $node allows a disruption, or its operator makes room',
    probe: 'pdbs-allow',
    params: ['node'],
    next: 'kubectl get poddisruptionbudgets -A: bring the pods that are missing back, or add a replica',
    runbook: gatesRunbook,
  },
  'volumes-detached': {
    title: 'no volume is attached to node $node',
    all: [
      {
        object: { apiVersion: 'v1', kind: 'Node' },
        expect: { atLeast: 1, named: '$node', every: [] },
      },
      {
        object: { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttachment' },
        expect: {
          atLeast: 0,
          atMost: 0,
          where: [
            { path: 'spec.nodeName', in: ['$node'] },
            { path: 'status.attached', in: ['true'] },
          ],
          every: [],
        },
      },
    ],
    params: ['node'],
    next: 'kubectl get volumeattachments; a volume that stays mapped makes the reboot hang (talos#12599)',
    runbook: gatesRunbook,
  },
  'backups-idle': {
    title: 'no backup runs, and VolSync has $expect ReplicationSources or more',
    all: [
      {
        object: { apiVersion: 'volsync.backube/v1alpha1', kind: 'ReplicationSource' },
        expect: { atLeast: '$expect', every: [{ condition: 'Synchronizing', is: 'False' }] },
      },
      {
        object: { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Backup' },
        expect: { atLeast: 0, every: [{ path: 'status.phase', in: ['completed', 'failed', 'walArchivingFailing'] }] },
      },
    ],
    params: ['expect'],
    next: 'wait until it is done: kubectl get replicationsources,backups.postgresql.cnpg.io -A',
    runbook: gatesRunbook,
  },
} as const satisfies Record<string, Gate>
