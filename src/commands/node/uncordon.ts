import { defineCommand } from '../../lib/cli/define.ts'
import { completeNode, nodesArgument } from '../../lib/cli/node-option.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { holderName, planUncordon } from '../../lib/ops/node-hold.ts'
import { machineBasis, namedNodes, nodeFacts } from './basis.ts'

export const nodeUncordon = defineCommand({
  path: 'node uncordon',
  summary: 'Bring nodes back into service that you have taken out',
  description:
    'Brings back what you hold yourself. What a run, another operator or somebody with kubectl has cordoned is refused (exit 3) unless --force.',
  effect: 'write',
  args: nodesArgument,
  completeArgs: completeNode,
  options: [{ flags: '--force', description: 'also what somebody else has taken out', default: false }],
  examples: ['k8sops node uncordon apps-w1 --cluster apps'],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const [cluster, target] = await Promise.all([context.cluster(), context.target()])
    const nodes = await namedNodes(context, context.rest.node ?? [])
    const mine = (['node.cordon', 'node.drain'] as const).map((operation) => holderName(operation, operatorName()))
    const basis = await machineBasis(context, { nodes: nodeFacts(nodes) })
    return planUncordon({ cluster, target, nodes, mine, force: context.options.force === true }, basis)
  },
})
