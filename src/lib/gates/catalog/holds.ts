/** Flux objects by name: those that an operator holds still, and those that Flux was asked to look at. */
import type { Condition, Gate, ObjectLook } from '../types.ts'

const holdsRunbook = 'docs/runbooks/holds.md'

const object = { apiVersion: '$apiVersion', kind: '$kind', namespace: '$namespace' }
const id = 'metadata.annotations[k8sops.dev/hold-id]'
const suspended: Condition = { path: 'spec.suspend', in: ['true'] }
const params = ['apiVersion', 'kind', 'namespace', 'names']

const each = (every: Condition[]): ObjectLook => ({ object, expect: { atLeast: 1, named: '$names', every } })
/** A deleted one is not held either. */
const none = (where: Condition[]): ObjectLook => ({
  object,
  expect: { atLeast: 0, atMost: 0, where: [{ path: 'metadata.name', in: ['$names'] }, ...where], every: [] },
})

export const holdGates = {
  'flux-held': {
    title: '$kind $names of $namespace: suspended, with the note of hold $hold',
    ...each([suspended, { path: id, in: ['$hold'] }]),
    params: [...params, 'hold'],
    next: 'something sets spec.suspend back: kubectl -n $namespace get $kind -o yaml --show-managed-fields',
    runbook: holdsRunbook,
  },
  'flux-held-until': {
    title: '$kind $names of $namespace: held until $until',
    ...each([{ path: 'metadata.annotations[k8sops.dev/hold-until]', in: ['$until'] }]),
    params: [...params, 'until'],
    runbook: holdsRunbook,
  },
  'flux-detached': {
    title: '$kind $names of $namespace: left alone by the Kustomization that applies them',
    ...each([{ path: 'metadata.annotations[kustomize.toolkit.fluxcd.io/reconcile]', in: ['disabled'] }]),
    params,
    runbook: holdsRunbook,
  },
  'flux-released': {
    title: 'hold $hold is no more on $kind $names of $namespace',
    ...none([{ path: id, in: ['$hold'] }]),
    params: [...params, 'hold'],
    runbook: holdsRunbook,
  },
  'flux-running': {
    title: '$kind $names of $namespace: not suspended',
    ...none([suspended]),
    params,
    next: 'something sets spec.suspend back: kubectl -n $namespace get $kind -o yaml --show-managed-fields',
    runbook: holdsRunbook,
  },
  'flux-objects-ready': {
    title: '$kind $names of $namespace: Ready',
    ...each([{ path: 'spec.suspend', notIn: ['true'] }, { condition: 'Ready', is: 'True' }, { observed: true }]),
    params,
    next: 'k8sops flux status --failed',
    runbook: 'docs/runbooks/flux.md',
  },
  'flux-requested': {
    title: '$kind $names of $namespace: Flux is asked to look at it ($token)',
    ...each([{ path: 'metadata.annotations[reconcile.fluxcd.io/requestedAt]', in: ['$token'] }]),
    params: [...params, 'token'],
    runbook: 'docs/runbooks/flux.md',
  },
  'flux-reconciled': {
    title: '$kind $names of $namespace: Flux has answered the request $token, and it is Ready',
    // Ready of an older sync is no answer (Flux keeps it until the new one is through).
    ...each([
      { path: 'status.lastHandledReconcileAt', in: ['$token'] },
      { condition: 'Ready', is: 'True' },
      { observed: true },
    ]),
    params: [...params, 'token'],
    next: 'k8sops flux errors',
    runbook: 'docs/runbooks/flux.md',
  },
} as const satisfies Record<string, Gate>
