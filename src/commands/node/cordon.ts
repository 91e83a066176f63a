import { defineCommand } from '../../lib/cli/define.ts'
import { completeNode, nodesArgument, reasonOption } from '../../lib/cli/node-option.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { holderName, planCordon } from '../../lib/ops/node-hold.ts'
import { machineBasis, namedNodes, nodeFacts, requiredReason } from './basis.ts'

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
    const [cluster, target] = await Promise.all([context.cluster(), context.target()])
    const nodes = chosenNodes(cluster, context.rest.node)
    const reason = requiredReason(context.options.reason)
    const views = await namedNodes(
      context,
      nodes.map(({ hostname }) => hostname),
    )
    const hold = { by: holderName('node.cordon', operatorName()), reason, since: new Date().toISOString() }
    return planCordon({ cluster, target, nodes, hold }, await machineBasis(context, { nodes: nodeFacts(views) }))
  },
})
