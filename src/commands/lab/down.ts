import { defineCommand } from '../../lib/cli/define.ts'
import { clusterOption, labChoice } from './options.ts'

export const labDown = defineCommand({
  path: 'lab down',
  summary: 'End a lab and remove its state',
  effect: 'local',
  scope: 'none',
  options: [
    clusterOption,
    { flags: '--keep-state', description: 'leave the state, so that `lab up` goes on from there', default: false },
  ],
  examples: ['k8sops lab down', 'k8sops lab down --cluster apps --keep-state'],
  runbook: 'docs/runbooks/lab.md',
  async run(context) {
    const { options, env } = context
    const [{ labsOf }, { labDown: down }, { labNameOf }] = await Promise.all([
      import('../../lib/lab/choice.ts'),
      import('../../lib/lab/down.ts'),
      import('../../lib/config/target.ts'),
    ])
    const choice = labChoice(context)
    const name = labNameOf({ labName: choice.labName, env })
    const keepState = options.keepState === true
    const records = await labsOf({ ...choice, labName: name }, env)
    const results = await Promise.all(
      records.map(async (record) => ({ record, result: await down(record, keepState) })),
    )
    const lines = results.map(({ record, result }) => {
      const was = result.wasRunning
        ? 'is down'
        : `was not running${result.orphans > 0 ? `; ended ${result.orphans} processes of it` : ''}`
      return `lab ${record.name} of cluster ${record.cluster} ${was}${keepState ? `, its state is in ${record.dir}` : ''}`
    })
    return {
      kind: 'LabList',
      text: lines.join('\n') || `there is no lab ${name}`,
      items: results.map(({ record, result }) => ({ name: record.name, cluster: record.cluster, ...result })),
    }
  },
})
