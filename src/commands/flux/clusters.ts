/** What the commands on Flux look at: one cluster, or all of them side by side. */
import type { CommandContext } from '../../lib/cli/define.ts'
import type { Git } from '../../lib/config/source.ts'
import { UnreachableError } from '../../lib/errors.ts'
import { gitPosition, observeFlux } from '../../lib/ops/flux-observe.ts'
import type { ClusterFlux } from '../../lib/ops/flux-status.ts'
import type { FluxKind } from '../../lib/ops/flux-view.ts'
import { quietGit } from '../../lib/repo/revision.ts'
import type { Json } from '../../lib/types.ts'

export type OpenedCluster = Awaited<ReturnType<CommandContext['another']>>

export interface Looked<T> {
  seen: T[]
  /** Clusters that told nothing, and why. */
  away: { cluster: string; detail: string }[]
}

/** Names of the clusters that --cluster means: one, or with `all` every one. */
export async function clusterNames(context: CommandContext, byDefault: 'one' | 'all' = 'one'): Promise<string[]> {
  const wanted = context.options.cluster
  if (wanted === 'all' || (wanted === undefined && byDefault === 'all'))
    return (await context.repository()).clusters.map(({ name }) => name)
  return [(await context.cluster()).name]
}

/** Looks at each cluster at the same time; one that is away does not keep the others waiting, nor does it hide them. */
export async function lookAtClusters<T>(
  context: CommandContext,
  names: string[],
  look: (opened: OpenedCluster, git: Git) => Promise<T>,
): Promise<Looked<T>> {
  const git = sharedGit(context.signal)
  const looked = await Promise.allSettled(
    names.map(async (name) => {
      const opened = await context.another(name)
      return look(opened, git(opened.target.root))
    }),
  )
  const seen = looked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
  const away = looked.flatMap((one, index) =>
    one.status === 'rejected' ? [{ cluster: names[index] ?? '', detail: reasonOf(one.reason) }] : [],
  )
  // A single cluster fails with its own error, which says what to do about it.
  const [only] = looked
  if (names.length === 1 && only?.status === 'rejected') throw only.reason
  for (const { cluster, detail } of away) context.note(`${cluster} tells nothing: ${detail}`)
  return { seen, away }
}

function reasonOf(reason: unknown): string {
  if (!(reason instanceof Error)) return String(reason)
  const detail = 'detail' in reason ? (reason.detail as { output?: string }).output : undefined
  return detail ? `${reason.message}: ${detail}` : reason.message
}

/** Clusters of one repository ask git the same: each question is asked once in a look, since a process costs more than its answer. */
function sharedGit(signal: AbortSignal): (root: string) => Git {
  const asked = new Map<string, ReturnType<Git>>()
  return (root) => (args) => {
    const question = JSON.stringify([root, ...args])
    const answer = asked.get(question) ?? quietGit(root, signal)(args)
    asked.set(question, answer)
    return answer
  }
}

/** @throws UnreachableError when the cluster does not tell */
export async function fluxOf(
  opened: OpenedCluster,
  git: Git,
  signal: AbortSignal,
  kinds?: FluxKind[],
): Promise<ClusterFlux> {
  const { cluster } = opened
  const looking = (async () => {
    const read = await observeFlux(await opened.kube(), signal, kinds)
    if (read.ok) return read.value
    throw new UnreachableError(`Flux of ${cluster.name} can't be read`, {
      output: read.detail,
      next: `k8sops doctor --cluster ${cluster.name}`,
    })
  })()
  const [views, position] = await Promise.all([looking, gitPosition(git, cluster.follows, looking)])
  return { cluster: cluster.name, follows: cluster.follows, views, git: position }
}

export const awayFields = (away: Looked<unknown>['away']): Json => away.map((one) => ({ ...one }))
