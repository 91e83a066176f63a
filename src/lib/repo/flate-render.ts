/**
 * What Flux would apply to a cluster, rendered by flate: quicker than a kustomize for every Kustomization, and with the charts
 * that can be had. What flate leaves out because something above it is broken is built by path instead, so that one broken
 * file hides nothing (ADR 0025).
 */
import { posix } from 'node:path'
import type { KubeObject } from '../types.ts'
import type { Kustomize } from './build.ts'
import { entryObject, type FlateCluster, showTo } from './flate-show.ts'
import { entryKustomization, type FluxKustomization, fluxKustomization, isFluxKustomization, nameOf } from './flux.ts'
import { layout } from './layout.ts'
import { type Manifest, manifestOf } from './manifests.ts'
import { originOf } from './origin.ts'
import { isHelmRelease } from './releases.ts'
import { type RenderedKustomization, renderCluster } from './render.ts'
import { declaredIn, type SourceFile } from './source-files.ts'

export interface RenderedCluster {
  rendered: RenderedKustomization[]
  /** What Helm made, by `namespace/name` of the release. */
  charts: Map<string, Manifest[]>
  /** Releases whose chart could not be had or rendered, and why. */
  missing: Map<string, string>
  /** Kustomizations that were built by path, because flate was stopped by something else. */
  byPath: string[]
}

const owner = (object: KubeObject, kind: 'kustomize' | 'helm'): string | undefined => {
  const labels = object.metadata?.labels
  const [name, namespace] = ['name', 'namespace'].map((key) => labels?.[`${kind}.toolkit.fluxcd.io/${key}`])
  return name === undefined ? undefined : `${namespace}/${name}`
}

/** @param files the repository's, to find where an object stands */
export async function renderWithFlate(
  root: string,
  cluster: string,
  tools: { flate: FlateCluster; kustomize: Kustomize },
  files: ReadonlyMap<string, SourceFile>,
): Promise<RenderedCluster> {
  const path = layout.fluxEntry(cluster)
  const { objects, failures } = await showTo(tools.flate, root, [entryObject(path)])
  const { owned, charts } = byOwner(objects)
  const entry = entryKustomization(path)
  const own = owned.get(nameOf(entry))
  const rendered: RenderedKustomization[] = [
    { kustomization: entry, manifests: asApplied(own ?? [], entry, files), findings: [] },
  ]
  const broken = own ? [] : [entry]
  const seen = new Set<string>()
  for (const parent of rendered) {
    for (const child of parent.manifests.filter(isFluxKustomization)) {
      const kustomization = fluxKustomization(child, nameOf(parent.kustomization))
      const name = nameOf(kustomization)
      if (seen.has(name)) continue
      seen.add(name)
      const found = owned.get(name)
      rendered.push({ kustomization, manifests: asApplied(found ?? [], kustomization, files), findings: [] })
      if (!found) broken.push(kustomization)
    }
  }
  const again = new Set(broken.map(nameOf))
  const known = new Map(rendered.map((one) => [nameOf(one.kustomization), one]))
  // What flate has nothing of is empty, or broken, or below something broken: built by path, to tell which.
  const all =
    again.size === 0
      ? rendered
      : await renderCluster(root, cluster, {
          kustomize: tools.kustomize,
          known: ({ namespace, name }) =>
            again.has(`${namespace}/${name}`) ? undefined : known.get(`${namespace}/${name}`),
        })
  return {
    rendered: all,
    charts,
    missing: releasesWithout(charts, all, failures),
    byPath: all
      .filter((one) => again.has(nameOf(one.kustomization)) && !isEmpty(one))
      .map(({ kustomization }) => nameOf(kustomization)),
  }
}

/** What flate rendered of a Kustomization, with the file that each object comes from. */
export const asApplied = (
  objects: readonly KubeObject[],
  kustomization: FluxKustomization,
  files: ReadonlyMap<string, SourceFile>,
): Manifest[] =>
  objects.map((object) => {
    const file = originOf(object, kustomization, files)
    return manifestOf(isPlaced(object, kustomization, files, file) ? object : unplaced(object), file)
  })

/** Releases whose chart is not among `charts`, each with the reason. */
export function releasesWithout(
  charts: ReadonlyMap<string, Manifest[]>,
  rendered: readonly RenderedKustomization[],
  failures: ReadonlyMap<string, string>,
): Map<string, string> {
  const missing = new Map<string, string>()
  for (const { object } of rendered.flatMap(({ manifests }) => manifests.filter(isHelmRelease))) {
    const name = `${object().metadata.namespace}/${object().metadata.name}`
    if (!charts.has(name)) missing.set(name, failures.get(`HelmRelease ${name}`) ?? 'flate did not come to it')
  }
  return missing
}

/**
 * flate 0.6 puts what says no namespace into the Kustomization's, where the API server refuses it (or, for a kind without
 * namespaces, ignores it).
 */
function isPlaced(
  { metadata, kind }: KubeObject,
  { namespace, spec }: FluxKustomization,
  files: ReadonlyMap<string, SourceFile>,
  file: string | undefined,
): boolean {
  const source = file === undefined ? undefined : files.get(file)
  if (!source || metadata.namespace !== namespace || spec.targetNamespace !== undefined) return true
  if (declaredIn(source).some((one) => one.kind === kind && one.namespace !== undefined)) return true
  const list = files.get(`${posix.dirname(source.path)}/kustomization.yaml`)
  return list !== undefined && /^namespace:/m.test(list.text)
}

function unplaced(object: KubeObject): KubeObject {
  const { namespace: _, ...metadata } = object.metadata
  return { ...object, metadata }
}

const isEmpty = ({ manifests, findings }: RenderedKustomization) => manifests.length === 0 && findings.length === 0

export function byOwner(objects: KubeObject[]): { owned: Map<string, KubeObject[]>; charts: Map<string, Manifest[]> } {
  const owned = new Map<string, KubeObject[]>()
  const charts = new Map<string, Manifest[]>()
  for (const object of objects) {
    const release = owner(object, 'helm')
    const kustomization = owner(object, 'kustomize')
    if (release) charts.set(release, [...(charts.get(release) ?? []), manifestOf(object, undefined)])
    else if (kustomization) owned.set(kustomization, [...(owned.get(kustomization) ?? []), object])
  }
  return { owned, charts }
}
