import { defineCommand } from '../../lib/cli/define.ts'
import { clusterOption, labChoice } from './options.ts'

export const labStatus = defineCommand({
  path: 'lab status',
  summary: 'Show the labs of this machine, and what in them is real, simulated or a placeholder',
  effect: 'read',
  scope: 'none',
  options: [clusterOption],
  examples: ['k8sops lab status', 'k8sops lab status --cluster apps -o json'],
  runbook: 'docs/runbooks/lab.md',
  async read(context) {
    const { labsOf } = await import('../../lib/lab/choice.ts')
    const records = await labsOf(labChoice(context), context.env)
    const { readStatus } = await import('../../lib/lab/read-status.ts')
    const statuses = await Promise.all(records.map(readStatus))
    return {
      kind: 'LabList',
      text: statuses.map(({ text }) => text).join('\n\n') || 'there is no lab; k8sops lab up makes one',
      items: statuses.map(({ item }) => item),
      // A lab that crashed is a finding; none at all is not.
      exitCode: statuses.some(({ item }) => item.state === 'crashed') ? 3 : 0,
    }
  },
})
