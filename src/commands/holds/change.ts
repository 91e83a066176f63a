/** `holds extend|release|expire`: holds on Flux objects, bypassed namespaces and resting OSDs, and the nodes that stand in the same list. */

import type { CommandContext } from '../../lib/cli/define.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { forOption, untilOf } from '../../lib/cli/hold-options.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { UnreachableError, UsageError } from '../../lib/errors.ts'
import { expiredRests, type RestView, restFacts, restingNodes, wakeSteps } from '../../lib/ops/ceph-maintenance.ts'
import type { HoldableView } from '../../lib/ops/flux-choice.ts'
import { holdFacts, holdsRunbook, planExtend, planRelease } from '../../lib/ops/flux-hold.ts'
import { heldObjects, namedHolds } from '../../lib/ops/holds.ts'
import {
  bypassFacts,
  expiredBypasses,
  extendBypassSteps,
  refuseForeignBypass,
  restoreSteps,
} from '../../lib/ops/netpol-bypass.ts'
import { expiredHolds, holdBasis, observeHoldable } from '../flux/holding.ts'
import { letGo, refuseForeign } from '../flux/releasing.ts'
import { observeNamespaces } from '../netpol/observe.ts'

const holdArgument = { 'hold...': 'as `holds list` names them: app/odoo, policy/business, or the id' }
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
    const { options } = context
    const [{ cluster, target, views }, named] = await Promise.all([observeHoldable(context), bypassesNamed(context)])
    const objects = heldObjects(views, named.others)
    refuseForeign(objects, options.force === true)
    const until = untilOf(options.for, Date.now())
    const observed = { objects: holdFacts(objects), bypassed: bypassFacts(named.bypassed) }
    const scope = lockName(objects, named.scopes)
    const plan = planExtend({ cluster, target, objects, until, scope }, await holdBasis(context, observed))
    return { ...plan, steps: [...plan.steps, ...extendBypassSteps({ cluster, target }, named.bypassed, until)] }
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
    const [seen, named] = await Promise.all([observeHoldable(context), bypassesNamed(context)])
    const objects = heldObjects(seen.views, named.others)
    refuseForeign(objects, context.options.force === true)
    const scope = lockName(objects, named.scopes)
    const plan = await letGo(context, seen, { operation: 'holds.release', objects, expired: [], scope })
    return { ...plan, steps: [...plan.steps, ...restoreSteps(seen, named.bypassed, 'restore')] }
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
    const [{ cluster, target, views }, { bypassed }, nodes] = await Promise.all([
      observeHoldable(context),
      observeNamespaces(context),
      restingOf(context),
    ])
    const now = Date.now()
    const [expired, open, resting] = [
      expiredHolds(views, now),
      expiredBypasses(bypassed, now),
      expiredRests(nodes, now),
    ]
    const observed = { objects: holdFacts(expired), bypassed: bypassFacts(open), resting: restFacts(resting, now) }
    const basis = await holdBasis(context, observed)
    const release = { cluster, target, operation: 'holds.expire', objects: [], expired, scope: 'holds' }
    const plan = planRelease(release, basis)
    const others = [...restoreSteps(release, open, 'expired'), ...wakeSteps(release, resting, 'expired')]
    return { ...plan, steps: [...plan.steps, ...others] }
  },
})

async function restingOf(context: CommandContext): Promise<RestView[]> {
  const read = await (await context.kube()).list({ apiVersion: 'v1', kind: 'Node' }, context.signal)
  if (read.ok) return restingNodes(read.value)
  throw new UnreachableError(`nodes of ${(await context.cluster()).name} can't be read`, { output: read.detail })
}

/**
 * What is named is a bypassed namespace, or a hold on Flux objects.
 * @throws UsageError for nodes, which are brought back otherwise; GateError for a bypass of somebody else
 */
async function bypassesNamed(context: CommandContext) {
  const names = context.rest.hold ?? []
  const nodes = names.filter((name) => name.startsWith('node/'))
  if (nodes.length > 0)
    throw new UsageError(`${nodes.join(', ')}: nodes are held until they are brought back`, {
      next: `k8sops node uncordon ${nodes.map((name) => name.slice('node/'.length)).join(' ')}`,
    })
  const resting = names.filter((name) => name.startsWith('ceph/'))
  if (resting.length > 0)
    throw new UsageError(`${resting.join(', ')}: OSDs at rest are let go, or held longer, by their own command`, {
      next: resting.map((name) => `k8sops ceph maintenance ${name.slice('ceph/'.length)} off`).join('; '),
    })
  if (names.includes('rollout'))
    throw new UsageError('the rollout is held by itself', { next: 'k8sops rollout unhold, or rollout hold --for TIME' })
  const { bypassed } = await observeNamespaces(context)
  const named = namedHolds(bypassed, names)
  if (context.options.force !== true) refuseForeignBypass(named.bypassed, operatorName(), Date.now())
  return named
}

/** The lock of what the hold was taken for. */
const lockName = (objects: HoldableView[], others: string[]): string =>
  [...new Set([...objects.map(({ hold }) => hold?.scope ?? ''), ...others])]
    .toSorted()
    .join('-')
    .replaceAll(/[^\w./-]/g, '-')
