/** What the commands of the rollout have in common: the clusters in their order, git beside them, and one look at all of it. */
import { type CommandContext, type OptionSpec, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import type { Git } from '../../lib/config/source.ts'
import { UsageError } from '../../lib/errors.ts'
import { checksNamed } from '../../lib/gates/own-params.ts'
import { basisOf } from '../../lib/ops/basis.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { type RolloutClusters, remote, rolloutClusters } from '../../lib/ops/rollout/branches.ts'
import type { Decision } from '../../lib/ops/rollout/decide.ts'
import { gapLimitMs, type Stretch, withSample } from '../../lib/ops/rollout/evidence.ts'
import { decided, type Observed, observeCluster, observeRollout, short } from '../../lib/ops/rollout/observe.ts'
import type { RolloutBase } from '../../lib/ops/rollout/plan.ts'
import type { RolloutRecord } from '../../lib/ops/rollout/record.ts'
import { sampleOf } from '../../lib/ops/rollout/sample.ts'
import { layout } from '../../lib/repo/layout.ts'
import { quietGit } from '../../lib/repo/revision.ts'
import { pinnedVersion, toolNamed } from '../../lib/tools/catalog.ts'
import { githubAccess, githubRepository } from '../../lib/tools/github.ts'
import type { Json, RolloutPolicy } from '../../lib/types.ts'
import type { OpenedCluster } from '../flux/clusters.ts'

export interface OpenedRollout {
  clusters: RolloutClusters
  policy: RolloutPolicy
  first: OpenedCluster
  git: Git
  /** Milliseconds since 1970. */
  now: number
  timeScale: number
  env: NodeJS.ProcessEnv
}

/** @throws UsageError or ConfigError when the repository has no rollout */
export async function openRollout(context: CommandContext): Promise<OpenedRollout> {
  const { rollout, clusters } = await context.repository()
  const inOrder = rolloutClusters(clusters, rollout)
  const first = await context.another(inOrder.first.name)
  return {
    clusters: inOrder,
    policy: rollout,
    first,
    git: quietGit(first.target.root, context.signal),
    now: context.now(),
    timeScale: first.target.timeScale,
    env: context.env,
  }
}

export interface Situation extends Observed {
  decision: Decision
}

export interface Recorded extends Situation {
  record: RolloutRecord
}

/** By what the record has. */
export async function situationOf(context: CommandContext, at: OpenedRollout): Promise<Recorded> {
  const observed = await observedBy(context, at)
  return decidedOn(at, observed, observed.stored.record.stretches)
}

/** With a look at the first cluster now, which the record does not have yet. */
export async function situationNow(context: CommandContext, at: OpenedRollout) {
  const observed = await observedBy(context, at)
  const { sample, restarts } = await look(context, at, observed)
  const stretches = withSample(observed.stored.record.stretches, sample, gapLimitMs(at.policy, at.timeScale))
  return { situation: await decidedOn(at, observed, stretches), sample, restarts }
}

async function observedBy({ signal }: CommandContext, { first, git, clusters, policy, now }: OpenedRollout) {
  return observeRollout({ git, clusters, policy, kube: await first.kube(), signal, now })
}

async function decidedOn(
  { git, policy, timeScale }: OpenedRollout,
  observed: Observed,
  stretches: Stretch[],
): Promise<Recorded> {
  const decision = await decided({ git, policy }, observed, stretches, timeScale)
  return { ...observed, decision, record: { ...observed.stored.record, stretches } }
}

/** Looks at the first cluster now. */
export async function look(context: CommandContext, at: OpenedRollout, { stored }: Observed) {
  const { first, policy, now } = at
  const [kube, gates] = await Promise.all([first.kube(), first.gates()])
  const checks = checksNamed(policy.gates, { cluster: first.cluster, nodes: first.cluster.nodes, given: {} })
  const evaluate = (wanted: typeof checks) => gates.evaluateAll(wanted, context.signal)
  const seen = await observeCluster(kube, checks, evaluate, context.signal)
  return sampleOf(seen, {
    at: new Date(now).toISOString(),
    restartsBefore: stored.record.restarts ?? undefined,
    restartLimit: policy.restarts,
  })
}

/** What every plan of the rollout begins with. */
export async function rolloutBase(
  at: OpenedRollout,
  operation: string,
  { stored, branches }: Observed,
  waitSec: number,
  observed: { [name: string]: Json } = {},
): Promise<RolloutBase> {
  const { first, clusters, policy, timeScale, now } = at
  const { main, release } = branches
  const files = { tools: { kubectl: pinnedVersion(toolNamed('kubectl')) }, paths: [layout.repositoryFile] }
  const github = await githubOf(at)
  return {
    context: first.target.context,
    clusters,
    policy,
    timeScale,
    stored,
    token: operationToken(operation, new Date(now)),
    basis: await basisOf(await first.exec(), first.target, files, { main, release, ...observed }),
    liveLimitSec: waitSec,
    ...(github ? { github } : {}),
  }
}

/** Where a check on the commit can be shown as well. */
async function githubOf({ git, env }: OpenedRollout): Promise<string | undefined> {
  if (!githubAccess(env)) return undefined
  const { exitCode, stdout } = await git(['remote', 'get-url', remote])
  return exitCode === 0 ? githubRepository(stdout, hostOf(env.GITHUB_SERVER_URL)) : undefined
}

const hostOf = (url: string | undefined) => (url && URL.canParse(url) ? new URL(url).hostname : undefined)

/** Says what waits, and for what. */
export function tellWaiting(
  context: CommandContext,
  { decision: { commits, blocked } }: Pick<Situation, 'decision'>,
): void {
  for (const line of blocked) context.note(`nothing goes on: ${line}`)
  for (const { sha, subject, waits } of commits)
    if (waits.length > 0) context.note(`${short(sha)} ${subject}: ${waits.join('; ')}`)
}

/** How long a command waits for the clusters behind. */
export const waitOption: OptionSpec = {
  flags: '--wait <duration>',
  description: 'how long the clusters behind get to be Ready',
  default: '30m',
}

export const waitSecOf = ({ options }: CommandContext): number => parseDurationSec(String(options.wait))

/** @throws UsageError without one: it stays on the commit */
export function reasonOf({ options }: CommandContext, why: string): string {
  const reason = textOption(options.reason)?.trim()
  if (reason) return reason
  throw new UsageError('--reason is missing', { next: `say in a few words ${why}` })
}
