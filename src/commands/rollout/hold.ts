import { defineCommand } from '../../lib/cli/define.ts'
import { forOption, untilOf, wholeSeconds, whyOption } from '../../lib/cli/hold-options.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { GateError } from '../../lib/errors.ts'
import { type Hold, holderText, isExpired } from '../../lib/ops/hold.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { observeRollout } from '../../lib/ops/rollout/observe.ts'
import { planHold } from '../../lib/ops/rollout/plan.ts'
import { rolloutRunbook } from '../../lib/ops/rollout/record.ts'
import { type OpenedRollout, openRollout, rolloutBase } from './opened.ts'

const force = { flags: '--force', description: "also somebody else's", default: false }

export const rolloutHold = defineCommand({
  path: 'rollout hold',
  summary: 'Let nothing go on from the first cluster for a while; soaks go on',
  description: 'A hold with owner, reason and end, as `holds list` shows it. Hotfixes and roll-backs go on.',
  effect: 'write',
  options: [forOption('24h'), whyOption, force],
  examples: ['k8sops rollout hold --for 12h --reason "month end on apps"'],
  runbook: rolloutRunbook,
  async plan(context) {
    const at = await openRollout(context)
    const observed = await observeRollout({ ...at, kube: await at.first.kube(), signal: context.signal })
    refuseForeign(observed.stored.hold, at, context.options.force === true)
    const note = {
      id: operationToken('rollout.hold', new Date(at.now)),
      owner: operatorName(),
      reason: String(context.options.reason).trim() || 'none given',
      since: wholeSeconds(at.now),
      until: untilOf(context.options.for, at.now),
      scope: 'rollout',
    }
    return planHold(await rolloutBase(at, 'rollout.hold', observed, 0), { operation: 'rollout.hold', note })
  },
})

export const rolloutUnhold = defineCommand({
  path: 'rollout unhold',
  summary: 'End the hold of the rollout: what has soaked goes on with the next tick',
  effect: 'write',
  options: [force],
  examples: ['k8sops rollout unhold'],
  runbook: rolloutRunbook,
  async plan(context) {
    const at = await openRollout(context)
    const observed = await observeRollout({ ...at, kube: await at.first.kube(), signal: context.signal })
    refuseForeign(observed.stored.hold, at, context.options.force === true)
    return planHold(await rolloutBase(at, 'rollout.unhold', observed, 0), { operation: 'rollout.unhold', note: null })
  },
})

function refuseForeign(hold: Hold | undefined, { now }: OpenedRollout, forced: boolean): void {
  if (!hold || forced || hold.owner === operatorName() || isExpired(hold, now)) return
  throw new GateError('somebody else holds the rollout', {
    output: holderText(hold, now),
    next: 'ask them, or add --force',
    runbook: rolloutRunbook,
  })
}
