import { defineCommand } from '../../lib/cli/define.ts'
import { completeNode, nodesArgument, reasonOption } from '../../lib/cli/node-option.ts'
import { planCordon } from '../../lib/ops/node-hold.ts'
import { observeHold } from './basis.ts'

export const nodeCordon = defineCommand({
  path: 'node cordon',
  summary: 'Hold nodes out of service, with a reason: no new pods come to them',
  effect: 'write',
  args: nodesArgument,
  completeArgs: completeNode,
  options: [reasonOption],
  examples: ['k8sops node cordon apps-w1 --reason "memory errors, ticket 4711" --cluster apps'],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const { input, basis } = await observeHold(context, 'node.cordon')
    return planCordon(input, basis)
  },
})
