import { completeApp } from '../../lib/cli/app-option.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { forOption, scopeOption, untilOf, wholeSeconds, whyOption } from '../../lib/cli/hold-options.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { dependentsOf } from '../../lib/ops/flux-choice.ts'
import { holdFacts, planSuspend } from '../../lib/ops/flux-hold.ts'
import { idOf } from '../../lib/ops/flux-view.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { expiredHolds, holdBasis, meantObjects, observeHoldable } from './holding.ts'

export const fluxSuspend = defineCommand({
  path: 'flux suspend',
  summary: 'Hold applications still: Flux changes nothing of them until they are resumed',
  description:
    'Suspends the Kustomization of each application and its HelmReleases, and writes on each of them who, why and until when. What was suspended before is left as it is with --scope namespace or cluster, so that `flux resume` brings back exactly what was running. Where Git sets spec.suspend, the parent is told to leave the object alone meanwhile.',
  effect: 'write',
  args: { 'app...?': 'applications, or namespaces with --scope namespace' },
  completeArgs: completeApp,
  options: [
    forOption('24h'),
    whyOption,
    scopeOption,
    { flags: '--force', description: 'also what somebody else holds', default: false },
  ],
  examples: [
    'k8sops flux suspend coredns --cluster apps --for 2h --reason "memory limit, ticket 4711"',
    'k8sops flux suspend kube-system --scope namespace --for 30m --reason "switch is replaced"',
    'k8sops flux suspend --scope cluster --cluster apps --for 1h --reason "storage maintenance"',
  ],
  runbook: 'docs/runbooks/holds.md',
  async plan(context) {
    const { options, rest, note } = context
    // Git takes as long as the cluster does: both are asked at once.
    const [{ cluster, target, views }, basis] = await Promise.all([observeHoldable(context), holdBasis(context, {})])
    const { scope, label, objects } = meantObjects(views, rest.app ?? [], options.scope)
    const now = Date.now()
    const hold = {
      id: operationToken('flux.suspend', new Date(now)),
      owner: operatorName(),
      reason: String(options.reason).trim() || 'none given',
      since: wholeSeconds(now),
      until: untilOf(options.for, now),
      scope: label,
    }
    for (const view of objects)
      if (view.suspendInGit === true) note(`${idOf(view)} is suspended in Git, and stays so`)
      else if (scope !== 'app' && view.suspended) note(`${idOf(view)} was suspended before, and is left as it is`)
    if (scope === 'app')
      for (const view of dependentsOf(objects, views))
        note(`${idOf(view)} depends on it: no commit after this one reaches it until then (DependencyNotReady)`)
    const expired = expiredHolds(views, now).filter((view) => !objects.includes(view))
    const input = { cluster, target, note: hold, objects, expired, force: options.force === true }
    return planSuspend(input, scope, { ...basis, observed: { objects: holdFacts(objects) } })
  },
})
