import { defineCommand } from '../../lib/cli/define.ts'
import { clusterOption, labChoice } from './options.ts'

export const labFixturesAdd = defineCommand({
  path: 'lab fixtures add',
  summary: 'Give a bootstrapped lab Ceph, CloudNativePG, VolSync, volumes and workloads behind budgets',
  description:
    'Waits until Flux is Ready, applies lab/fixtures and waits until they, Ceph and the databases are healthy: workloads behind a budget, and a volume with its backup, which an upgrade or a drain has to look after. Run again it changes nothing.',
  effect: 'local',
  scope: 'none',
  options: [clusterOption],
  examples: ['k8sops lab fixtures add', 'k8sops lab fixtures add --cluster apps'],
  runbook: 'docs/runbooks/lab.md',
  async run(context) {
    const { env, note, signal } = context
    const [{ oneLab }, { addFixtures }] = await Promise.all([
      import('../../lib/lab/choice.ts'),
      import('../../lib/lab/fixtures/index.ts'),
    ])
    const record = await oneLab(labChoice(context), env)
    const { objects, seconds } = await addFixtures(record, { note, signal })
    return {
      kind: 'LabFixtures',
      text: `${objects.length} fixtures in lab ${record.name} of cluster ${record.cluster} are healthy (${seconds.toFixed(1)} s)`,
      fields: { cluster: record.cluster, objects, seconds: Math.round(seconds * 10) / 10 },
    }
  },
})
