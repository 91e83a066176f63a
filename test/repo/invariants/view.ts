/** What the invariants look at: the repository's files, and what they render to for each cluster. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadRepository } from '../../../src/lib/config/load.ts'
import { chartFindings } from '../../../src/lib/repo/chart-facts.ts'
import { dependencyFindings } from '../../../src/lib/repo/dependencies.ts'
import type { Finding } from '../../../src/lib/repo/locate.ts'
import { type Release, releasesOf } from '../../../src/lib/repo/releases.ts'
import { type RenderedKustomization, renderCluster } from '../../../src/lib/repo/render.ts'
import { kustomizeBuild } from '../../../src/lib/tools/kustomize.ts'

export interface SourceFile {
  /** Relative to the root. */
  path: string
  text: string
}

export interface ClusterView {
  name: string
  settings: Record<string, string>
  rendered: RenderedKustomization[]
  releases: Release[]
  /** What rendering and reading releases found wrong. */
  findings: Finding[]
}

export interface RepositoryView {
  root: string
  files: SourceFile[]
  clusters: ClusterView[]
}

/** Says what breaks an invariant, one line each; nothing when it holds. */
export type Invariant = (view: RepositoryView) => string[]

/** What git would commit: a file that is new and not yet added counts as well. */
export function sourceFiles(root: string): SourceFile[] {
  const listed = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  return [...new Set(listed.split('\0').filter(Boolean))]
    .filter((path) => existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

export async function viewOf(root: string): Promise<RepositoryView> {
  const repository = await loadRepository(root)
  const kustomize = kustomizeBuild(process.env)
  const clusters: ClusterView[] = []
  for (const { name, settings } of repository.clusters) {
    const rendered = await renderCluster(root, name, { kustomize })
    const { found, findings } = releasesOf(rendered)
    const all = [
      ...rendered.flatMap((one) => one.findings),
      ...findings,
      ...dependencyFindings(rendered, found),
      ...(await chartFindings(root, found)),
    ]
    clusters.push({ name, settings, rendered, releases: found, findings: all })
  }
  return { root, files: sourceFiles(root), clusters }
}

/** Manifests and configuration that an operator edits. */
export const isOperated = ({ path }: SourceFile): boolean => /^(kubernetes|talos|bootstrap)\//.test(path)

/** Shared by clusters: nothing in it may be about one of them. */
export const isShared = ({ path }: SourceFile): boolean =>
  /^kubernetes\/(infrastructure|apps)\/|^talos\/patches\//.test(path)
