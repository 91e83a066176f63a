import { completeApp } from '../../lib/cli/app-option.ts'
import { defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { scopeOption } from '../../lib/cli/hold-options.ts'
import { GateError } from '../../lib/errors.ts'
import type { HoldableView } from '../../lib/ops/flux-choice.ts'
import { holdsRunbook } from '../../lib/ops/flux-hold.ts'
import { idOf } from '../../lib/ops/flux-view.ts'
import { expiredHolds, type Meant, meantObjects, observeHoldable } from './holding.ts'
import { letGo, refuseForeign } from './releasing.ts'

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
    const seen = await observeHoldable(context)
    const meant = meantObjects(seen.views, rest.app ?? [], options.scope)
    const objects = toResume(meant)
    refuseForeign(objects, options.force === true)
    const expired = expiredHolds(seen.views, Date.now())
    const wait = typeof options.wait === 'string' ? { waitSec: parseDurationSec(options.wait) } : {}
    return letGo(context, seen, { operation: 'flux.resume', objects, expired, scope: meant.label, ...wait })
  },
})

/**
 * What is let go: of an application what is suspended, of a larger scope what was suspended with it.
 * @throws GateError for what is suspended in Git
 */
function toResume({ scope, label, objects }: Meant): HoldableView[] {
  const suspended = objects.filter((view) => view.suspended || view.hold !== null)
  const ofScope = suspended.filter(({ hold }) => scope === 'app' || hold?.scope === label)
  const inGit = ofScope.filter(({ suspendInGit }) => suspendInGit === true)
  if (inGit.length > 0)
    throw new GateError('Git says that this is suspended', {
      output: inGit.map(idOf).join('\n'),
      next: 'take `suspend: true` out of the manifest',
      runbook: holdsRunbook,
    })
  return ofScope
}
