/** Talos machines: whether they answer, run, and run what they should. */
import type { Gate } from '../types.ts'

const talosRunbook = 'docs/runbooks/talos.md'
const gatesRunbook = 'docs/runbooks/gates.md'

export const machineGates = {
  'node-state': {
    title: 'machines $nodes are $in',
    probe: 'node-state',
    params: ['nodes', 'in'],
    everySec: 1,
    runbook: talosRunbook,
  },
  'disks-unused': {
    title: 'no machine of $nodes that waits for its first config holds data of an earlier cluster',
    probe: 'disks-unused',
    params: ['nodes'],
    everySec: 2,
    runbook: 'docs/runbooks/disaster-recovery.md',
  },
  'talos-config-current': {
    title: 'the machine configs are what talhelper makes now',
    probe: 'talos-config-current',
    params: [],
    runbook: talosRunbook,
  },
  'talos-config-valid': {
    title: 'talosctl finds the machine configs valid',
    probe: 'talos-config-valid',
    params: ['files'],
    runbook: talosRunbook,
  },
  'machine-configured': {
    title: 'machine $node has installed its config and came back with our certificates',
    probe: 'machine-configured',
    params: ['node'],
    everySec: 1,
    runbook: talosRunbook,
  },
  'machine-running': {
    title: 'machine $node runs and is ready',
    talos: { nodes: '$node', type: 'machinestatus', id: 'machine' },
    expect: {
      atLeast: 1,
      every: [
        { path: 'spec.stage', in: ['running'] },
        { path: 'spec.status.ready', in: ['true'] },
      ],
    },
    params: ['node'],
    everySec: 2,
    runbook: talosRunbook,
  },
  'time-synced': {
    title: 'the clock of machine $node is in sync',
    talos: { nodes: '$node', type: 'timestatus', id: 'node' },
    expect: { atLeast: 1, every: [{ path: 'spec.synced', in: ['true'] }] },
    params: ['node'],
    everySec: 2,
    next: 'see talosctl -n $node get timestatus and the time servers in talos/patches; a certificate from the future is refused',
    runbook: talosRunbook,
  },

  'machines-ready': {
    title: 'machines $nodes run, are ready and wait for nothing',
    talos: { nodes: '$nodes', type: 'machinestatus', id: 'machine' },
    expect: {
      atLeast: 1,
      every: [
        { path: 'spec.stage', in: ['running'] },
        // Before `ready`, because it says why.
        { path: 'spec.status.unmetConditions', empty: true },
        { path: 'spec.status.ready', in: ['true'] },
      ],
    },
    params: ['nodes'],
    everySec: 2,
    next: 'talosctl -n $nodes get machinestatus; talosctl -n $nodes services',
    runbook: gatesRunbook,
  },
  'inventory-matches': {
    title: 'talconfig.yaml, Kubernetes and the Talos members name the same machines',
    probe: 'inventory-matches',
    params: [],
    everySec: 5,
    runbook: gatesRunbook,
  },
  'machine-configs-applied': {
    title: 'applying their configs again would change nothing on machines $nodes',
    probe: 'machine-configs-applied',
    params: ['nodes'],
    everySec: 5,
    next: 'see what differs with k8sops talos diff, and bring it in with k8sops talos apply',
    runbook: gatesRunbook,
  },
} as const satisfies Record<string, Gate>
