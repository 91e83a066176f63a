import type { CommandContext } from '../../lib/cli/define.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { nodesOption } from '../../lib/cli/node-option.ts'
import { refOptions } from '../../lib/cli/source-options.ts'
import { UsageError } from '../../lib/errors.ts'
import { planUpgrade } from '../../lib/ops/upgrade.ts'
import { soakOptions } from './soak.ts'
import { observeUpgrade } from './upgrade-input.ts'

export const talosUpgrade = defineCommand({
  path: 'talos upgrade',
  summary: 'Roll every node to the Talos version and schematic that Git names, one at a time',
  description:
    'Rolls the nodes of a cluster to the version and schematic of talconfig.yaml: workers first, the first of them alone, then control planes one by one, the one that leads etcd last. Each node is checked, cordoned, drained, upgraded, read back and brought back before the next one is touched. What is at the target already is left in peace.',
  effect: 'write',
  options: [
    { flags: '--rolling', description: 'roll the nodes, one after the other', default: false },
    {
      flags: '--forecast',
      description:
        'only tell what would block each drain, what would be away meanwhile, and how long it takes; exit 3 when something blocks',
      default: false,
    },
    { flags: '--to <version>', description: 'another version than talconfig.yaml names, e.g. v1.12.11' },
    nodesOption('the whole cluster'),
    {
      flags: '--max-unavailable <count>',
      description: 'workers that may be out at a time, after the first',
      default: '1',
    },
    {
      flags: '--stage',
      description: 'install at the next boot (two reboots): where volumes cannot be unmounted',
      default: false,
    },
    {
      flags: '--reboot-mode <mode>',
      description: 'powercycle goes through the firmware',
      choices: ['default', 'powercycle'],
      default: 'default',
    },
    { flags: '--downgrade', description: 'a lower version is meant', default: false },
    { flags: '--drain-timeout <duration>', description: 'how long the drain of one node may take', default: '10m' },
    {
      flags: '--upgrade-timeout <duration>',
      description: 'how long one machine may take to install and boot',
      default: '20m',
    },
    {
      flags: '--settle-timeout <duration>',
      description: 'how long the cluster may take to be well before and after each node',
      default: '30m',
    },
    {
      flags: '--no-silence',
      description: 'do not silence the alerts that clusters.NAME.alertmanager in k8sops.yaml names',
    },
    ...refOptions,
    ...soakOptions,
  ],
  examples: [
    'k8sops talos upgrade --forecast --cluster apps',
    'k8sops talos upgrade --rolling --cluster apps --dry-run',
    'k8sops talos upgrade --rolling --cluster apps --lab',
    'k8sops talos upgrade --rolling --cluster infra --node infra-w1',
  ],
  runbook: 'docs/runbooks/talos.md',
  async instead(context) {
    if (context.options.forecast !== true) return undefined
    const { forecastData } = await import('./upgrade-forecast.ts')
    return forecastData(context)
  },
  async plan(context) {
    requireRolling(context)
    const { input, basis } = await observeUpgrade(context)
    return planUpgrade(input, basis)
  },
})

/** Said aloud, because talosctl's own `upgrade` with several nodes takes them all at once. */
function requireRolling({ options }: CommandContext): void {
  if (options.rolling === true) return
  throw new UsageError('how? There is one way to upgrade a cluster: node by node', {
    next: 'k8sops talos upgrade --forecast to see what it would meet, --rolling --dry-run for the plan, --rolling to do it',
  })
}
