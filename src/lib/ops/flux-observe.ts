/** Reads Flux' objects of one cluster, reduced page by page, and how far their revisions are from git. */
import type { Git } from '../config/source.ts'
import type { KubePort, Result } from '../types.ts'
import { commitOf, type FluxKind, type FluxView, fluxKinds, fluxRef, fluxView, reducedFluxObject } from './flux-view.ts'

/** All objects of `kinds`. A kind that is not served has none; anything else that can't be read is why nothing is told. */
export async function observeFlux(
  kube: KubePort,
  signal: AbortSignal,
  kinds: FluxKind[] = fluxKinds,
): Promise<Result<FluxView[]>> {
  const reads = await Promise.all(
    kinds.map(async (kind) => {
      const read = await kube.list(fluxRef(kind), signal, reducedFluxObject)
      return read.ok ? { ok: true as const, value: read.value.map(fluxView) } : read
    }),
  )
  const failed = reads.find((read) => !read.ok && read.why !== 'not-found')
  if (failed && !failed.ok) return failed
  return { ok: true, value: reads.flatMap((read) => (read.ok ? read.value : [])) }
}

/** How far a commit is from the branch that a cluster follows. */
export interface Distance {
  behind: number
  /** Commits that the branch does not have: a branch that was forced, or one that was not fetched here. */
  ahead: number
}

export interface GitPosition {
  /** `origin/main`; undefined when this repository does not have the branch. */
  ref: string | undefined
  /** By commit; one that this repository does not know is missing. */
  distances: Map<string, Distance>
}

/**
 * Compares every commit that the objects run with the branch: the remote's where it is known here, as Flux pulls that one.
 * @param looking the objects, which need not be there yet
 */
export async function gitPosition(git: Git, follows: string, looking: Promise<FluxView[]>): Promise<GitPosition> {
  const distances = new Map<string, Distance>()
  const [branch, views] = await Promise.all([branchOf(git, follows), looking])
  if (branch === undefined) return { ref: branch, distances }
  const { ref, tip } = branch
  const commits = new Set(views.flatMap(({ revision }) => commitOf(revision) ?? []))
  await Promise.all(
    [...commits].map(async (commit) => {
      if (commit === tip) return distances.set(commit, { behind: 0, ahead: 0 })
      const counted = await git(['rev-list', '--left-right', '--count', `${commit}...${ref}`])
      const [, ahead, behind] = /^(\d+)\s+(\d+)/.exec(counted.stdout) ?? []
      if (counted.exitCode === 0 && behind !== undefined)
        distances.set(commit, { behind: Number(behind), ahead: Number(ahead) })
    }),
  )
  return { ref: ref.replace(/^refs\/(remotes|heads)\//, ''), distances }
}

/** The remote's branch, which is what Flux pulls, else ours. Asked for all branches at once, so that clusters that follow others ask the same. */
async function branchOf(git: Git, follows: string): Promise<{ ref: string; tip: string } | undefined> {
  const candidates = [`refs/remotes/origin/${follows}`, `refs/heads/${follows}`]
  const { stdout } = await git([
    'for-each-ref',
    '--format=%(refname) %(objectname)',
    'refs/remotes/origin',
    'refs/heads',
  ])
  const tips = new Map(stdout.split('\n').map((line) => line.split(' ') as [string, string]))
  const ref = candidates.find((candidate) => tips.has(candidate))
  return ref === undefined ? undefined : { ref, tip: tips.get(ref) ?? '' }
}
