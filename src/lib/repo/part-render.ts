/**
 * Renders some of a cluster's Kustomizations as `renderWithFlate` renders all: flate is shown no others, so that it costs what they cost.
 * What stands above them is built by path, which tells which there are.
 */
import type { Kustomize } from './build.ts'
import { rememberingBuild } from './build-cache.ts'
import { asApplied, byOwner, type RenderedCluster, releasesWithout } from './flate-render.ts'
import { type FlateCluster, type FlateOutput, showTo } from './flate-show.ts'
import { type FluxKustomization, fluxKustomization, isFluxKustomization, nameOf } from './flux.ts'
import { reachedFiles } from './reach.ts'
import { type RenderedKustomization, renderCluster } from './render.ts'
import { declaredIn, type SourceFile } from './source-files.ts'

type Files = ReadonlyMap<string, SourceFile>

export interface Kustomizing {
  kustomize: Kustomize
  /** Of the program, with its version in it: without it nothing is remembered. */
  kustomizePath?: string
}

/** Every Kustomization of a cluster; built are those that contain others, and those that others substitute from. */
export async function listCluster(
  root: string,
  cluster: string,
  { kustomize, kustomizePath }: Kustomizing,
  files: Files,
): Promise<RenderedKustomization[]> {
  const building = { kustomize, ...(kustomizePath ? { build: rememberingBuild(kustomizePath, files) } : {}) }
  const declares = (one: FluxKustomization, isMeant: (declared: ReturnType<typeof declaredIn>[number]) => boolean) =>
    [...reachedFiles(files, one.spec)].some((path) => declaredIn(files.get(path) as SourceFile).some(isMeant))
  const isParent = (one: FluxKustomization) =>
    one.parent === undefined ||
    declares(one, ({ kind, apiVersion }) => kind === 'Kustomization' && apiVersion.startsWith('kustomize.toolkit.'))
  const listed = await renderCluster(root, cluster, { ...building, isWanted: isParent })
  const made = new Set(
    listed.flatMap(({ manifests }) =>
      manifests.filter(({ kind }) => kind === 'ConfigMap').map(({ object }) => object().metadata.name),
    ),
  )
  const lacking = new Set(
    listed.flatMap(({ kustomization }) =>
      kustomization.substituteFrom
        .filter(({ kind, name }) => kind === 'ConfigMap' && !made.has(name))
        .map(({ name }) => name),
    ),
  )
  if (lacking.size === 0) return listed
  const isSource = (one: FluxKustomization) =>
    declares(one, ({ kind, name }) => kind === 'ConfigMap' && lacking.has(name ?? ''))
  const known = new Map(listed.filter(({ isSkipped }) => !isSkipped).map((one) => [nameOf(one.kustomization), one]))
  return renderCluster(root, cluster, {
    ...building,
    isWanted: (one) => isParent(one) || isSource(one),
    known: (one) => known.get(nameOf(one)),
  })
}

/**
 * @param listed as `listCluster` gives them @param isChosen by `namespace/name`; the others stay as they are
 * @param files the repository's
 */
export async function renderPart(
  root: string,
  cluster: string,
  { listed, isChosen }: { listed: RenderedKustomization[]; isChosen: (name: string) => boolean },
  tools: { flate: FlateCluster; kustomize: Kustomize },
  files: Files,
): Promise<RenderedCluster> {
  const chosen = listed.filter(({ kustomization, isSkipped }) => isSkipped && isChosen(nameOf(kustomization)))
  if (chosen.length === 0)
    return { rendered: listed, charts: new Map(), missing: releasesWithout(new Map(), listed, new Map()), byPath: [] }
  const { objects, failures } = await show(
    root,
    chosen.map(({ kustomization }) => kustomization),
    listed,
    tools.flate,
  )
  const { owned, charts } = byOwner(objects)
  const found = new Map(
    chosen.flatMap(({ kustomization }) => {
      const own = owned.get(nameOf(kustomization))
      return own
        ? [[nameOf(kustomization), { kustomization, manifests: asApplied(own, kustomization, files), findings: [] }]]
        : []
    }),
  ) as Map<string, RenderedKustomization>
  const rest = new Set(chosen.map(({ kustomization }) => nameOf(kustomization)).filter((name) => !found.has(name)))
  const known = new Map([...listed.map((one) => [nameOf(one.kustomization), one] as const), ...found])
  // What flate has nothing of is empty or broken: built by path, to tell which.
  const rendered =
    rest.size === 0
      ? listed.map((one) => known.get(nameOf(one.kustomization)) ?? one)
      : await renderCluster(root, cluster, {
          kustomize: tools.kustomize,
          known: (one) => (rest.has(nameOf(one)) ? undefined : known.get(nameOf(one))),
        })
  return {
    rendered,
    charts,
    missing: releasesWithout(charts, rendered, failures),
    byPath: rendered
      .filter(
        ({ kustomization, manifests, findings }) =>
          rest.has(nameOf(kustomization)) && manifests.length + findings.length > 0,
      )
      .map(({ kustomization }) => nameOf(kustomization)),
  }
}

/** The chosen Kustomizations with what they substitute from. */
function show(
  root: string,
  chosen: readonly FluxKustomization[],
  listed: readonly RenderedKustomization[],
  flate: FlateCluster,
): Promise<FlateOutput> {
  const names = new Set(chosen.map(nameOf))
  const isTaken = new Set(chosen.flatMap(({ substituteFrom }) => substituteFrom.map(({ name }) => name)))
  const applied = listed.flatMap(({ manifests }) => manifests)
  const own = applied.filter((one) => isFluxKustomization(one) && names.has(nameOf(fluxKustomization(one, ''))))
  const maps = applied.filter(({ kind, object }) => kind === 'ConfigMap' && isTaken.has(object().metadata.name))
  const awaited = new Set(chosen.flatMap(({ dependsOn }) => dependsOn).filter((name) => !names.has(name)))
  const shown = [...maps, ...own].map(({ object }) => object())
  return showTo(flate, root, shown, [...awaited])
}
