/** What `ceph osd remove` and `ceph expand` wait for. */
import type { Gate } from '../types.ts'

const runbook = 'docs/runbooks/rook-ceph.md'

const osds = { apiVersion: 'apps/v1', kind: 'Deployment', namespace: '$namespace', labelSelector: 'app=rook-ceph-osd' }
const jobs = { apiVersion: 'batch/v1', kind: 'Job', namespace: '$namespace' }

export const cephOsdGates = {
  'ceph-job-done': {
    title: 'Job $namespace/$job is through',
    probe: 'ceph-job-done',
    params: ['namespace', 'job', 'stallSec'],
    mayBeEmpty: ['stallSec'],
    everySec: 1,
    next: 'kubectl -n $namespace describe job $job; k8sops ceph status',
    runbook,
  },
  'ceph-job-begun': {
    title: 'Job $namespace/$job is there',
    object: jobs,
    expect: { atLeast: 1, named: '$job', every: [] },
    params: ['namespace', 'job'],
    runbook,
  },
  'ceph-job-absent': {
    title: 'Job $namespace/$job is no more',
    object: jobs,
    expect: { atLeast: 0, atMost: 0, where: [{ path: 'metadata.name', in: ['$job'] }], every: [] },
    params: ['namespace', 'job'],
    runbook,
  },
  'ceph-jobs-absent': {
    title: 'no Job of $subject is left',
    object: { ...jobs, labelSelector: 'k8sops.dev/ceph=$subject' },
    expect: {
      atLeast: 0,
      atMost: 0,
      where: [{ path: 'metadata.labels[k8sops.dev/ceph]', in: ['$subject'] }],
      every: [],
    },
    params: ['namespace', 'subject'],
    runbook,
  },
  'ceph-osd-expendable': {
    title: 'Ceph can make everything again without osd.$osd, and has room for it',
    probe: 'ceph-osd-expendable',
    params: ['namespace', 'osd', 'job', 'tolerate'],
    mayBeEmpty: ['tolerate'],
    everySec: 2,
    next: 'k8sops ceph status; more OSDs: docs/runbooks/rook-ceph.md, Expand',
    runbook,
  },
  'ceph-osd-purged': {
    title: 'the Deployment $uid of osd.$osd is no more, and nothing purges it',
    all: [
      // Every Ceph has some; none at all would rather mean that somebody else answered.
      { object: osds, expect: { atLeast: 1, every: [] } },
      {
        object: osds,
        expect: {
          atLeast: 0,
          atMost: 0,
          // Rook may have given its number to another one since.
          where: [{ path: 'metadata.uid', in: ['$uid'] }],
          every: [],
        },
      },
      {
        object: { ...jobs, labelSelector: 'k8sops.dev/ceph=osd-$osd' },
        expect: {
          atLeast: 0,
          atMost: 0,
          where: [
            { path: 'metadata.labels[k8sops.dev/ceph]', in: ['osd-$osd'] },
            { path: 'metadata.labels[k8sops.dev/ceph-job]', in: ['purge'] },
            { path: 'status.active', atLeast: 1 },
          ],
          every: [],
        },
      },
    ],
    params: ['namespace', 'osd', 'uid'],
    next: 'kubectl -n $namespace logs -l app=rook-ceph-purge-osd --tail=50; a Job that has failed: delete it, then k8sops run resume',
    runbook,
  },
  'ceph-node-unasked': {
    title: 'the CephCluster of $namespace does not ask for disks of node $node',
    probe: 'ceph-node-unasked',
    params: ['namespace', 'node'],
    everySec: 2,
    next: 'k8sops ceph osd remove OSD --dry-run shows the edit of Git',
    runbook,
  },
  'ceph-disk-clear': {
    title: 'disk $device of machine $node holds no OSD, or is gone',
    probe: 'ceph-disk-clear',
    params: ['node', 'device'],
    everySec: 5,
    next: 'pull the disk; or wipe it: talosctl -n $node wipe disk $device',
    runbook,
  },
  'ceph-node-osds': {
    title: 'node $node has $count OSDs or more, and all of them run',
    object: osds,
    expect: {
      atLeast: '$count',
      where: [{ path: 'spec.template.spec.nodeSelector[kubernetes.io/hostname]', in: ['$node'] }],
      every: [{ path: 'status.readyReplicas', atLeast: 1 }],
    },
    params: ['namespace', 'node', 'count'],
    next: 'does a disk match, and is it empty? kubectl -n $namespace logs -l app=rook-ceph-osd-prepare --tail=30; talosctl get disks',
    runbook,
  },
} as const satisfies Record<string, Gate>
