/** How `flux resume` and `holds release` let go of what is held. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { GateError } from '../../lib/errors.ts'
import { gitIn } from '../../lib/ops/basis.ts'
import type { HoldableView } from '../../lib/ops/flux-choice.ts'
import { holdFacts, holdsRunbook, planRelease } from '../../lib/ops/flux-hold.ts'
import { outstandingLines, outstandingOf } from '../../lib/ops/flux-outstanding.ts'
import { heldBy } from '../../lib/ops/flux-status.ts'
import { type FluxView, fluxKinds, idOf } from '../../lib/ops/flux-view.ts'
import { holderText } from '../../lib/ops/hold.ts'
import type { Plan } from '../../lib/types.ts'
import { type Holdable, holdBasis, observeHoldable } from './holding.ts'

export interface Letting {
  operation: 'flux.resume' | 'holds.release'
  objects: HoldableView[]
  /** Holds of others whose time is up, which end with it. */
  expired: HoldableView[]
  /** The lock of what the hold was taken for. */
  scope: string
  /** Wait so long until all of it is Ready. */
  waitSec?: number
}

/** Tells what Flux would do at once, which is what an operator decides by, and plans it. */
export async function letGo(context: CommandContext, { cluster, target }: Holdable, letting: Letting): Promise<Plan> {
  const [basis] = await Promise.all([
    holdBasis(context, { objects: holdFacts(letting.objects) }),
    letting.objects.length > 0 ? tellOutstanding(context, target.root, letting.objects) : undefined,
  ])
  return planRelease({ cluster, target, ...letting }, basis)
}

async function tellOutstanding(context: CommandContext, root: string, objects: FluxView[]): Promise<void> {
  const named = new Set(objects.map(({ source }) => source?.kind))
  const { views } = await observeHoldable(
    context,
    fluxKinds.filter((kind) => named.has(kind)),
  )
  const outstanding = await outstandingOf(gitIn(await context.exec(), context.signal), root, objects, views)
  context.note('Flux would do at once:')
  for (const line of outstandingLines(outstanding)) context.note(`  ${line}`)
}

/** @throws GateError for what somebody else holds, or has suspended without a note, unless it is forced */
export function refuseForeign(objects: HoldableView[], forced: boolean): void {
  const foreign = objects.filter(({ hold }) => hold?.owner !== operatorName())
  if (foreign.length === 0 || forced) return
  const now = Date.now()
  const holderOf = (view: HoldableView) => (view.hold ? holderText(view.hold, now) : heldBy(view, now))
  throw new GateError('somebody else holds this', {
    output: foreign.map((view) => `${idOf(view)}: ${holderOf(view)}`).join('\n'),
    next: 'find out why (k8sops holds list), then add --force',
    runbook: holdsRunbook,
  })
}
