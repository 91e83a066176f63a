import { completeApp } from '../../lib/cli/app-option.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { UsageError } from '../../lib/errors.ts'
import { chosenApps } from '../../lib/ops/flux-choice.ts'
import { fluxTree, treeData, treeText } from '../../lib/ops/flux-tree.ts'
import { type FluxView, fluxKinds } from '../../lib/ops/flux-view.ts'
import { observeHoldable } from './holding.ts'

export const fluxTreeCommand = defineCommand({
  path: 'flux tree',
  summary: 'Draw what an application waits for, what it applies and what that is made from',
  effect: 'read',
  scope: 'cluster',
  args: { 'app?': 'application (default: everything below the root Kustomization)' },
  completeArgs: completeApp,
  options: [{ flags: '--depth <levels>', description: 'how many levels are shown', default: '3' }],
  examples: ['k8sops flux tree coredns --cluster apps', 'k8sops flux tree infrastructure --depth 1'],
  runbook: 'docs/runbooks/flux.md',
  async read(context) {
    const depth = Number(context.options.depth)
    if (!Number.isInteger(depth) || depth < 0) throw new UsageError('--depth has to be a whole number')
    const { views } = await observeHoldable(context, fluxKinds)
    const root = rootOf(views, context.args.app)
    const tree = fluxTree(root, views, depth)
    return { kind: 'FluxTree', text: treeText(tree), fields: { tree: treeData(tree) } }
  },
})

/** The one that nobody else applies. */
function rootOf(views: FluxView[], app: string | undefined): FluxView {
  const found =
    app === undefined
      ? views.find(({ kind, owner }) => kind === 'Kustomization' && owner === null)
      : chosenApps(views, [app])[0]?.objects[0]
  if (found) return found
  throw new UsageError('the cluster has no Kustomization yet', { next: 'k8sops flux status' })
}
