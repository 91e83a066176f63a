import { completeApp } from '../../lib/cli/app-option.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { UsageError } from '../../lib/errors.ts'
import { isHoldable } from '../../lib/ops/flux-choice.ts'
import { planReconcile, withSources } from '../../lib/ops/flux-reconcile.ts'
import { type FluxView, fluxKinds, idOf } from '../../lib/ops/flux-view.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { holdBasis, meantObjects, observeHoldable } from './holding.ts'

export const fluxReconcile = defineCommand({
  path: 'flux reconcile',
  summary: 'Have Flux look at applications now, or at whatever failed',
  description:
    'What is suspended is refused (exit 3): Flux would not answer. With --all and --failed it is left out, and named.',
  effect: 'write',
  args: { 'app...?': 'applications' },
  completeArgs: completeApp,
  options: [
    { flags: '--failed', description: 'whatever is not Ready because it failed itself', default: false },
    { flags: '--all', description: 'every Kustomization and HelmRelease', default: false },
    { flags: '--with-source', description: 'have their sources fetched before', default: false },
    { flags: '--reset', description: 'let a HelmRelease that has given up try again', default: false },
    { flags: '--force', description: 'upgrade a HelmRelease once even if nothing changed', default: false },
    { flags: '--wait <duration>', description: 'wait so long until all of it is Ready' },
  ],
  examples: [
    'k8sops flux reconcile coredns --with-source --wait 5m --cluster apps',
    'k8sops flux reconcile --failed --reset --cluster apps',
  ],
  runbook: 'docs/runbooks/flux.md',
  async plan(context) {
    const { options, rest } = context
    const { cluster, target, views } = await observeHoldable(context, fluxKinds)
    const names = rest.app ?? []
    const { scope, objects } = names.length > 0 ? named(views, names) : several(views, options, context.note)
    const wanted =
      options.withSource === true ? withSources(objects, views).filter(({ suspended }) => !suspended) : objects
    const basis = await holdBasis(context, {
      objects: Object.fromEntries(wanted.map((view) => [idOf(view), view.state])),
    })
    const wait = typeof options.wait === 'string' ? { waitSec: parseDurationSec(options.wait) } : {}
    const token = operationToken('flux.reconcile', new Date())
    const how = { reset: options.reset === true, force: options.force === true }
    return planReconcile({ cluster, target, objects: [...new Set(wanted)], token, scope, ...how, ...wait }, basis)
  },
})

function named(views: FluxView[], names: string[]): { scope: string; objects: FluxView[] } {
  const { label, objects } = meantObjects(views, names, 'app')
  return { scope: label, objects }
}

/** @throws UsageError when nothing is named: no command acts on everything by default */
function several(
  views: FluxView[],
  options: Record<string, unknown>,
  note: (text: string) => void,
): { scope: string; objects: FluxView[] } {
  if (options.failed !== true && options.all !== true)
    throw new UsageError('which application?', { next: 'name it, or give --failed or --all' })
  const meant = views.filter((view) => (options.all === true ? isHoldable(view) : view.state === 'failed'))
  for (const view of meant) if (view.suspended) note(`${idOf(view)} is suspended, and left out`)
  return { scope: 'flux', objects: meant.filter(({ suspended }) => !suspended) }
}
