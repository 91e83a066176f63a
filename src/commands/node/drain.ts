import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { completeNode, drainTimeoutOption, nodesArgument, reasonOption } from '../../lib/cli/node-option.ts'
import { planDrain } from '../../lib/ops/node-hold.ts'
import { observeHold } from './basis.ts'

export const nodeDrain = defineCommand({
  path: 'node drain',
  summary: 'Take nodes out of service: cordon, evict within the disruption budgets, wait for volumes',
  effect: 'write',
  args: nodesArgument,
  completeArgs: completeNode,
  options: [reasonOption, drainTimeoutOption],
  examples: [
    'k8sops node drain apps-w1 --reason "new memory" --cluster apps',
    'k8sops node drain apps-w1 --dry-run --reason test',
  ],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const { input, basis } = await observeHold(context, 'node.drain')
    return planDrain(input, parseDurationSec(String(context.options.drainTimeout)), basis)
  },
})
