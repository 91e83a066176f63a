/** What the rules look at: the repository's files, and what they render to for each cluster. */
import type { ChartRecord } from '../../lab/charts/record.ts'
import type { KubeObject, Problem } from '../../types.ts'
import { readChartFacts } from '../chart-facts.ts'
import { recordedObjects } from '../chart-objects.ts'
import { type FluxKustomization, nameOf } from '../flux.ts'
import type { Finding } from '../locate.ts'
import { type Manifest, manifestOf } from '../manifests.ts'
import { operatorObjects } from '../operator-objects.ts'
import { type Release, releasesOf } from '../releases.ts'
import type { RenderedKustomization } from '../render.ts'
import type { SchemaTables } from '../schema-tables.ts'
import type { SourceFile } from '../source-files.ts'

export interface RenderedObject {
  apiVersion: string
  /** The API group; empty for the core. */
  group: string
  kind: string
  namespace: string | undefined
  name: string
  manifest: Manifest
  object: () => KubeObject
  kustomization: FluxKustomization
  /** The release whose chart made it. */
  release?: Release
}

/** What a chart is known to bring, of a release whose chart could not be rendered: from a record of facts. */
export type ChartFacts = Pick<
  ChartRecord,
  'values' | 'workloads' | 'services' | 'serviceAccounts' | 'crds' | 'defaults' | 'objects'
>

export interface KnownRelease {
  release: Release
  /** What the chart renders to, when it could be had. */
  rendered: boolean
  facts: ChartFacts | undefined
}

export interface ClusterView {
  name: string
  settings: Record<string, string>
  rendered: RenderedKustomization[]
  /** Every object of the Kustomizations, and of the charts that could be rendered. */
  objects: RenderedObject[]
  /**
   * What is known to be made besides: by charts that could not be rendered, from their records, and by operators of custom resources.
   * Only some of it, and never shown as rendered.
   */
  recorded: RenderedObject[]
  releases: KnownRelease[]
  /** What is wrong with releases themselves: a chart's source that is not there. */
  releaseFindings: Finding[]
}

export interface RepositoryView {
  root: string
  files: SourceFile[]
  /** Those whose own faults are to be told; the others only tell what there is. */
  judged: SourceFile[]
  clusters: ClusterView[]
  /** What the rules over talconfig.yaml, cluster-settings.yaml and k8sops.yaml found. */
  facts: Problem[]
  /** Registries that images may come from, as prefixes. */
  registries: readonly string[]
  /** Of the kinds that are known. */
  schemas: SchemaTables
}

/** What Helm made of a release, by `namespace/name`. */
export type RenderedCharts = ReadonlyMap<string, Manifest[]>

/** @param charts objects of the charts that could be rendered */
export async function clusterView(
  root: string,
  { name, settings }: { name: string; settings: Record<string, string> },
  rendered: RenderedKustomization[],
  charts: RenderedCharts = new Map(),
): Promise<ClusterView> {
  const { found, findings } = releasesOf(rendered)
  const releases = await Promise.all(
    found.map(
      async (release): Promise<KnownRelease> => ({
        release,
        rendered: charts.has(nameOf(release)),
        facts: await readChartFacts(root, release.chartName, release.version),
      }),
    ),
  )
  const own = rendered.flatMap(({ kustomization, manifests }) => manifests.map((one) => toObject(one, kustomization)))
  const appliers = new Map(rendered.map(({ kustomization }) => [nameOf(kustomization), kustomization]))
  const ofReleases = (made: (known: KnownRelease) => Manifest[]) =>
    releases.flatMap((known) => {
      const kustomization = appliers.get(known.release.kustomization)
      return kustomization
        ? made(known).map((one) => ({ ...toObject(one, kustomization), release: known.release }))
        : []
    })
  const ofCharts = ofReleases(({ release }) => charts.get(nameOf(release)) ?? [])
  const recorded = ofReleases(({ release, rendered: isRendered, facts }) =>
    isRendered || !facts ? [] : recordedObjects(facts, release).map((object) => manifestOf(object, release.file)),
  )
  const objects = [...own, ...ofCharts]
  const ofOperators = [...objects, ...recorded].flatMap((one) =>
    operatorObjects(one.object(), one.group).map((object) => ({
      ...toObject(manifestOf(object, one.manifest.file), one.kustomization),
      ...(one.release ? { release: one.release } : {}),
    })),
  )
  return {
    name,
    settings,
    rendered,
    objects,
    releases,
    releaseFindings: findings,
    recorded: [...recorded, ...ofOperators],
  }
}

function toObject(manifest: Manifest, kustomization: FluxKustomization): RenderedObject {
  const object = manifest.object()
  // A manifest may say `name: 80`; what is wrong with that is the schema's to tell.
  const { name = '', namespace } = object.metadata ?? {}
  const [group = ''] = manifest.apiVersion.includes('/') ? manifest.apiVersion.split('/') : ['']
  return {
    apiVersion: manifest.apiVersion,
    group,
    kind: manifest.kind,
    namespace,
    name: String(name),
    manifest,
    object: manifest.object,
    kustomization,
  }
}

/** The objects of a kind, `Kind` or `Kind.group`. */
export const ofKind = ({ objects }: ClusterView, ...kinds: string[]): RenderedObject[] =>
  objects.filter(({ kind, group }) => kinds.includes(kind) || kinds.includes(`${kind}.${group}`))
