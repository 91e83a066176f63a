/** Reads and renders both sides of a change, and says what differs. */
import { loadRepository, type Repository } from '../../config/load.ts'
import type { KubePort } from '../../types.ts'
import { readView } from '../read-view.ts'
import { renderersOf } from '../renderers.ts'
import { branchPoint, checkOut, commitOf } from '../revision.ts'
import { type DifferenceText, differenceText } from './document.ts'
import { type LiveDeletions, liveDeletions } from './live.ts'
import { type DifferenceReport, differenceReport, isEmpty, type Side } from './report.ts'

export interface CompareRequest {
  repository: Repository
  /** `BASE`, `BASE..HEAD`, or undefined for where the branch left the main line. */
  range: string | undefined
  /** Names of clusters. */
  clusters: string[]
  env: NodeJS.ProcessEnv
  signal: AbortSignal
  /** The live state of a cluster, when it is to be looked at. */
  live?: (cluster: string) => Promise<KubePort>
}

/** @throws UsageError for a commit that is not there; what a file says wrong makes its owner unknown, and stops nothing */
export async function compareRevisions(request: CompareRequest): Promise<{ text: DifferenceText; isEmpty: boolean }> {
  const { root } = request.repository
  const [from, to] = request.range?.split(/\.{2,3}/) ?? []
  const base = from ? await commitOf(root, from) : await branchPoint(root)
  const head = to ? await commitOf(root, to) : undefined
  const [before, after] = await Promise.all([
    commitSide(request, base, from ?? base.slice(0, 9)),
    head ? commitSide(request, head, to ?? '') : side(request, request.repository, 'the working tree'),
  ])
  const report = differenceReport(before, after)
  const live = await Promise.all(report.clusters.map((cluster) => liveOf(request, cluster)))
  return { text: differenceText(report, live), isEmpty: isEmpty(report) }
}

async function commitSide(request: CompareRequest, commit: string, name: string): Promise<Side> {
  const files = await checkOut(request.repository.root, commit)
  try {
    return await side(request, await loadRepository(files.root), name)
  } finally {
    files.remove()
  }
}

async function side({ clusters, env, signal }: CompareRequest, repository: Repository, name: string): Promise<Side> {
  const wanted = repository.clusters.filter((cluster) => clusters.includes(cluster.name))
  const { view } = await readView(repository, wanted, renderersOf(repository.root, env, signal))
  return { name, view }
}

/** A cluster that cannot be reached leaves what Git says, and is said to be. */
async function liveOf(
  { live, signal }: CompareRequest,
  report: DifferenceReport['clusters'][number],
): Promise<LiveDeletions> {
  try {
    return await liveDeletions(report, await live?.(report.cluster), signal)
  } catch (error) {
    const unreachable = error instanceof Error ? error.message : String(error)
    return { ...(await liveDeletions(report, undefined)), unreachable }
  }
}
