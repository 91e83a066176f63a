/** Volumes that are saved and brought back, and the workloads that stand still meanwhile. */
import type { Condition, Gate, ObjectLook } from '../types.ts'

const runbook = 'docs/runbooks/volsync.md'

const source = { apiVersion: 'volsync.backube/v1alpha1', kind: 'ReplicationSource', namespace: '$namespace' }
const workload = { apiVersion: 'apps/v1', kind: '$kind', namespace: '$namespace' }
const parkedBy = 'metadata.annotations[k8sops.dev/parked-by]'

const theSource = (every: Condition[]): ObjectLook => ({
  object: source,
  expect: { atLeast: 1, named: '$name', every },
})

export const backupGates = {
  'volsync-synced': {
    title: '$kind $namespace/$name has synchronised for $token',
    probe: 'volsync-synced',
    params: ['kind', 'namespace', 'name', 'token', 'expectSec'],
    mayBeEmpty: ['expectSec'],
    everySec: 1,
    next: 'kubectl -n $namespace describe $kind $name',
    runbook,
  },
  'volsync-unlocked': {
    title: 'VolSync has removed the stale locks of the repository of $namespace/$name ($token)',
    ...theSource([{ path: 'status.restic.lastUnlocked', in: ['$token'] }]),
    params: ['namespace', 'name', 'token'],
    runbook,
  },
  'volsync-trigger-free': {
    title: 'no manual trigger $token keeps the schedule of ReplicationSource $namespace/$name from counting',
    ...theSource([{ path: 'spec.trigger.manual', notIn: ['$token'] }]),
    params: ['namespace', 'name', 'token'],
    runbook,
  },
  'volsync-restore-noted': {
    title: 'restore $token has written the volume of $namespace/$name',
    ...theSource([{ path: 'metadata.annotations[k8sops.dev/restored-by]', in: ['$token'] }]),
    params: ['namespace', 'name', 'token'],
    runbook,
  },
  'volsync-restore-proven': {
    title: 'the application of $namespace/$name was Ready on what the restore of $at has brought',
    ...theSource([{ path: 'metadata.annotations[k8sops.dev/restored-at]', in: ['$at'] }]),
    params: ['namespace', 'name', 'at'],
    runbook,
  },
  'volsync-destination-present': {
    title: 'ReplicationDestination $namespace/$name has been made for $token',
    object: { apiVersion: 'volsync.backube/v1alpha1', kind: 'ReplicationDestination', namespace: '$namespace' },
    expect: { atLeast: 1, named: '$name', every: [{ path: 'spec.trigger.manual', in: ['$token'] }] },
    params: ['namespace', 'name', 'token'],
    runbook,
  },
  'volsync-destination-absent': {
    title: 'ReplicationDestination $namespace/$name writes into no volume any more',
    object: { apiVersion: 'volsync.backube/v1alpha1', kind: 'ReplicationDestination', namespace: '$namespace' },
    expect: { atLeast: 0, atMost: 0, where: [{ path: 'metadata.name', in: ['$name'] }], every: [] },
    params: ['namespace', 'name'],
    runbook,
  },
  'claim-unused': {
    title: 'no pod uses claim $namespace/$claim, and its volume is attached to no node',
    probe: 'claim-unused',
    params: ['namespace', 'claim'],
    everySec: 1,
    next: 'kubectl -n $namespace get pods -o wide; kubectl get volumeattachments',
    runbook,
  },
  'claim-present': {
    title: 'PersistentVolumeClaim $namespace/$name is there',
    object: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: '$namespace' },
    expect: { atLeast: 1, named: '$name', every: [{ path: 'status.phase', in: ['Bound', 'Pending'] }] },
    params: ['namespace', 'name'],
    runbook,
  },
  'claim-restored': {
    title: 'restore $token has filled claim $namespace/$name',
    object: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace: '$namespace' },
    expect: {
      atLeast: 1,
      named: '$name',
      every: [{ path: 'metadata.annotations[k8sops.dev/restored-by]', in: ['$token'] }],
    },
    params: ['namespace', 'name', 'token'],
    runbook,
  },
  'secret-absent': {
    title: 'there is no Secret $namespace/$name any more',
    object: { apiVersion: 'v1', kind: 'Secret', namespace: '$namespace' },
    expect: { atLeast: 0, atMost: 0, where: [{ path: 'metadata.name', in: ['$name'] }], every: [] },
    params: ['namespace', 'name'],
    runbook,
  },
  'workload-at': {
    title: '$kind $namespace/$name has $replicas replicas, as when the plan was made',
    object: workload,
    expect: { atLeast: 1, named: '$name', every: [{ path: 'spec.replicas', in: ['$replicas'] }] },
    params: ['kind', 'namespace', 'name', 'replicas'],
    next: 'make the plan anew',
    runbook,
  },
  'workload-parked': {
    title: '$kind $namespace/$name is at 0 replicas, with the note of $by',
    object: workload,
    expect: {
      atLeast: 1,
      named: '$name',
      every: [
        { path: 'spec.replicas', in: ['0'] },
        { path: parkedBy, in: ['$by'] },
      ],
    },
    params: ['kind', 'namespace', 'name', 'by'],
    next: 'something scales it up: kubectl -n $namespace get $kind $name -o yaml --show-managed-fields',
    runbook,
  },
  'workload-unparked': {
    title: 'nothing of $by is left on $kind $namespace/$name',
    object: workload,
    expect: {
      atLeast: 0,
      atMost: 0,
      where: [
        { path: 'metadata.name', in: ['$name'] },
        { path: parkedBy, in: ['$by'] },
      ],
      every: [],
    },
    params: ['kind', 'namespace', 'name', 'by'],
    runbook,
  },
  'workload-idle': {
    title: '$kind $namespace/$name has no pods',
    all: [
      { object: workload, expect: { atLeast: 1, named: '$name', every: [{ observed: true }] } },
      {
        object: workload,
        expect: {
          atLeast: 0,
          atMost: 0,
          where: [
            { path: 'metadata.name', in: ['$name'] },
            { path: 'status.replicas', atLeast: 1 },
          ],
          every: [],
        },
      },
    ],
    params: ['kind', 'namespace', 'name'],
    next: 'kubectl -n $namespace get pods',
    runbook,
  },
  'workload-ready': {
    title: '$kind $namespace/$name has its replicas, all of them ready',
    object: workload,
    expect: {
      atLeast: 1,
      named: '$name',
      every: [
        { observed: true },
        { path: 'status.updatedReplicas', atLeastPath: 'spec.replicas' },
        { path: 'status.readyReplicas', atLeastPath: 'spec.replicas' },
      ],
    },
    params: ['kind', 'namespace', 'name'],
    next: 'k8sops why $name',
    runbook,
  },
} as const satisfies Record<string, Gate>
