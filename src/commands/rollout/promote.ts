import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { GateError, UsageError } from '../../lib/errors.ts'
import { hoursText } from '../../lib/ops/rollout/clock.ts'
import type { CommitState } from '../../lib/ops/rollout/decide.ts'
import { stateOf } from '../../lib/ops/rollout/evidence.ts'
import { short } from '../../lib/ops/rollout/observe.ts'
import { planAdvance } from '../../lib/ops/rollout/plan.ts'
import { rolloutRunbook } from '../../lib/ops/rollout/record.ts'
import { commitOf } from '../../lib/repo/revision.ts'
import type { Plan } from '../../lib/types.ts'
import {
  type OpenedRollout,
  openRollout,
  reasonOf,
  rolloutBase,
  type Situation,
  situationNow,
  waitOption,
  waitSecOf,
} from './opened.ts'

export const rolloutPromote = defineCommand({
  path: 'rollout promote',
  summary: 'Let a commit go on now: one that has soaked, or with --now one that has not',
  description:
    'Lists first what has not soaked, and asks. Why it could not wait stays on the commit, with all that had not soaked (`rollout history`). For a single urgent change `rollout hotfix` brings nothing else along.',
  effect: 'write',
  options: [
    { flags: '--to <commit>', description: 'up to this one (default: what has soaked; with --now all of it)' },
    { flags: '--now', description: 'also what has not soaked; needs --reason', default: false },
    { flags: '--reason <text>', description: 'why it can not wait' },
    waitOption,
  ],
  examples: ['k8sops rollout promote', 'k8sops rollout promote --now --reason "CVE-2026-1234, exploited"'],
  runbook: rolloutRunbook,
  confirm: ({ params: { to, unsoaked } }: Plan) =>
    Array.isArray(unsoaked) && unsoaked.length > 0
      ? `Release ${short(String(to))}, though ${unsoaked.length === 1 ? 'a commit has' : `${unsoaked.length} commits have`} not soaked?`
      : undefined,
  async plan(context) {
    const reason = context.options.now === true ? reasonOf(context, 'why it can not wait') : null
    const at = await openRollout(context)
    const { situation, sample, restarts } = await situationNow(context, at)
    refuseBlocked(situation)
    const { commits } = situation.decision
    const to = await target(context, at, situation, reason !== null)
    const along = commits.slice(0, commits.findIndex(({ sha }) => sha === to) + 1)
    const unsoaked = along.filter(({ waits }) => waits.length > 0).map(unsoakedText)
    if (unsoaked.length > 0 && reason === null)
      throw new GateError(`${short(to)} has not soaked`, {
        output: unsoaked.join('\n'),
        next: 'wait, or say why it can not: --now --reason TEXT (it stays on the commit)',
      })
    for (const line of unsoaked) context.note(`has not soaked: ${line}`)
    const from = situation.branches.release
    const base = await rolloutBase(at, 'rollout.promote', situation, waitSecOf(context), { unsoaked })
    return planAdvance(base, {
      operation: 'rollout.promote',
      params: { to, unsoaked, reason },
      title: `Record the look: ${stateOf(sample)}`,
      record: { ...situation.record, restarts, release: from },
      promotion: {
        kind: reason === null ? 'soaked' : 'override',
        from,
        to,
        by: operatorName(),
        reason,
        unsoaked,
        at: new Date(at.now).toISOString(),
      },
      forced: false,
      endHold: situation.holdOver,
    })
  },
})

function refuseBlocked({ blocked }: Situation): void {
  if (blocked.length === 0) return
  throw new GateError('nothing is let go', {
    output: blocked.join('\n'),
    next: 'k8sops rollout status',
    runbook: rolloutRunbook,
  })
}

async function target(
  context: CommandContext,
  at: OpenedRollout,
  { decision }: Situation,
  now: boolean,
): Promise<string> {
  const { commits, ready } = decision
  const wanted = textOption(context.options.to)
  const sha = wanted ? await commitOf(at.first.target.root, wanted) : now ? commits.at(-1)?.sha : ready
  if (commits.length === 0) throw new UsageError(`${at.clusters.release} has all of ${at.clusters.main}`)
  if (sha === undefined)
    throw new GateError('nothing has soaked', {
      output: commits.map((commit) => unsoakedText(commit)).join('\n'),
      next: 'wait, or say why it can not: --now --reason TEXT (it stays on the commit)',
    })
  const found = commits.find((commit) => commit.sha === sha)
  if (found?.follows === false)
    throw new GateError(`${short(sha)} lacks what is on ${at.clusters.release}, which is only moved forward`, {
      next: 'name a later commit, the merge that took it in or one after it',
    })
  if (found) return sha
  throw new UsageError(`${short(sha)} is not among what waits on ${at.clusters.main}`, {
    next: 'k8sops rollout status',
  })
}

const unsoakedText = ({ sha, subject, clock, requiredSec, waits }: CommitState): string =>
  `${short(sha)} ${subject}: ${clock.liveSince === null ? waits.join('; ') : `soaked ${hoursText(clock.soakedSec)} of ${hoursText(requiredSec)}`}`
