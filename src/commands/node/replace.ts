import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import {
  completeNode,
  confirmOption,
  nodeArgument,
  nodeTimeoutOption,
  removalOptions,
} from '../../lib/cli/node-option.ts'
import { planReplace } from '../../lib/ops/node-join.ts'
import { observeRemoval } from './removal.ts'

export const nodeReplace = defineCommand({
  path: 'node replace',
  summary: 'Take a node out and let a machine in maintenance mode take its name and address',
  description:
    'As `node remove`, then `node add`, in one run: for other hardware (--gone, or swap it once the node is wiped), or to install the same machine anew.',
  effect: 'write',
  args: nodeArgument,
  completeArgs: completeNode,
  options: [...removalOptions, nodeTimeoutOption, confirmOption('the node')],
  examples: ['k8sops node replace apps-w3 --wipe --cluster apps', 'k8sops node replace apps-cp3 --gone --cluster apps'],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const { input, basis } = await observeRemoval(context, 'node.replace')
    const { ageKey } = await context.repository()
    const nodeTimeoutSec = parseDurationSec(String(context.options.nodeTimeout))
    return planReplace(input, { cluster: input.cluster, ageKey, node: input.node, nodeTimeoutSec }, basis)
  },
  confirm: ({ params, cluster }) => `Replace ${params.node} of ${cluster}${params.gone === true ? '' : ', WIPING it'}?`,
  confirmName: ({ params }) => String(params.node),
})
