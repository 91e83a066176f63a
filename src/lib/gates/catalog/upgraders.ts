/** Other programs that take nodes out of service. */
import type { Condition, Gate } from '../types.ts'

const gatesRunbook = 'docs/runbooks/gates.md'

/** One that waits to begin (Pending) is as good as one at work. A suspended one isn't. */
const tupprDone = {
  atLeast: 0,
  where: [{ path: 'metadata.annotations[tuppr.home-operations.com/suspend]', empty: true }] as Condition[],
  every: [{ path: 'status.phase', in: ['Completed', 'Failed'] }] as Condition[],
}

export const upgraderGates = {
  'no-other-upgrader': {
    title: 'no other program upgrades machines or Kubernetes',
    all: [
      { object: { apiVersion: 'tuppr.home-operations.com/v1alpha1', kind: 'TalosUpgrade' }, expect: tupprDone },
      { object: { apiVersion: 'tuppr.home-operations.com/v1alpha1', kind: 'KubernetesUpgrade' }, expect: tupprDone },
      {
        // Hostnames that a plan of system-upgrade-controller works on.
        object: { apiVersion: 'upgrade.cattle.io/v1', kind: 'Plan' },
        expect: { atLeast: 0, every: [{ path: 'status.applying', empty: true }] },
      },
    ],
    params: [],
    next: 'let it finish, or suspend it (kubectl annotate talosupgrade NAME tuppr.home-operations.com/suspend=true)',
    runbook: gatesRunbook,
  },
} as const satisfies Record<string, Gate>
