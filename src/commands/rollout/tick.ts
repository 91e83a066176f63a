import { type CommandContext, defineCommand } from '../../lib/cli/define.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { reasonText, type Sample, stateOf } from '../../lib/ops/rollout/evidence.ts'
import { takeBackCommit } from '../../lib/ops/rollout/landing.ts'
import { short } from '../../lib/ops/rollout/observe.ts'
import { planAdvance } from '../../lib/ops/rollout/plan.ts'
import { type Promotion, rolloutRunbook } from '../../lib/ops/rollout/record.ts'
import {
  type OpenedRollout,
  openRollout,
  rolloutBase,
  type Situation,
  situationNow,
  tellWaiting,
  waitOption,
  waitSecOf,
} from './opened.ts'

export const rolloutTick = defineCommand({
  path: 'rollout tick',
  summary: 'Look at the first cluster, record it as evidence, and let go on what has soaked',
  description:
    'For an hourly CronJob, and safe to run at any time, twice, and from two places. A commit that has soaked is what the release is moved forward to, never by force; then it is waited for until the clusters behind are Ready on it. Otherwise it says what waits, and for what.',
  effect: 'write',
  options: [waitOption],
  examples: ['k8sops rollout tick', 'k8sops rollout tick --dry-run'],
  runbook: rolloutRunbook,
  async plan(context) {
    const at = await openRollout(context)
    const { situation, sample, restarts } = await situationNow(context, at)
    const promotion = promotionOf(at, situation)
    tell(context, at, situation, sample, promotion)
    const { stored, branches, forced, movedAhead } = situation
    const base = await rolloutBase(at, 'rollout.tick', situation, waitSecOf(context), { blocked: situation.blocked })
    // Where it was first seen, or was moved on to by hand.
    const release = stored.record.release === null || movedAhead ? branches.release : stored.record.release
    return planAdvance(base, {
      operation: 'rollout.tick',
      params: { revision: sample.revision, state: stateOf(sample), promote: promotion?.to ?? null },
      title: `Record the look: ${stateOf(sample)}${sample.revision ? ` on ${short(sample.revision)}` : ''}`,
      record: { ...situation.record, restarts, release: promotion ? promotion.from : release },
      promotion,
      forced,
      endHold: situation.holdOver,
      takeBack: await takeBackOf(at, situation, promotion),
    })
  },
})

/** The one that was begun and pushed is seen to its end; one that never came so far is decided anew. */
function promotionOf({ now }: OpenedRollout, { stored, branches, decision }: Situation): Promotion | null {
  const begun = stored.record.promotion
  if (begun && branches.release === begun.to) return begun
  if (decision.promote === undefined) return null
  return {
    kind: 'soaked',
    from: branches.release,
    to: decision.promote,
    at: new Date(now).toISOString(),
    by: operatorName(),
    reason: null,
    unsoaked: [],
  }
}

/** A landing that was cut off between its two branches: main has still to take it in. */
async function takeBackOf({ git }: OpenedRollout, { branches }: Situation, promotion: Promotion | null) {
  if (!promotion || branches.release !== promotion.to) return null
  const made = await takeBackCommit(git, branches.main, promotion.to, promotion.reason ?? '')
  return made && made !== 'conflict' ? { from: branches.main, to: made.commit } : null
}

function tell(
  context: CommandContext,
  { clusters }: OpenedRollout,
  situation: Situation,
  sample: Sample,
  promotion: Promotion | null,
): void {
  const { movedAhead, branches, stored } = situation
  for (const reason of sample.reasons) context.note(`${clusters.first.name}: ${reasonText(reason)}`)
  if (movedAhead)
    context.note(
      `${clusters.release} was moved from ${short(stored.record.release ?? '')} to ${short(branches.release)} by hand`,
    )
  tellWaiting(context, situation)
  if (situation.decision.commits.length === 0) context.note(`${clusters.release} has all of ${clusters.main}`)
  if (promotion) context.note(`${clusters.release} goes on to ${short(promotion.to)}`)
}
