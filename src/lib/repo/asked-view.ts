/** Reads as much of a repository as a question needs: everything, some clusters, or what a change can affect. */
import { setImmediate } from 'node:timers/promises'
import type { Repository } from '../config/load.ts'
import type { Cluster } from '../types.ts'
import { type Affected, affectedBy, affectsEverything, type Change, changeSince, isAffected } from './affected.ts'
import { renderWithFlate } from './flate-render.ts'
import { nameOf } from './flux.ts'
import type { Finding } from './locate.ts'
import { listCluster, renderPart } from './part-render.ts'
import { type ReadView, type Renderers, type RenderTools, readView } from './read-view.ts'
import { referredTo } from './relevance.ts'
import type { RenderedKustomization } from './render.ts'
import { filesByPath, isOperated, isYaml, readSourceFiles, type SourceFile } from './source-files.ts'

export interface AskedView extends ReadView {
  /** Whether a finding is about what was asked for. */
  isWanted: (finding: Finding, isLocal: boolean) => boolean
  /** With the rest of what was asked for rendered, too; undefined when it is. What is found to be lacking may be there. */
  widened: (() => Promise<ReadView>) | undefined
}

export interface Question {
  clusters: readonly Cluster[]
  /** Paths that differ from a commit: then only what they can affect is asked for. */
  since?: { commit: string; changed: readonly string[] } | undefined
}

/** @throws what is wrong with a renderer itself */
export async function readAskedView(
  repository: Repository,
  renderers: Renderers,
  { clusters, since }: Question,
): Promise<AskedView> {
  const { root } = repository
  const files = readSourceFiles(root)
  const byPath = filesByPath(files)
  const isAsked = ({ name }: Cluster) => clusters.some((one) => one.name === name)
  const list = ({ name }: Cluster) => listCluster(root, name, renderers, byPath)
  // Of the others it is told which Kustomizations they have: whether a file is used shows only so.
  const whole = async (cluster: Cluster, tools: RenderTools) =>
    isAsked(cluster)
      ? renderWithFlate(root, cluster.name, tools, byPath)
      : { rendered: await list(cluster), charts: new Map(), missing: new Map(), byPath: [] }
  const readWhole = async () => {
    const reading = readView(repository, repository.clusters, renderers, { files, render: whole })
    // Rules look into every file, and flate takes its time.
    await Promise.all([reading, parseAll(files)])
    return reading
  }
  if (!since || affectsEverything(since.changed))
    return { ...(await readWhole()), isWanted: () => true, widened: undefined }

  const change = await changeSince(root, since.commit, since.changed)
  const parts = Promise.all(
    repository.clusters.map(async (cluster) => {
      const listed = await list(cluster)
      return [cluster.name, { listed, affected: affectedOf(listed, change, byPath) }] as const
    }),
  ).then((all) => new Map(all))
  const found = await readView(repository, repository.clusters, renderers, {
    files,
    judged: async () => judgedOf(files, [...(await parts).values()]),
    render: async (cluster, tools) => {
      const part = (await parts).get(cluster.name)
      if (!part) throw new Error(`cluster ${cluster.name} was not listed`)
      const names = isAsked(cluster) ? await chosen(part, cluster, { root, files: byPath }) : new Set<string>()
      return renderPart(root, cluster.name, { listed: part.listed, isChosen: (name) => names.has(name) }, tools, byPath)
    },
  })
  const affected = new Map([...(await parts)].map(([name, part]) => [name, part.affected]))
  return { ...found, isWanted: isAffected(change, affected), widened: readWhole }
}

/** In small portions, so that whatever comes in meanwhile is taken. */
async function parseAll(files: readonly SourceFile[]): Promise<void> {
  for (const [index, file] of files.filter((one) => isYaml(one) && isOperated(one)).entries()) {
    if (index % 8 === 0) await setImmediate()
    file.documents()
  }
}

interface Part {
  listed: RenderedKustomization[]
  affected: Affected
}

const affectedOf = (listed: readonly RenderedKustomization[], change: Change, files: ReadonlyMap<string, SourceFile>) =>
  affectedBy(
    change,
    listed.map(({ kustomization }) => kustomization),
    files,
  )

/** What can be affected, and what that refers to. */
async function chosen(
  { listed, affected: { built, related } }: Part,
  { settings }: Cluster,
  sources: { root: string; files: ReadonlyMap<string, SourceFile> },
): Promise<Set<string>> {
  // Those that contain others are built already.
  const all = listed.filter(({ isSkipped }) => isSkipped).map(({ kustomization }) => kustomization)
  const own = all.filter((one) => [built, related].some(({ kustomizations }) => kustomizations.has(nameOf(one))))
  const others = all.filter((one) => !own.includes(one))
  return new Set([...own.map(nameOf), ...(await referredTo(own, others, { ...sources, settings }))])
}

function judgedOf(files: readonly SourceFile[], parts: readonly Part[]): SourceFile[] {
  const isOf = (path: string) =>
    parts.some(({ affected: { built, related } }) => built.files.has(path) || related.files.has(path))
  return files.filter(({ path }) => isOf(path))
}
