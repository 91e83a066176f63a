import { defineCommand } from '../../lib/cli/define.ts'
import { nodeOption } from '../../lib/cli/node-option.ts'
import { UsageError } from '../../lib/errors.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { dashboardArgs } from '../../lib/tools/talosctl-node.args.ts'

export const talosDashboard = defineCommand({
  path: 'talos dashboard',
  summary: "Show a node's own console in this terminal (talosctl dashboard)",
  effect: 'local',
  scope: 'cluster',
  options: [nodeOption('whose')],
  examples: ['k8sops talos dashboard --node apps-cp1 --cluster apps'],
  runbook: 'docs/runbooks/talos.md',
  async run(context) {
    const [cluster, target, exec] = await Promise.all([context.cluster(), context.target(), context.exec()])
    const [node] = chosenNodes(cluster, context.options.node)
    if (!node) {
      const names = cluster.nodes.map(({ hostname }) => hostname).join(', ')
      throw new UsageError('--node is missing', { next: `the nodes of ${cluster.name} are: ${names}` })
    }
    if (!process.stdout.isTTY) throw new UsageError('talosctl dashboard needs a terminal')
    const pipeline = [dashboardArgs(target.talosconfig, node.address)]
    const { exitCode } = await exec({ pipeline, foreground: true })
    return { kind: 'TalosDashboard', text: '', exitCode: exitCode ?? 1 }
  },
})
