import { cell, defineCommand } from '../../lib/cli/define.ts'
import { shortTime } from '../../lib/ops/hold.ts'
import { observeBranches } from '../../lib/ops/rollout/branches.ts'
import { short } from '../../lib/ops/rollout/observe.ts'
import { promotionFields, rolloutRunbook } from '../../lib/ops/rollout/record.ts'
import { releasedStatements } from '../../lib/ops/rollout/released.ts'
import { openRollout } from './opened.ts'

export const rolloutHistory = defineCommand({
  path: 'rollout history',
  summary: 'List what was released: when, by whom, on what evidence',
  description:
    'From the attestations in git (refs/notes/k8sops-rollout), newest first; no cluster is asked. What had not soaked when it went is listed with the reason.',
  effect: 'read',
  scope: 'cluster',
  examples: ['k8sops rollout history', 'k8sops rollout history -o json'],
  runbook: rolloutRunbook,
  async read(context) {
    const at = await openRollout(context)
    await observeBranches(at.git, at.clusters, at.policy)
    const statements = await releasedStatements(at.git)
    return {
      kind: 'RolloutHistory',
      items: statements.map(({ predicate: { promotion, readyAt, digest, stretches } }) => ({
        ...promotionFields(promotion),
        readyAt,
        digest,
        looks: stretches.reduce((sum, { samples }) => sum + samples, 0),
      })),
      columns: [
        { title: 'at', value: (row) => shortTime(String(row.at), at.now) },
        { title: 'commit', value: (row) => short(String(row.to)) },
        { title: 'from', value: (row) => short(String(row.from)) },
        { title: 'why', value: cell('kind') },
        { title: 'ready', value: (row) => shortTime(String(row.readyAt), at.now) },
        { title: 'by', value: cell('by') },
        { title: 'reason', value: cell('reason') },
        { title: 'unsoaked', value: (row) => (row.unsoaked as string[]).join('; '), wide: true },
      ],
    }
  },
})
