/**
 * `k8sops bootstrap`: from machines in maintenance mode to a cluster that Flux keeps. The plan is made from files alone,
 * so a preview needs no cluster; each step finds out for itself, just before it acts, whether it is already done.
 *
 * Rule for releases: helmfile installs what Flux doesn't own yet. From the moment that a HelmRelease exists for a
 * release, Flux is its owner; then its sync is skipped, and the last step judges the HelmRelease instead.
 */
import { UsageError } from '../errors.ts'
import type { Basis, Plan, Step } from '../types.ts'

import { clusterSteps } from './bootstrap-cluster.ts'
import { type BootstrapInput, bootstrapRunbook } from './bootstrap-input.ts'
import { machineSteps } from './bootstrap-machines.ts'
import { preflightChecks } from './bootstrap-observe.ts'
import { releaseSteps } from './bootstrap-releases.ts'

/** Throws UsageError when `until` names no step, or no control plane is left to bootstrap on. */
export function planBootstrap(input: BootstrapInput, basis: Basis): Plan {
  const { cluster, params } = input
  const steps = untilStep(
    [preflight(), ...machineSteps(input), ...clusterSteps(input), ...releaseSteps(input)],
    params.until,
  )
  return {
    apiVersion: 'k8sops.dev/v1',
    kind: 'Plan',
    operation: 'bootstrap',
    cluster: cluster.name,
    params: {
      skipFlux: params.skipFlux,
      nodeTimeoutSec: params.nodeTimeoutSec,
      ...(params.until === undefined ? {} : { until: params.until }),
    },
    basis,
    scope: 'cluster',
    // Of the whole, from nothing to everything Ready (NFR2, FR81).
    ...(params.until === undefined && !params.skipFlux ? { targetSec: 1800 } : {}),
    steps,
  }
}

/** Everything that can be wrong on the operator's machine, reported together before anything is touched (exit 2). */
export function preflight(): Step {
  return {
    id: 'preflight',
    title: 'Check tools, configuration, secrets and access',
    action: { kind: 'wait' },
    require: preflightChecks,
    verify: [],
    interrupt: 'now',
    // Nothing here changes by waiting; `op` may ask for a fingerprint.
    timeoutSec: 90,
    runbook: bootstrapRunbook,
  }
}

function untilStep(steps: Step[], until: string | undefined): Step[] {
  if (until === undefined) return steps
  const last = steps.findLastIndex(({ id }) => id === until || id.split('/')[0] === until)
  if (last >= 0) return steps.slice(0, last + 1)
  throw new UsageError(`--until ${until}: bootstrap has no such step`, {
    next: `steps: ${steps.map(({ id }) => id).join(', ')}`,
  })
}
