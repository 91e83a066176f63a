/** Reads a repository into what the rules look at, rendering its clusters side by side. */
import { checkRepository, openRepository, type Repository } from '../config/load.ts'
import type { Cluster, Problem } from '../types.ts'
import type { Kustomize } from './build.ts'
import { type RenderedCluster, renderWithFlate } from './flate-render.ts'
import type { FlateCluster } from './flate-show.ts'
import { trustedRegistries } from './rules/registries.ts'
import { type ClusterView, clusterView, type RepositoryView } from './rules/view.ts'
import { readSchemaTables } from './schema-tables.ts'
import { filesByPath, readSourceFiles, type SourceFile } from './source-files.ts'

/** What renders, each a program outside. */
export interface Renderers {
  /** Of one cluster, whose Kubernetes version decides what charts see. */
  flate: (cluster: Cluster) => FlateCluster
  kustomize: Kustomize
  /** Of the program, with its version in it, when what it builds may be remembered. */
  kustomizePath?: string
}

/** How much of a cluster was rendered, for the summary: what could not be never counts as checked. */
export interface RenderCoverage {
  cluster: string
  kustomizations: number
  /** More that there are, and that were not rendered because nobody asked about what they can affect. */
  skipped: number
  /** Built by path, because flate was stopped by something else. */
  byPath: string[]
  releases: number
  /** Releases whose chart was not rendered: name and reason. */
  missing: { release: string; reason: string }[]
}

export interface ReadView {
  view: RepositoryView
  coverage: RenderCoverage[]
}

export interface ViewOptions {
  /** The repository's, when somebody has read them already. */
  files?: SourceFile[]
  /** Those of `files` whose own faults are to be told; all without it. */
  judged?: () => Promise<SourceFile[]>
  /** How a cluster is rendered; as a whole without it. */
  render?: (cluster: Cluster, tools: RenderTools) => Promise<RenderedCluster>
}

export interface RenderTools {
  flate: FlateCluster
  kustomize: Kustomize
}

/** @throws what is wrong with a renderer itself */
export async function readView(
  repository: Repository,
  clusters: Cluster[],
  renderers: Renderers,
  { files = readSourceFiles(repository.root), judged, render }: ViewOptions = {},
): Promise<ReadView> {
  const { root } = repository
  const [facts, schemas, rendered] = await Promise.all([
    factsOf(repository),
    readSchemaTables(root),
    readClusters(root, clusters, renderers, { files, render }),
  ])
  const registries = repository.trustedRegistries ?? trustedRegistries
  return {
    view: {
      root,
      files,
      judged: (await judged?.()) ?? files,
      clusters: rendered.map(({ view }) => view),
      facts,
      registries,
      schemas,
    },
    coverage: rendered.map(({ found, view }) => coverageOf(found, view)),
  }
}

/** What is wrong with the facts: of a sound repository that is known already (ADR 0034). */
async function factsOf(repository: Repository): Promise<Problem[]> {
  const { problems } = await openRepository(repository.root, repository.root)
  return problems.length === 0 ? [] : checkRepository(repository)
}

/** Renders clusters side by side. @throws what is wrong with a renderer itself */
export function readClusters(
  root: string,
  clusters: Cluster[],
  renderers: Renderers,
  { files, render }: { files: SourceFile[]; render?: ViewOptions['render'] },
): Promise<{ found: RenderedCluster; view: ClusterView }[]> {
  const byPath = filesByPath(files)
  const whole = ({ name }: Cluster, tools: RenderTools) => renderWithFlate(root, name, tools, byPath)
  return Promise.all(
    clusters.map(async (cluster) => {
      const tools = { flate: renderers.flate(cluster), kustomize: renderers.kustomize }
      const found = await (render ?? whole)(cluster, tools)
      return { found, view: await clusterView(root, cluster, found.rendered, found.charts) }
    }),
  )
}

const coverageOf = (
  { rendered, missing, byPath }: RenderedCluster,
  { name, releases }: ClusterView,
): RenderCoverage => ({
  cluster: name,
  kustomizations: rendered.filter(({ isSkipped }) => !isSkipped).length,
  skipped: rendered.filter(({ isSkipped }) => isSkipped).length,
  byPath,
  releases: releases.length,
  missing: [...missing].map(([release, reason]) => ({ release, reason })),
})
