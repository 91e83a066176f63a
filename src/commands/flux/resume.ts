import { completeApp } from '../../lib/cli/app-option.ts'
import type { CommandContext } from '../../lib/cli/define.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { scopeOption } from '../../lib/cli/hold-options.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { GateError } from '../../lib/errors.ts'
import { gitIn } from '../../lib/ops/basis.ts'
import type { HoldableView } from '../../lib/ops/flux-choice.ts'
import { holdFacts, holdsRunbook, planRelease } from '../../lib/ops/flux-hold.ts'
import { outstandingLines, outstandingOf } from '../../lib/ops/flux-outstanding.ts'
import { heldBy } from '../../lib/ops/flux-status.ts'
import { type FluxView, idOf } from '../../lib/ops/flux-view.ts'
import { expiredHolds, holdBasis, type Meant, meantObjects, observeHoldable } from './holding.ts'

export const fluxResume = defineCommand({
  path: 'flux resume',
  summary: 'Let Flux go on with what is held; first says what it would apply at once',
  description:
    'Resumes what you hold. With --scope namespace or cluster just what was running when that scope was suspended, no more. What somebody else holds, or has suspended without a note, is refused (exit 3) unless --force. What is suspended in Git stays so.',
  effect: 'write',
  args: { 'app...?': 'applications, or namespaces with --scope namespace' },
  completeArgs: completeApp,
  options: [
    scopeOption,
    { flags: '--force', description: 'also what somebody else has suspended', default: false },
    { flags: '--wait <duration>', description: 'wait so long until all of it is Ready' },
  ],
  examples: [
    'k8sops flux resume coredns --cluster apps',
    'k8sops flux resume coredns --cluster apps --wait 5m',
    'k8sops flux resume --scope cluster --cluster apps --dry-run',
  ],
  runbook: holdsRunbook,
  async plan(context) {
    const { options, rest } = context
    const [cluster, target, views] = await Promise.all([
      context.cluster(),
      context.target(),
      observeHoldable(context, true),
    ])
    const meant = meantObjects(views, rest.app ?? [], options.scope)
    const objects = toResume(meant, options.force === true)
    await tellOutstanding(context, objects, views)
    const expired = expiredHolds(views, Date.now())
    const basis = await holdBasis(context, { objects: holdFacts(objects) })
    const wait = typeof options.wait === 'string' ? { waitSec: parseDurationSec(options.wait) } : {}
    const release = { operation: 'flux.resume', objects, expired, scope: meant.label, ...wait }
    return planRelease({ cluster, target, ...release }, basis)
  },
})

/**
 * What is let go: of an application what is suspended, of a larger scope what was suspended with it.
 * @throws GateError for what Git or somebody else has suspended
 */
function toResume({ scope, label, objects }: Meant, force: boolean): HoldableView[] {
  const suspended = objects.filter((view) => view.suspended || view.hold !== null)
  const ofScope = suspended.filter(({ hold }) => scope === 'app' || hold?.scope === label)
  const inGit = ofScope.filter(({ suspendInGit }) => suspendInGit === true)
  if (inGit.length > 0)
    throw new GateError('Git says that this is suspended', {
      output: inGit.map(idOf).join('\n'),
      next: 'take `suspend: true` out of the manifest',
      runbook: holdsRunbook,
    })
  const foreign = ofScope.filter(({ hold }) => hold?.owner !== operatorName())
  if (foreign.length > 0 && !force)
    throw new GateError('somebody else has suspended this', {
      output: foreign.map((view) => `${idOf(view)}: ${heldBy(view, Date.now())}`).join('\n'),
      next: 'find out why (k8sops holds list), then add --force',
      runbook: holdsRunbook,
    })
  return ofScope
}

/** Before the plan, because it is what an operator decides by. */
export async function tellOutstanding(context: CommandContext, objects: FluxView[], views: FluxView[]): Promise<void> {
  if (objects.length === 0) return
  const [target, exec] = await Promise.all([context.target(), context.exec()])
  const outstanding = await outstandingOf(gitIn(exec, context.signal), target.root, objects, views)
  context.note('Flux would do at once:')
  for (const line of outstandingLines(outstanding)) context.note(`  ${line}`)
}
