import { defineCommand } from '../../lib/cli/define.ts'
import { exitCodes } from '../../lib/errors.ts'
import { verifyStatement } from '../../lib/ops/rollout/attestation.ts'
import { observeBranches } from '../../lib/ops/rollout/branches.ts'
import { hoursText } from '../../lib/ops/rollout/clock.ts'
import { short } from '../../lib/ops/rollout/observe.ts'
import { promotionFields, rolloutRunbook } from '../../lib/ops/rollout/record.ts'
import { statementOn, verifyFacts } from '../../lib/ops/rollout/released.ts'
import { commitOf } from '../../lib/repo/revision.ts'
import { openRollout } from './opened.ts'

export const rolloutVerify = defineCommand({
  path: 'rollout verify',
  summary: 'Check on what evidence a commit was released',
  description:
    'Works out anew, from the attestation in git and the commits themselves, how long each commit that came along had soaked. Exit code 3 when it does not add up, or there is none.',
  effect: 'read',
  scope: 'cluster',
  args: { commit: 'one that was released' },
  examples: ['k8sops rollout verify origin/release', 'k8sops rollout verify 3f9c1a2 -o json'],
  runbook: rolloutRunbook,
  async read(context) {
    const at = await openRollout(context)
    await observeBranches(at.git, at.clusters, at.policy)
    const commit = await commitOf(at.first.target.root, context.args.commit ?? '')
    const statement = await statementOn(at.git, commit)
    const facts = await verifyFacts(at.git, statement, { commit, release: at.clusters.release, policy: at.policy })
    const { faults, earned } = verifyStatement(statement, facts)
    const { promotion, readyAt } = statement.predicate
    const lines = [
      `${short(commit)}: ${faults.length === 0 ? 'verified' : 'NOT verified'} (${promotion.kind}, by ${promotion.by} at ${promotion.at}${promotion.reason ? `: ${promotion.reason}` : ''})`,
      ...faults.map((fault) => `  ${fault}`),
      ...earned.map(
        ({ sha, soakedSec, requiredSec }) =>
          `  ${short(sha)} soaked ${hoursText(soakedSec)} of ${hoursText(requiredSec)}`,
      ),
      ...promotion.unsoaked.map((line) => `  had not soaked: ${line}`),
      `  Ready on ${statement.predicate.clusters.later.join(', ')} at ${readyAt}`,
    ]
    return {
      kind: 'RolloutVerification',
      items: earned.map(({ sha, ...times }) => ({ commit: sha, ...times })),
      text: `${lines.join('\n')}\n`,
      fields: { commit, verified: faults.length === 0, faults, readyAt, promotion: promotionFields(promotion) },
      exitCode: faults.length === 0 ? exitCodes.ok : exitCodes.gate,
    }
  },
})
