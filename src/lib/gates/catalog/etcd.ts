/** etcd, asked through the Talos API. */
import type { Gate } from '../types.ts'

const talosRunbook = 'docs/runbooks/talos.md'
const gatesRunbook = 'docs/runbooks/gates.md'

export const etcdGates = {
  'etcd-absent': {
    title: 'no control plane ($nodes) has an etcd',
    probe: 'etcd-absent',
    params: ['nodes'],
    runbook: talosRunbook,
  },
  'etcd-bootstrapped': {
    title: 'a control plane ($nodes) has an etcd',
    probe: 'etcd-bootstrapped',
    params: ['nodes'],
    runbook: talosRunbook,
  },
  'etcd-quorum': {
    title: '$members are the voting members of one etcd, says each of them',
    probe: 'etcd-quorum',
    params: ['members', 'nodes'],
    everySec: 1,
    runbook: talosRunbook,
  },

  'etcd-healthy': {
    title: 'etcd has the members $members, one leader, one term, no learner, no error and no alarm',
    probe: 'etcd-healthy',
    params: ['nodes', 'members'],
    everySec: 2,
    next: 'talosctl etcd status, talosctl etcd members and talosctl etcd alarm list on a control plane',
    runbook: gatesRunbook,
  },
  'etcd-leader-elsewhere': {
    title: 'machine $node does not lead etcd',
    probe: 'etcd-leader-elsewhere',
    params: ['node'],
    everySec: 1,
    next: 'talosctl -n $node etcd forfeit-leadership',
    runbook: gatesRunbook,
  },
  'etcd-snapshot-fresh': {
    title: 'the etcd snapshot $path is whole and at most $maxAgeSec s old',
    probe: 'etcd-snapshot-fresh',
    params: ['path', 'maxAgeSec'],
    next: 'k8sops talos etcd snapshot',
    runbook: gatesRunbook,
  },
} as const satisfies Record<string, Gate>
