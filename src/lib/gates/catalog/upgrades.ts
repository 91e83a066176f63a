/** What a machine is upgraded from and to. */
import type { Gate } from '../types.ts'

const talosRunbook = 'docs/runbooks/talos.md'
const gatesRunbook = 'docs/runbooks/gates.md'

export const upgradeGates = {
  'version-path': {
    title: 'Talos allows the step to $to on machines $nodes (downgrade: $downgrade)',
    probe: 'version-path',
    params: ['nodes', 'to', 'downgrade'],
    runbook: gatesRunbook,
  },
  'installer-image': {
    title: 'the registry has $image',
    probe: 'installer-image',
    params: ['image'],
    everySec: 10,
    runbook: gatesRunbook,
  },
  'extensions-kept': {
    title: 'machines $nodes run no system extension but $extensions, so that none is lost',
    talos: { nodes: '$nodes', type: 'extensions' },
    expect: {
      // The factory adds one of its own, which names the schematic: a machine without any runs another kind of image.
      atLeast: 1,
      every: [{ path: 'spec.metadata.name', in: ['schematic', '$extensions'] }],
    },
    params: ['nodes', 'extensions'],
    mayBeEmpty: ['extensions'],
    final: 'configuration',
    next: 'add what is missing to schematic in talconfig.yaml, or remove the extension in a change of its own first',
    runbook: gatesRunbook,
  },
  'versions-equal': {
    title: 'machines $nodes run $version',
    talos: { nodes: '$nodes', type: 'version' },
    expect: { atLeast: 1, every: [{ path: 'spec.version', in: ['$version'] }] },
    params: ['nodes', 'version'],
    runbook: gatesRunbook,
  },
  'node-at-target': {
    title: 'machine $node runs $version with schematic $schematic',
    all: [
      {
        talos: { nodes: '$node', type: 'version' },
        expect: { atLeast: 1, every: [{ path: 'spec.version', in: ['$version'] }] },
      },
      {
        talos: { nodes: '$node', type: 'extensions' },
        expect: {
          atLeast: 1,
          where: [{ path: 'spec.metadata.name', in: ['schematic'] }],
          every: [{ path: 'spec.metadata.version', in: ['$schematic'] }],
        },
      },
    ],
    params: ['node', 'version', 'schematic'],
    runbook: gatesRunbook,
  },
  'node-upgraded': {
    title: 'machine $node has booted anew since $bootId, with $version and schematic $schematic',
    probe: 'node-upgraded',
    params: ['node', 'version', 'schematic', 'bootId'],
    everySec: 1,
    runbook: gatesRunbook,
  },
  'not-rolled-back': {
    title: 'machine $node has not booted since $bootId, or runs $version with schematic $schematic',
    probe: 'not-rolled-back',
    params: ['node', 'version', 'schematic', 'bootId'],
    everySec: 1,
    runbook: talosRunbook,
  },
  'within-window': {
    title: 'it is one of $days, within $hours h from $from, $timeZone',
    probe: 'within-window',
    params: ['days', 'from', 'hours', 'timeZone'],
    runbook: talosRunbook,
  },
  'kubernetes-path': {
    title: 'Kubernetes $to is one step from what every node and the API server run, and Talos runs it',
    probe: 'kubernetes-path',
    params: ['to'],
    runbook: talosRunbook,
  },
  'kubernetes-at': {
    title: 'every kubelet and the whole control plane run Kubernetes $version',
    all: [
      {
        object: { apiVersion: 'v1', kind: 'Node' },
        expect: {
          atLeast: 1,
          every: [
            { path: 'status.nodeInfo.kubeletVersion', in: ['$version'] },
            { condition: 'Ready', is: 'True' },
          ],
        },
      },
      {
        object: { apiVersion: 'v1', kind: 'Pod', namespace: 'kube-system', labelSelector: 'tier=control-plane' },
        expect: {
          atLeast: 3,
          every: [
            {
              path: 'spec.containers[0].image',
              in: [
                'registry.k8s.io/kube-apiserver:$version',
                'registry.k8s.io/kube-controller-manager:$version',
                'registry.k8s.io/kube-scheduler:$version',
              ],
            },
            { condition: 'Ready', is: 'True' },
          ],
        },
      },
    ],
    params: ['version'],
    next: 'kubectl get nodes; kubectl -n kube-system get pods -l tier=control-plane -o wide',
    runbook: talosRunbook,
  },
} as const satisfies Record<string, Gate>
