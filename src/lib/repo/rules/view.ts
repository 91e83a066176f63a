/** What the rules look at: the repository's files, and what they render to for each cluster. */
import type { ChartRecord } from '../../lab/charts/record.ts'
import type { KubeObject, Problem } from '../../types.ts'
import { readChartFacts } from '../chart-facts.ts'
import type { FluxKustomization } from '../flux.ts'
import type { Finding } from '../locate.ts'
import type { Manifest } from '../manifests.ts'
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
export type ChartFacts = Pick<ChartRecord, 'values' | 'workloads' | 'services' | 'crds' | 'defaults' | 'objects'>

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
  releases: KnownRelease[]
  /** What is wrong with releases themselves: a chart's source that is not there. */
  releaseFindings: Finding[]
}

export interface RepositoryView {
  root: string
  files: SourceFile[]
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
        rendered: charts.has(`${release.namespace}/${release.name}`),
        facts: await readChartFacts(root, release.chartName, release.version),
      }),
    ),
  )
  const own = rendered.flatMap(({ kustomization, manifests }) => manifests.map((one) => toObject(one, kustomization)))
  const ofCharts = releases.flatMap(({ release }) => {
    const kustomization = rendered.find(
      ({ kustomization: { namespace, name: other } }) => `${namespace}/${other}` === release.kustomization,
    )?.kustomization
    const made = charts.get(`${release.namespace}/${release.name}`) ?? []
    return kustomization ? made.map((one) => ({ ...toObject(one, kustomization), release })) : []
  })
  return { name, settings, rendered, objects: [...own, ...ofCharts], releases, releaseFindings: findings }
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
