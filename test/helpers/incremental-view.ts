/** Views of a repository of which one file changes after the other: only what reads that file is built anew. */
import { checkRepository, loadRepository } from '../../src/lib/config/load.ts'
import type { Kustomize } from '../../src/lib/repo/build.ts'
import { nameOf } from '../../src/lib/repo/flux.ts'
import { reachedFiles } from '../../src/lib/repo/reach.ts'
import { type RenderedKustomization, renderCluster } from '../../src/lib/repo/render.ts'
import { trustedRegistries } from '../../src/lib/repo/rules/registries.ts'
import { clusterView, type RepositoryView } from '../../src/lib/repo/rules/view.ts'
import { readSchemaTables } from '../../src/lib/repo/schema-tables.ts'
import { readSourceFiles, type SourceFile, sourceFile } from '../../src/lib/repo/source-files.ts'

export interface IncrementalView {
  /** The view now that `file` (already written) has another text. */
  changed: (file: string, text: string) => Promise<RepositoryView>
  whole: RepositoryView
}

export async function incrementalView(root: string, kustomize: Kustomize): Promise<IncrementalView> {
  const schemas = await readSchemaTables(root)
  const cache = new Map<string, RenderedKustomization[]>()
  const original = readSourceFiles(root)

  const view = async (files: SourceFile[], changed?: string): Promise<RepositoryView> => {
    const repository = await loadRepository(root)
    const byPath = new Map(files.map((file) => [file.path, file]))
    const clusters = repository.clusters.map(async (cluster) => {
      const known = new Map((cache.get(cluster.name) ?? []).map((one) => [nameOf(one.kustomization), one]))
      // The settings are substituted everywhere.
      const isEverywhere = changed?.endsWith('cluster-settings.yaml')
      const rendered = await renderCluster(root, cluster.name, {
        kustomize,
        known: (kustomization) => {
          const one = known.get(nameOf(kustomization))
          if (!one || isEverywhere || !changed) return undefined
          const same =
            JSON.stringify([one.kustomization.raw, one.kustomization.spec.path]) ===
            JSON.stringify([kustomization.raw, kustomization.spec.path])
          return same && !reachedFiles(byPath, kustomization.spec).has(changed) && !wasReached(one, changed)
            ? one
            : undefined
        },
      })
      if (!changed) cache.set(cluster.name, rendered)
      return clusterView(root, cluster, rendered)
    })
    return {
      root,
      files,
      judged: files,
      clusters: await Promise.all(clusters),
      facts: [...repository.problems, ...(await checkRepository(repository))],
      registries: repository.trustedRegistries ?? trustedRegistries,
      schemas,
    }
  }
  const originalPaths = new Map(original.map((file) => [file.path, file]))
  const wasReached = ({ kustomization }: RenderedKustomization, file: string) =>
    reachedFiles(originalPaths, kustomization.spec).has(file)
  const whole = await view(original)
  return {
    whole,
    changed: (path, text) =>
      view(
        original.map((file) => (file.path === path ? sourceFile(path, text) : file)),
        path,
      ),
  }
}
