/** Reads and renders both sides of a change, and says what differs. */
import { loadRepository, type Repository } from '../../config/load.ts'
import type { KubePort } from '../../types.ts'
import { affectsEverything } from '../affected.ts'
import { layout } from '../layout.ts'
import { listCluster, renderPart } from '../part-render.ts'
import { type Renderers, readClusters } from '../read-view.ts'
import { renderersOf } from '../renderers.ts'
import { branchPoint, changedFiles, checkOut, commitOf } from '../revision.ts'
import type { ClusterView } from '../rules/view.ts'
import { filesByPath, lookedAt, readSourceFiles, type SourceFile } from '../source-files.ts'
import { type DifferenceText, differenceText } from './document.ts'
import { type LiveDeletions, liveDeletions } from './live.ts'
import { comparedKustomizations, type ListedSide } from './part.ts'
import { type DifferenceReport, differenceReport, isEmpty } from './report.ts'

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
  const read = (repository: Repository, remove = () => {}) => treeOf(repository, remove, request)
  const checkedOut = async (commit: string) => {
    const { root: own, remove } = await checkOut(root, commit, [...lookedAt, layout.chartRecords, layout.schemaTables])
    return read(await loadRepository(own), remove)
  }
  const [before, after] = await Promise.all([checkedOut(base), head ? checkedOut(head) : read(request.repository)])
  try {
    const changed = await changedFiles(root, base, head)
    const pairs = await Promise.all(
      request.clusters.map(async (name) =>
        affectsEverything(changed)
          ? await Promise.all([before, after].map((tree) => wholeCluster(tree, name)))
          : await partOfCluster([before, after], name, changed),
      ),
    )
    const report = differenceReport(
      { name: from ?? base.slice(0, 9), files: before.files, clusters: pairs.flatMap(([old]) => old ?? []) },
      {
        name: head ? (to ?? '') : 'the working tree',
        files: after.files,
        clusters: pairs.flatMap(([, now]) => now ?? []),
      },
    )
    const live = await Promise.all(report.clusters.map((cluster) => liveOf(request, cluster)))
    return { text: differenceText(report, live), isEmpty: isEmpty(report) }
  } finally {
    before.remove()
    after.remove()
  }
}

interface Tree {
  repository: Repository
  files: SourceFile[]
  byPath: ReadonlyMap<string, SourceFile>
  renderers: Renderers
  remove: () => void
}

function treeOf(repository: Repository, remove: () => void, { env, signal }: CompareRequest): Tree {
  const files = readSourceFiles(repository.root)
  const byPath = filesByPath(files)
  return { repository, files, byPath, renderers: renderersOf(repository.root, env, signal), remove }
}

const clusterOf = ({ repository }: Tree, name: string) => repository.clusters.find((one) => one.name === name)

async function wholeCluster(tree: Tree, name: string): Promise<ClusterView | undefined> {
  const cluster = clusterOf(tree, name)
  if (!cluster) return undefined
  const [one] = await readClusters(tree.repository.root, [cluster], tree.renderers, { files: tree.files })
  return one?.view
}

/** Only what can differ, when both sides have the cluster. */
async function partOfCluster(
  sides: readonly [Tree, Tree],
  name: string,
  changed: readonly string[],
): Promise<(ClusterView | undefined)[]> {
  if (!sides.every((tree) => clusterOf(tree, name))) return Promise.all(sides.map((tree) => wholeCluster(tree, name)))
  const list = async ({ repository: { root }, renderers, byPath }: Tree): Promise<ListedSide> => ({
    files: byPath,
    listed: await listCluster(root, name, renderers, byPath),
  })
  const listed = await Promise.all([list(sides[0]), list(sides[1])])
  const names = comparedKustomizations(changed, listed)
  return Promise.all(
    sides.map(async (tree, index) => {
      const cluster = clusterOf(tree, name)
      if (!cluster) return undefined
      const part = { listed: listed[index]?.listed ?? [], isChosen: (own: string) => names.has(own) }
      const [one] = await readClusters(tree.repository.root, [cluster], tree.renderers, {
        files: tree.files,
        render: (_, tools) => renderPart(tree.repository.root, name, part, tools, tree.byPath),
      })
      return one?.view
    }),
  )
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
