/** `holds extend|release|expire`: holds on Flux objects, and the nodes that stand in the same list. */
import { defineCommand } from '../../lib/cli/define.ts'
import { forOption, untilOf } from '../../lib/cli/hold-options.ts'
import { UsageError } from '../../lib/errors.ts'
import type { HoldableView } from '../../lib/ops/flux-choice.ts'
import { holdFacts, holdsRunbook, planExtend, planRelease } from '../../lib/ops/flux-hold.ts'
import { fluxKinds } from '../../lib/ops/flux-view.ts'
import { heldObjects } from '../../lib/ops/holds.ts'
import { expiredHolds, holdBasis, observeHoldable } from '../flux/holding.ts'
import { letGo, refuseForeign } from '../flux/releasing.ts'

const holdArgument = { 'hold...': 'as `holds list` names them: app/odoo, or the id' }
const force = { flags: '--force', description: "also somebody else's", default: false }

export const holdsExtend = defineCommand({
  path: 'holds extend',
  summary: 'Let a hold last longer, counted from now',
  effect: 'write',
  args: holdArgument,
  options: [forOption('2h'), force],
  examples: ['k8sops holds extend app/coredns --for 4h --cluster apps'],
  runbook: holdsRunbook,
  async plan(context) {
    const { options, rest } = context
    const { cluster, target, views } = await observeHoldable(context)
    const objects = heldObjects(views, namesOf(rest.hold))
    refuseForeign(objects, options.force === true)
    const until = untilOf(options.for, Date.now())
    const basis = await holdBasis(context, { objects: holdFacts(objects) })
    return planExtend({ cluster, target, objects, until, scope: lockName(objects) }, basis)
  },
})

export const holdsRelease = defineCommand({
  path: 'holds release',
  summary: 'End a hold: what it held goes on',
  description: 'The same as `flux resume`, by the name or id of the hold. A node is brought back with `node uncordon`.',
  effect: 'write',
  args: holdArgument,
  options: [force],
  examples: ['k8sops holds release app/coredns --cluster apps', 'k8sops holds release 3f9c --cluster apps'],
  runbook: holdsRunbook,
  async plan(context) {
    const { options, rest } = context
    const seen = await observeHoldable(context, fluxKinds)
    const objects = heldObjects(seen.views, namesOf(rest.hold))
    refuseForeign(objects, options.force === true)
    return letGo(context, seen, { operation: 'holds.release', objects, expired: [], scope: lockName(objects) })
  },
})

export const holdsExpire = defineCommand({
  path: 'holds expire',
  summary: 'End the holds whose time is up',
  description:
    'What a CronJob does every ten minutes, and every `flux suspend` and `flux resume` along the way. While the namespace or the cluster around it is held, a hold ends together with that.',
  effect: 'write',
  examples: ['k8sops holds expire --cluster apps', 'k8sops holds expire --cluster apps --dry-run'],
  runbook: holdsRunbook,
  async plan(context) {
    const { cluster, target, views } = await observeHoldable(context)
    const expired = expiredHolds(views, Date.now())
    const basis = await holdBasis(context, { objects: holdFacts(expired) })
    return planRelease({ cluster, target, operation: 'holds.expire', objects: [], expired, scope: 'holds' }, basis)
  },
})

/** @throws UsageError for what stands in the list, but is brought back otherwise */
function namesOf(names: string[] = []): string[] {
  const nodes = names.filter((name) => name.startsWith('node/'))
  if (nodes.length > 0)
    throw new UsageError(`${nodes.join(', ')}: nodes are held until they are brought back`, {
      next: `k8sops node uncordon ${nodes.map((name) => name.slice('node/'.length)).join(' ')}`,
    })
  if (names.includes('rollout'))
    throw new UsageError('the rollout is held by itself', { next: 'k8sops rollout unhold, or rollout hold --for TIME' })
  return names
}

/** The lock of what the hold was taken for. */
const lockName = (objects: HoldableView[]): string =>
  [...new Set(objects.map(({ hold }) => hold?.scope ?? ''))]
    .toSorted()
    .join('-')
    .replaceAll(/[^\w./-]/g, '-')
