/** What operations on single nodes need beside an upgrade's gates: holds, restarts, departures, restores. */
import type { Condition, Gate } from '../types.ts'

const talosRunbook = 'docs/runbooks/talos.md'

const by = 'metadata.annotations[k8sops.dev/cordoned-by]'
const unschedulable: Condition = { path: 'spec.unschedulable', in: ['true'] }

export const nodeOperationGates = {
  'machines-not-foreign': {
    title: "no machine of $nodes has another cluster's certificates",
    probe: 'machines-not-foreign',
    params: ['nodes'],
    runbook: talosRunbook,
  },
  'machine-rebooted': {
    title: 'machine $node has been booted since it had the boot id $bootId',
    probe: 'machine-rebooted',
    params: ['node', 'bootId'],
    everySec: 2,
    next: 'talosctl -n $node dmesg; its console. One that hangs on its way down has to be power-cycled',
    runbook: talosRunbook,
  },
  'machine-left': {
    title: 'machine $node is not in the boot $bootId any more: it waits for a first config, or was booted anew',
    probe: 'machine-left',
    params: ['node', 'bootId'],
    everySec: 2,
    runbook: talosRunbook,
  },
  'node-not-held': {
    title: 'nobody but $by has taken node $node out of service',
    all: [
      { object: { apiVersion: 'v1', kind: 'Node' }, expect: { atLeast: 1, named: '$node', every: [] } },
      {
        object: { apiVersion: 'v1', kind: 'Node' },
        expect: {
          atLeast: 0,
          atMost: 0,
          where: [{ path: 'metadata.name', in: ['$node'] }, unschedulable, { path: by, notIn: ['$by'] }],
          every: [],
        },
      },
    ],
    params: ['node', 'by'],
    mayBeEmpty: ['by'],
    next: 'k8sops node list shows who and why; k8sops node uncordon $node, once that is settled',
    runbook: talosRunbook,
  },
  'node-absent': {
    title: 'Kubernetes has no node $node any more, or another one (than $uid) under its name',
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
            { path: 'metadata.uid', in: ['$uid'] },
          ],
          every: [],
        },
      },
    ],
    params: ['node', 'uid'],
    runbook: talosRunbook,
  },
  'etcd-member-absent': {
    title: 'etcd on $nodes has no member $member',
    probe: 'etcd-member-absent',
    params: ['nodes', 'member'],
    everySec: 2,
    runbook: talosRunbook,
  },
  'etcd-snapshot-whole': {
    title: 'the etcd snapshot $path is whole, and the one with the digest $sha256',
    probe: 'etcd-snapshot-whole',
    params: ['path', 'sha256'],
    runbook: talosRunbook,
  },
  'ceph-osds-absent': {
    title: 'no Ceph OSD belongs to node $node',
    all: [
      // Every cluster has some.
      { object: { apiVersion: 'apps/v1', kind: 'Deployment' }, expect: { atLeast: 1, every: [] } },
      {
        object: { apiVersion: 'apps/v1', kind: 'Deployment' },
        expect: {
          atLeast: 0,
          atMost: 0,
          where: [
            { path: 'metadata.labels.app', in: ['rook-ceph-osd'] },
            { path: 'spec.template.spec.nodeSelector[kubernetes.io/hostname]', in: ['$node'] },
          ],
          every: [],
        },
      },
    ],
    params: ['node'],
    next: 'one by one: k8sops ceph osd remove OSD --dry-run shows the edit of Git that it takes first (docs/runbooks/rook-ceph.md); then try again',
    runbook: talosRunbook,
  },
  'local-volumes-absent': {
    title: 'no volume exists on node $node only',
    object: { apiVersion: 'v1', kind: 'PersistentVolume' },
    expect: {
      atLeast: 0,
      atMost: 0,
      where: [
        {
          path: 'spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].values[0]',
          in: ['$node'],
        },
      ],
      every: [],
    },
    params: ['node'],
    next: 'a database instance: kubectl cnpg destroy CLUSTER INSTANCE, and wait for its successor elsewhere; anything else: move or back up its data, then delete its claim',
    runbook: talosRunbook,
  },
  'talconfig-lacks': {
    title: 'talconfig.yaml has no node $node',
    probe: 'talconfig-lacks',
    params: ['node'],
    runbook: talosRunbook,
  },
} as const satisfies Record<string, Gate>
