import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { completeNode, drainTimeoutOption, nodesArgument, settleTimeoutOption } from '../../lib/cli/node-option.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { chosenNodes } from '../../lib/ops/node-choice.ts'
import { planReboot } from '../../lib/ops/node-reboot.ts'
import { machineBasis, observeBootIds } from './basis.ts'

export const nodeReboot = defineCommand({
  path: 'node reboot',
  summary: 'Restart nodes, one at a time: out of service, restarted, read back, in service again',
  effect: 'write',
  args: nodesArgument,
  completeArgs: completeNode,
  options: [
    {
      flags: '--reboot-mode <mode>',
      description: 'powercycle goes through the firmware',
      choices: ['default', 'powercycle'],
      default: 'default',
    },
    drainTimeoutOption,
    settleTimeoutOption,
    { flags: '--reboot-timeout <duration>', description: 'how long one machine may take to restart', default: '15m' },
  ],
  examples: ['k8sops node reboot apps-w1 --cluster apps', 'k8sops node reboot apps-w1 apps-w2 --dry-run'],
  runbook: 'docs/runbooks/talos.md',
  async plan(context) {
    const [cluster, target] = await Promise.all([context.cluster(), context.target()])
    const { options, rest } = context
    const reboots = await observeBootIds(context, chosenNodes(cluster, rest.node))
    const observed = Object.fromEntries(reboots.map(({ node, bootId }) => [node.hostname, bootId]))
    return planReboot(
      {
        cluster,
        target,
        reboots,
        mode: options.rebootMode === 'powercycle' ? 'powercycle' : 'default',
        drainTimeoutSec: parseDurationSec(String(options.drainTimeout)),
        settleTimeoutSec: parseDurationSec(String(options.settleTimeout)),
        rebootTimeoutSec: parseDurationSec(String(options.rebootTimeout)),
        operation: operationToken('node.reboot', new Date()),
      },
      await machineBasis(context, { bootIds: observed }),
    )
  },
  confirm: ({ params }) => `Restart ${[params.nodes].flat().join(', ')}, one after the other?`,
})
