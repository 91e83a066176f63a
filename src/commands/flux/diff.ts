import { completeApp } from '../../lib/cli/app-option.ts'
import { cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes, ToolError, UsageError } from '../../lib/errors.ts'
import { chosenApps } from '../../lib/ops/flux-choice.ts'
import { nameOf } from '../../lib/ops/flux-view.ts'
import { diffKustomizationArgs } from '../../lib/tools/kubectl-flux.args.ts'
import { observeHoldable } from './holding.ts'

export const fluxDiff = defineCommand({
  path: 'flux diff',
  summary: 'Show how the live objects of an application differ from its files here',
  description:
    'Asks the API server what Flux would change if it applied the files of this working tree now. What a HelmRelease installs is not in it: helm-controller itself puts that back. Exit code 3 when something differs.',
  effect: 'read',
  scope: 'cluster',
  args: { 'app...': 'applications' },
  completeArgs: completeApp,
  examples: ['k8sops flux diff coredns --cluster apps'],
  runbook: 'docs/runbooks/flux.md',
  async read(context) {
    const [exec, { target, views }] = await Promise.all([context.exec(), observeHoldable(context)])
    const apps = chosenApps(views, context.rest.app ?? [])
    const heads = apps.flatMap(({ objects }) => objects.filter(({ kind }) => kind === 'Kustomization'))
    if (heads.length === 0)
      throw new UsageError('these are HelmReleases alone', { next: 'name the Kustomization that applies them' })
    const items = await Promise.all(
      heads.map(async (view) => {
        const command = diffKustomizationArgs(target.context, view.namespace, view.name, view.path ?? '.')
        const said = await exec({ pipeline: [command], timeoutSec: 120, signal: context.signal })
        // flux diff: 1 is a difference, more than 1 an error.
        if (said.exitCode !== 0 && said.exitCode !== 1)
          throw new ToolError(`${nameOf(view)} can't be compared`, { command: said.line, output: said.tail.join('\n') })
        return { name: nameOf(view), differs: said.exitCode === 1, difference: said.stdout.trim() }
      }),
    )
    const differing = items.filter(({ differs }) => differs)
    return {
      kind: 'FluxDifferenceList',
      items,
      columns: [{ title: 'name', value: cell('name') }],
      text: differing.length === 0 ? 'no differences' : differing.map(({ difference }) => difference).join('\n\n'),
      exitCode: differing.length > 0 ? exitCodes.gate : exitCodes.ok,
    }
  },
})
