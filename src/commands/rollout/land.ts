/** What is made on the release itself: `rollout rollback`, and `rollout hotfix start|land`. */
import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { GateError, UsageError } from '../../lib/errors.ts'
import { isAncestor, lines, remote, trackingRef } from '../../lib/ops/rollout/branches.ts'
import { revertCommit, takeBackCommit } from '../../lib/ops/rollout/landing.ts'
import { type Observed, observeRollout, short } from '../../lib/ops/rollout/observe.ts'
import { planBranch, planLanding } from '../../lib/ops/rollout/plan.ts'
import { rolloutRunbook } from '../../lib/ops/rollout/record.ts'
import { statementOn } from '../../lib/ops/rollout/released.ts'
import { commitOf } from '../../lib/repo/revision.ts'
import type { Plan } from '../../lib/types.ts'
import { type OpenedRollout, openRollout, reasonOf, rolloutBase, waitOption, waitSecOf } from './opened.ts'

const reasonOption = { flags: '--reason <text>', description: 'why; it stays on the commit' }

export const rolloutRollback = defineCommand({
  path: 'rollout rollback',
  summary: 'Take back what was released: the clusters behind run again what they ran before',
  description:
    'Makes a commit on the release whose files are those of an earlier one, moves the release forward to it, and has main take it in by a merge commit, so that the first cluster goes back as well. What waits on main stays as it is.',
  effect: 'write',
  options: [
    { flags: '--to <commit>', description: 'an earlier commit of the release (default: where the last release began)' },
    reasonOption,
    waitOption,
  ],
  examples: [
    'k8sops rollout rollback --reason "odoo does not start"',
    'k8sops rollout rollback --to 3f9c1a2 --reason "..."',
  ],
  runbook: rolloutRunbook,
  confirm: ({ params: { release, back } }: Plan) =>
    `Take ${String(release)} back to the files of ${short(String(back))}?`,
  async plan(context) {
    const reason = reasonOf(context, 'what is wrong with what was released')
    const { at, observed } = await observe(context)
    const { release } = observed.branches
    const wanted = textOption(context.options.to)
    const back = wanted ? await commitOf(at.first.target.root, wanted) : await beforeLast(at, release)
    if (!(await isAncestor(at.git, back, release)))
      throw new UsageError(`${short(back)} is not in ${at.clusters.release}`, { next: 'k8sops rollout history' })
    for (const line of await lines(at.git, ['log', '--format=%h %s', '--first-parent', `${back}..${release}`]))
      context.note(`takes back ${line}`)
    const to = await revertCommit(at.git, release, back, reason)
    return landing(context, at, observed, {
      kind: 'rollback',
      operation: 'rollout.rollback',
      to,
      reason,
      subject: `back to ${short(back)}`,
      params: { back },
    })
  },
})

export const rolloutHotfixStart = defineCommand({
  path: 'rollout hotfix start',
  summary: 'Make a branch at what the clusters behind run, for a change that can not wait',
  effect: 'write',
  args: { name: 'of the hotfix; its branch is hotfix/NAME' },
  examples: ['k8sops rollout hotfix start odoo-memory'],
  runbook: rolloutRunbook,
  async plan(context) {
    const { at, observed } = await observe(context)
    const branch = branchOf(context)
    const there = await at.git(['ls-remote', '--exit-code', remote, `refs/heads/${branch}`])
    if (there.exitCode === 0)
      throw new UsageError(`${remote} has a branch ${branch} already`, { next: `git switch ${branch}` })
    context.note(`then: git fetch ${remote} && git switch ${branch}, commit, push, have it reviewed, and`)
    context.note(`      k8sops rollout hotfix land ${context.args.name}`)
    return planBranch(await rolloutBase(at, 'rollout.hotfix.start', observed, 0), branch, observed.branches.release)
  },
})

export const rolloutHotfixLand = defineCommand({
  path: 'rollout hotfix land',
  summary: 'Release a hotfix: that very commit, and nothing that has not soaked comes along',
  description:
    'After review. Moves the release forward to the tip of hotfix/NAME and has main take it in by a merge commit; what waits on main keeps the soak that it has earned.',
  effect: 'write',
  args: { name: 'of the hotfix; its branch is hotfix/NAME' },
  options: [reasonOption, waitOption],
  examples: ['k8sops rollout hotfix land odoo-memory --reason "odoo is killed for its memory"'],
  runbook: rolloutRunbook,
  confirm: ({ params: { branch, commits } }: Plan) =>
    `Release ${String(branch)} (${(commits as string[]).length === 1 ? 'one commit' : `${(commits as string[]).length} commits`}), which has not soaked?`,
  async plan(context) {
    const reason = reasonOf(context, 'why it can not wait')
    const { at, observed } = await observe(context)
    const branch = branchOf(context)
    const to = await commitOf(at.first.target.root, trackingRef(branch))
    const { release } = observed.branches
    if (to === release) throw new UsageError(`${branch} has nothing that ${at.clusters.release} does not have`)
    if (!(await isAncestor(at.git, release, to)))
      throw new GateError(`${branch} does not follow from ${at.clusters.release}`, {
        next: `git switch ${branch} && git rebase ${remote}/${at.clusters.release} && git push --force-with-lease`,
        runbook: rolloutRunbook,
      })
    const commits = await lines(at.git, ['log', '--format=%h %s', `${release}..${to}`])
    for (const line of commits) context.note(`releases ${line}`)
    const [subject = branch] = await lines(at.git, ['log', '-1', '--format=%s', to])
    return landing(context, at, observed, {
      kind: 'hotfix',
      operation: 'rollout.hotfix.land',
      to,
      reason,
      subject,
      params: { branch, commits },
    })
  },
})

async function observe(context: CommandContext): Promise<{ at: OpenedRollout; observed: Observed }> {
  const at = await openRollout(context)
  const observed = await observeRollout({ ...at, kube: await at.first.kube(), signal: context.signal })
  if (observed.forced)
    throw new GateError('nothing is released', { output: observed.blocked.join('\n'), runbook: rolloutRunbook })
  return { at, observed }
}

function branchOf({ args }: CommandContext): string {
  const { name = '' } = args
  if (!/^[a-z0-9][a-z0-9._-]*$/i.test(name))
    throw new UsageError(`${name} is no name for a hotfix`, { next: 'letters, digits, . _ -' })
  return `hotfix/${name}`
}

/** Where the promotion began that led to the release's tip. */
async function beforeLast({ git, clusters }: OpenedRollout, release: string): Promise<string> {
  const { predicate } = await statementOn(git, release).catch(() => {
    throw new UsageError(`nothing tells what ${clusters.release} was before ${short(release)}`, {
      next: 'name a commit: --to COMMIT',
    })
  })
  return predicate.promotion.from
}

interface LandingRequest {
  kind: 'hotfix' | 'rollback'
  operation: string
  to: string
  reason: string
  /** Of the merge commit. */
  subject: string
  params: Plan['params']
}

async function landing(
  context: CommandContext,
  at: OpenedRollout,
  observed: Observed,
  request: LandingRequest,
): Promise<Plan> {
  const { kind, operation, to, reason, subject, params } = request
  const { main, release } = observed.branches
  const takeBack = await takeBackCommit(at.git, main, to, subject)
  if (takeBack === 'conflict')
    context.note(`${at.clusters.main} needs a person to take it in: git merge ${to}, once it is released`)
  const base = await rolloutBase(at, operation, observed, waitSecOf(context))
  return planLanding(base, {
    operation,
    params: { release: at.clusters.release, to, reason, ...params },
    promotion: {
      kind,
      from: release,
      to,
      by: operatorName(),
      reason,
      unsoaked: [],
      at: new Date(at.now).toISOString(),
    },
    takeBack: takeBack && takeBack !== 'conflict' ? { from: main, to: takeBack.commit } : null,
  })
}
