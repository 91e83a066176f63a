import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { completeNode, drainTimeoutOption, nodesArgument, reasonOption } from '../../lib/cli/node-option.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { holderName, planDrain } from '../../lib/ops/node-hold.ts'
import { machineBasis, namedNodes, nodeFacts, requiredReason } from './basis.ts'

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
    const [cluster, target] = await Promise.all([context.cluster(), context.target()])
    const nodes = chosenNodes(cluster, context.rest.node)
    const reason = requiredReason(context.options.reason)
    const views = await namedNodes(
      context,
      nodes.map(({ hostname }) => hostname),
    )
    const hold = { by: holderName('node.drain', operatorName()), reason, since: new Date().toISOString() }
    const basis = await machineBasis(context, { nodes: nodeFacts(views) })
    return planDrain({ cluster, target, nodes, hold }, parseDurationSec(String(context.options.drainTimeout)), basis)
  },
})
