import { cell, defineCommand } from '../../lib/cli/define.ts'
import { exitCodes } from '../../lib/errors.ts'
import { ageText } from '../../lib/ops/flux-status.ts'
import { holdFields } from '../../lib/ops/hold.ts'
import { hoursText } from '../../lib/ops/rollout/clock.ts'
import type { CommitState } from '../../lib/ops/rollout/decide.ts'
import { reasonText, type Stretch } from '../../lib/ops/rollout/evidence.ts'
import { short } from '../../lib/ops/rollout/observe.ts'
import { promotionFields, rolloutRunbook } from '../../lib/ops/rollout/record.ts'
import type { Json } from '../../lib/types.ts'
import { changesFields, changesOf, changesText } from './changes.ts'
import { openRollout, situationOf } from './opened.ts'

export const rolloutStatus = defineCommand({
  path: 'rollout status',
  summary: 'Show what waits for its soak, and what keeps it',
  description:
    'Each commit between the release and the branch of the first cluster: what it changes on the clusters behind, since when it is live on the first one, how long it has soaked, on what evidence, and what keeps it. Exit code 3 when something keeps all of them.',
  effect: 'read',
  scope: 'cluster',
  options: [{ flags: '--fast', description: 'without what each commit changes', default: false }],
  examples: ['k8sops rollout status', 'k8sops rollout status --fast -o json'],
  runbook: rolloutRunbook,
  async read(context) {
    const at = await openRollout(context)
    const { decision, branches, stored, blocked, record } = await situationOf(context, at)
    for (const line of blocked) context.note(`nothing goes on: ${line}`)
    const items: { [key: string]: Json }[] = []
    for (const commit of decision.commits) {
      const changes = context.options.fast === true ? undefined : await changesOf(context, at, commit.sha)
      items.push(
        row(
          commit,
          decision.promote === commit.sha,
          changes && { changes: changesFields(changes), changesText: changesText(changes) },
        ),
      )
    }
    const last = record.stretches.at(-1)
    if (last) context.note(`last look ${ageText(last.to, at.now)} ago: ${lookText(last)}`)
    else context.note('nobody has looked yet: k8sops rollout tick')
    return {
      kind: 'RolloutStatus',
      items,
      columns: [
        { title: 'commit', value: (one) => short(String(one.commit)) },
        { title: 'subject', value: cell('subject') },
        { title: 'labels', value: (one) => (one.labels as string[]).join(',') },
        ...(context.options.fast === true ? [] : [{ title: 'changes', value: cell('changesText') }]),
        { title: 'live', value: (one) => ageText(one.liveSince ?? null, at.now) },
        {
          title: 'soaked',
          value: (one) => `${hoursText(Number(one.soakedSec))} of ${hoursText(Number(one.requiredSec))}`,
        },
        {
          title: 'waits for',
          value: (one) => (one.goes === true ? 'the next tick' : (one.waits as string[]).join('; ')),
        },
        { title: 'author', value: cell('author'), wide: true },
      ],
      fields: {
        main: branches.main,
        release: branches.release,
        promote: decision.promote ?? null,
        blocked,
        hold: stored.hold ? holdFields(stored.hold) : null,
        promotion: record.promotion ? promotionFields(record.promotion) : null,
        lastLook: last ? { ...last, reasons: last.reasons.map(reasonText) } : null,
      },
      exitCode: blocked.length > 0 ? exitCodes.gate : exitCodes.ok,
    }
  },
})

function row(commit: CommitState, goes: boolean, more: { [key: string]: Json } | undefined): { [key: string]: Json } {
  const { sha, subject, author, committedAt, labels, clock, requiredSec, soaked, waits } = commit
  const { soakedSec, liveSince, since, own, stopped } = clock
  return {
    commit: sha,
    subject,
    author,
    committedAt,
    labels,
    liveSince,
    soakingSince: since,
    soakedSec: Math.round(soakedSec),
    requiredSec,
    soaked,
    seenAlone: own,
    stopped: stopped ? { ...stopped } : null,
    waits,
    goes,
    ...more,
  }
}

const lookText = ({ state, revision, reasons }: Stretch): string =>
  [state, revision ? `on ${short(revision)}` : '', reasons.map(reasonText).join('; ')].filter(Boolean).join(' ')
