/** flate renders for `validate` and `diff`, kustomize for `bootstrap`: both must come to what Flux would apply. */
import { expect, test } from 'vitest'
import { loadRepository } from '../../src/lib/config/load.ts'
import { renderWithFlate } from '../../src/lib/repo/flate-render.ts'
import { nameOf } from '../../src/lib/repo/flux.ts'
import { type RenderedKustomization, renderCluster } from '../../src/lib/repo/render.ts'
import { renderersOf } from '../../src/lib/repo/renderers.ts'
import { readSourceFiles } from '../../src/lib/repo/source-files.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { offline } from './offline.ts'
import { projectRoot } from './tool.ts'

/** Keys in one order, and without what says who applied it: kustomize-controller adds those labels, as flate does. */
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  const kept = Object.entries(value).filter(([key]) => !/^kustomize\.toolkit\.fluxcd\.io\/name(space)?$/.test(key))
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, below]) => [key, sorted(below)]))
}

function plain({ metadata, ...rest }: KubeObject): unknown {
  const { labels, ...others } = metadata
  const left = sorted(labels ?? {}) as object
  return sorted({ ...rest, metadata: { ...others, ...(Object.keys(left).length > 0 ? { labels: left } : {}) } })
}

const objectsOf = (rendered: RenderedKustomization[]) =>
  Object.fromEntries(
    rendered.flatMap(({ kustomization, manifests }) =>
      manifests.map((one) => {
        const object = one.object()
        const { namespace = '', name } = object.metadata
        return [`${nameOf(kustomization)}: ${one.kind} ${namespace}/${name}`, plain(object)]
      }),
    ),
  )

test('flate and kustomize with our own substitution render the same objects', async () => {
  const { clusters } = await loadRepository(projectRoot)
  const [cluster] = clusters
  if (!cluster) throw new Error('no cluster')
  const { flate, kustomize } = renderersOf(projectRoot, offline)
  const files = new Map(readSourceFiles(projectRoot).map((file) => [file.path, file]))
  const [theirs, ours] = await Promise.all([
    renderWithFlate(projectRoot, cluster.name, { flate: flate(cluster), kustomize }, files),
    renderCluster(projectRoot, cluster.name, { kustomize }),
  ])
  const expected = objectsOf(ours)
  expect(Object.keys(expected).length).toBeGreaterThan(100)
  expect(objectsOf(theirs.rendered)).toEqual(expected)
})
