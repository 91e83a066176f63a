import { defineCommand } from '../../lib/cli/define.ts'
import { completeNode, confirmOption, nodeArgument, removalOptions } from '../../lib/cli/node-option.ts'
import { planRemove } from '../../lib/ops/node-remove.ts'
import { observeRemoval } from './removal.ts'
import { proposeWithout } from './talconfig-proposal.ts'

export const nodeRemove = defineCommand({
  path: 'node remove',
  summary: 'Take a node out of the cluster for good: drained, out of etcd, wiped, forgotten by Kubernetes',
  description:
    'Refuses while a Ceph OSD or a volume that exists nowhere else is on the node, and when etcd would lose its majority. The edit of talconfig.yaml is shown, and made with --write.',
  effect: 'write',
  args: nodeArgument,
  completeArgs: completeNode,
  options: [
    ...removalOptions,
    { flags: '--write', description: 'take it out of talconfig.yaml at the end', default: false },
    confirmOption('the node'),
  ],
  examples: ['k8sops node remove apps-w3 --wipe --cluster apps', 'k8sops node remove apps-cp3 --gone --dry-run'],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const { input, basis } = await observeRemoval(context, 'node.remove')
    const write = context.options.write === true
    if (!write) await proposeWithout(context, input.node.hostname)
    return planRemove({ ...input, write }, basis)
  },
  confirm: ({ params, cluster }) =>
    params.gone === true
      ? `Forget ${params.node} of ${cluster}, which does not come back?`
      : `WIPE ${params.node} of ${cluster} (${[params.wipes].flat().join(', ')})?`,
  confirmName: ({ params }) => String(params.node),
})
