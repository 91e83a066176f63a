import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { drainTimeoutOption, nodesOption, settleTimeoutOption } from '../../lib/cli/node-option.ts'
import { sourceChoice, sourceOptions } from '../../lib/cli/source-options.ts'
import { observeBasis } from '../../lib/ops/basis.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { type ApplyNode, planApply } from '../../lib/ops/talos-apply.ts'
import { pinnedVersions } from '../../lib/tools/catalog.ts'
import type { NodePreview } from '../../lib/tools/config-preview.ts'
import type { Json, Plan } from '../../lib/types.ts'
import { observeBootIds } from '../node/basis.ts'
import { observePreviews } from './config-previews.ts'

export const talosApply = defineCommand({
  path: 'talos apply',
  summary: 'Give the nodes the machine configs of the repository, those that must restart for it one at a time',
  description:
    'Asks each machine first what its new config would do. Where no restart is needed it is applied as the node runs; a node that has to restart is checked, taken out of service, drained, restarted and read back, as for an upgrade. See what would change with `k8sops talos diff`.',
  effect: 'write',
  options: [
    nodesOption('all of them'),
    drainTimeoutOption,
    settleTimeoutOption,
    { flags: '--reboot-timeout <duration>', description: 'how long one machine may take to restart', default: '15m' },
    ...sourceOptions,
  ],
  examples: ['k8sops talos apply --cluster apps --dry-run', 'k8sops talos apply --cluster apps --node apps-w1'],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const { options } = context
    const [cluster, target, exec, { ageKey }] = await Promise.all([
      context.cluster(),
      context.target(),
      context.exec(),
      context.repository(),
    ])
    const source = { ...sourceChoice(context), tools: pinnedVersions('bootstrap') }
    const { basis, requireSource } = await observeBasis(exec, cluster, target, source)
    if (options.dryRun !== true && options.planOut === undefined) requireSource()
    const previews = await observePreviews(context)
    const bootIds = await observeBootIds(
      context,
      previews.map(({ node }) => node),
    )
    const applies = previews.map((preview): ApplyNode => {
      const bootId = bootIds.find(({ node }) => node === preview.node)?.bootId ?? 'unknown'
      return { node: preview.node, effect: preview.effect.ok ? preview.effect.value : 'unknown', bootId }
    })
    return planApply(
      {
        cluster,
        target,
        ageKey,
        nodes: applies.filter(({ effect }) => effect === 'reboot').map(({ node }) => node),
        applies,
        drainTimeoutSec: parseDurationSec(String(options.drainTimeout)),
        settleTimeoutSec: parseDurationSec(String(options.settleTimeout)),
        rebootTimeoutSec: parseDurationSec(String(options.rebootTimeout)),
        operation: operationToken('talos.apply', new Date()),
      },
      { ...basis, observed: { ...basis.observed, configs: factsOf(previews) } },
    )
  },
  confirm: question,
})

/** By hostname: what applying would do, and how many settings change. */
function factsOf(previews: NodePreview[]): { [name: string]: Json } {
  return Object.fromEntries(
    previews.map(({ node, effect, changes }) => [
      node.hostname,
      effect.ok ? `${effect.value}${changes.length > 0 ? ` (${changes.length} settings)` : ''}` : 'unknown',
    ]),
  )
}

/** Says which nodes would restart before it is too late; a config that changes nothing anywhere needs no question. */
function question({ params }: Plan): string | undefined {
  const [without, restarting] = [params.withoutReboot, params.withReboot].map((names) => [names ?? []].flat())
  const parts = [
    ...(without!.length > 0 ? [`${without!.join(', ')} without a restart`] : []),
    ...(restarting!.length > 0 ? [`${restarting!.join(', ')} WITH A RESTART, one after the other`] : []),
  ]
  return parts.length > 0 ? `Apply new configs: ${parts.join('; ')}?` : undefined
}
