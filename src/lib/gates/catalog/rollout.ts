/** The rollout from the first cluster to the next: its record, its branch, what runs behind it. */
import type { Condition, Gate, ObjectLook } from '../types.ts'

const runbook = 'docs/runbooks/rollout.md'

const record = (every: Condition[]): ObjectLook => ({
  object: { apiVersion: 'v1', kind: 'ConfigMap', namespace: 'flux-system', name: 'k8sops-rollout' },
  expect: { atLeast: 1, every },
})

export const rolloutGates = {
  'rollout-record-present': {
    title: "the rollout's record is there",
    ...record([]),
    params: [],
    runbook,
  },
  'rollout-recorded': {
    title: "the last to write the rollout's record was $token",
    ...record([{ path: 'data.token', in: ['$token'] }]),
    params: ['token'],
    runbook,
  },
  'rollout-unwritten': {
    title: "nobody has written the rollout's record since $token",
    probe: 'rollout-unwritten',
    params: ['token'],
    next: 'k8sops rollout status, and run it again',
    runbook,
  },
  'rollout-held': {
    title: 'the rollout is held, with the note of hold $hold',
    ...record([{ path: 'metadata.annotations[k8sops.dev/hold-id]', in: ['$hold'] }]),
    params: ['hold'],
    runbook,
  },
  'rollout-not-held': {
    title: 'the rollout is not held',
    ...record([{ path: 'metadata.annotations[k8sops.dev/hold-id]', empty: true }]),
    params: [],
    next: 'k8sops rollout unhold',
    runbook,
  },
  'branch-at': {
    title: "the remote's $branch is at $commit, or has gone on from there",
    probe: 'branch-at',
    params: ['branch', 'commit'],
    everySec: 2,
    next: 'git push says why, above; a protected branch has to let this account push',
    runbook,
  },
  'branch-advances': {
    title: "the remote's $branch is at $from, and $to follows from it",
    probe: 'branch-advances',
    params: ['branch', 'from', 'to'],
    runbook,
  },
  'commit-live': {
    title: '$cluster runs $commit, or one that contains it, and is Ready',
    probe: 'commit-live',
    params: ['cluster', 'commit'],
    everySec: 2,
    next: 'k8sops flux errors --cluster $cluster',
    runbook,
  },
  'check-on-commit': {
    title: 'GitHub shows check $id on $commit of $repository',
    probe: 'check-on-commit',
    params: ['repository', 'commit', 'id'],
    runbook,
  },
  attested: {
    title: '$commit has its attestation $digest',
    probe: 'attested',
    params: ['commit', 'digest', 'where'],
    next: 'k8sops rollout tick: it writes what is missing',
    runbook,
  },
} as const satisfies Record<string, Gate>
