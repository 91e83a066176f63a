/** Kubernetes Nodes: Ready, in and out of service, and what is left on one. */
import type { Condition, Gate } from '../types.ts'

const talosRunbook = 'docs/runbooks/talos.md'
const gatesRunbook = 'docs/runbooks/gates.md'

/** Who took a node out of service, `<operation>/<plan>` (src/lib/tools/kubectl.args.ts writes it). Only they put it back. */
const cordonedBy = 'metadata.annotations[k8sops.dev/cordoned-by]'

/** A node that nobody knows has nothing left on it either. */
const isThere = {
  object: { apiVersion: 'v1', kind: 'Node' },
  expect: { atLeast: 1, named: '$node', every: [] as Condition[] },
}
/** The API server selects by this, too; here it also holds for a watch's events. */
const onNode: Condition = { path: 'spec.nodeName', in: ['$node'] }
/** What `kubectl drain --ignore-daemonsets` evicts: not what a DaemonSet puts back, nor static pods, nor what has ended. */
const evictable: Condition[] = [
  { path: 'metadata.ownerReferences[0].kind', notIn: ['DaemonSet', 'Node'] },
  { path: 'metadata.annotations[kubernetes.io/config.mirror]', empty: true },
  { path: 'status.phase', notIn: ['Succeeded', 'Failed'] },
]

export const nodeGates = {
  'nodes-registered': {
    title: 'nodes $names are registered',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: { atLeast: 1, named: '$names', every: [] },
    params: ['names'],
    runbook: talosRunbook,
  },
  'nodes-ready': {
    title: 'nodes $names are Ready',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: { atLeast: 1, named: '$names', every: [{ condition: 'Ready', is: 'True' }] },
    params: ['names'],
    stableSec: 5,
    next: 'kubectl describe node NAME; without a CNI no node gets Ready: kubectl -n kube-system get pods -l k8s-app=cilium',
    runbook: gatesRunbook,
  },

  'nodes-schedulable': {
    title: 'nodes $names are Ready, take pods and are short of nothing',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: {
      atLeast: 1,
      named: '$names',
      every: [
        { condition: 'Ready', is: 'True' },
        { path: 'spec.unschedulable', notIn: ['true'] },
        { condition: 'MemoryPressure', is: 'False' },
        { condition: 'DiskPressure', is: 'False' },
        { condition: 'PIDPressure', is: 'False' },
      ],
    },
    params: ['names'],
    next: 'kubectl describe node NAME; kubectl uncordon NAME, once you know who cordoned it and why',
    runbook: gatesRunbook,
  },
  'node-ready-version': {
    title: 'node $name is Ready and reports $osImage',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: {
      atLeast: 1,
      named: '$name',
      every: [
        { condition: 'Ready', is: 'True' },
        { path: 'status.nodeInfo.osImage', in: ['$osImage'] },
      ],
    },
    params: ['name', 'osImage'],
    runbook: gatesRunbook,
  },
  'node-cordoned': {
    title: 'node $node takes no new pods, because $by cordoned it',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: {
      atLeast: 1,
      named: '$node',
      every: [
        { path: 'spec.unschedulable', in: ['true'] },
        { path: cordonedBy, in: ['$by'] },
      ],
    },
    params: ['node', 'by'],
    runbook: gatesRunbook,
  },
  'maintenance-under-way': {
    title: 'a node is out of service that $by took out',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: {
      atLeast: 1,
      where: [
        { path: 'spec.unschedulable', in: ['true'] },
        { path: cordonedBy, in: ['$by'] },
      ],
      every: [],
    },
    params: ['by'],
    runbook: talosRunbook,
  },
  'node-schedulable': {
    title: 'node $node takes pods',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: { atLeast: 1, named: '$node', every: [{ path: 'spec.unschedulable', notIn: ['true'] }] },
    params: ['node'],
    next: 'kubectl uncordon $node, once you know who cordoned it and why',
    runbook: gatesRunbook,
  },
  'node-released': {
    title: 'node $node takes pods, and $by does not hold it any more',
    object: { apiVersion: 'v1', kind: 'Node' },
    expect: {
      atLeast: 1,
      named: '$node',
      every: [
        { path: 'spec.unschedulable', notIn: ['true'] },
        { path: cordonedBy, notIn: ['$by'] },
      ],
    },
    params: ['node', 'by'],
    runbook: talosRunbook,
  },
  'node-drained': {
    title: 'node $node has no pod left that can be evicted',
    all: [
      isThere,
      {
        object: { apiVersion: 'v1', kind: 'Pod', fieldSelector: 'spec.nodeName=$node' },
        expect: { atLeast: 0, atMost: 0, where: [onNode, ...evictable], every: [] },
      },
    ],
    params: ['node'],
    next: 'kubectl get pods -A --field-selector spec.nodeName=$node; kubectl get poddisruptionbudgets -A',
    runbook: gatesRunbook,
  },
  'pods-ready-on-node': {
    title: 'the pods of node $name are Ready, and none hangs in termination',
    object: { apiVersion: 'v1', kind: 'Pod', fieldSelector: 'spec.nodeName=$name' },
    expect: {
      atLeast: 1,
      where: [
        { path: 'spec.nodeName', in: ['$name'] },
        { path: 'status.phase', notIn: ['Succeeded', 'Failed'] },
      ],
      every: [
        { path: 'metadata.deletionTimestamp', empty: true },
        { condition: 'Ready', is: 'True' },
      ],
    },
    params: ['name'],
    next: 'kubectl get pods -A --field-selector spec.nodeName=$name; kubectl get events -A --field-selector type=Warning',
    runbook: gatesRunbook,
  },
} as const satisfies Record<string, Gate>
