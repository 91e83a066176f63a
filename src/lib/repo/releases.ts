/** Helm releases of a cluster as Flux would install them: chart, version and values after patches and substitution. */
import { ConfigError, UsageError } from '../errors.ts'
import type { Json, KubeObject } from '../types.ts'
import { type FluxKustomization, nameOf } from './flux.ts'
import { type Finding, locate } from './locate.ts'
import { type Manifest, parseManifest } from './manifests.ts'
import { type RenderedKustomization, type RenderOptions, renderCluster } from './render.ts'

export interface Release {
  /** Of the HelmRelease object. */
  namespace: string
  name: string
  /** Of the Helm release, as helm-controller composes it. */
  releaseName: string
  releaseNamespace: string
  /** Where helm keeps the release's records; adopting an install needs the same. */
  storageNamespace: string
  /** What `helm install` takes: `oci://quay.io/jetstack/charts/cert-manager`, or a name in `repository`. */
  chart: string
  /** Last part of the chart's reference. */
  chartName: string
  version: string
  /** URL of the Helm repository when the chart is not in an OCI registry. */
  repository?: string
  values: { [key: string]: Json }
  /** `namespace/name` of HelmReleases. */
  dependsOn: string[]
  /** `namespace/name` of the Flux Kustomization that applies it. */
  kustomization: string
  /** `namespace/name` of the Kustomizations that must be Ready before that one. */
  kustomizationDependsOn: string[]
  /** The file that declares it. */
  file?: string
}

/**
 * The releases of a cluster, or only those named (`namespace/name`): then nothing more is rendered than needed to find them.
 * @throws ConfigError when one cannot be worked out, with every reason; UsageError for a name that is not there.
 */
export async function releases(
  root: string,
  cluster: string,
  options: RenderOptions,
  names: string[] = [],
): Promise<Release[]> {
  const wanted = new Set(names)
  const isWanted = (one: Manifest) => wanted.size === 0 || wanted.has(nameOf(identity(one)))
  const complete = (rendered: RenderedKustomization[]) => {
    const there = new Set(
      rendered.flatMap(({ manifests }) => manifests.filter(isHelmRelease).map((one) => nameOf(identity(one)))),
    )
    return wanted.size > 0 && [...wanted].every((name) => there.has(name))
  }
  const mentioned = (kustomization: FluxKustomization) =>
    names.some((name) => kustomization.spec.path.includes(name.split('/')[1] ?? name)) ? 1 : 0
  const rendered = await renderCluster(root, cluster, { ...options, until: complete, priority: mentioned })
  const { found, findings } = releasesOf(rendered, isWanted)
  const broken = rendered.flatMap((one) => one.findings)
  const lost = names.filter((name) => !found.some((release) => nameOf(release) === name))
  // A name that is missing because something could not be rendered is that finding's fault, not the operator's.
  if (findings.length > 0 || (broken.length > 0 && (lost.length > 0 || names.length === 0))) {
    const problems = await locate(root, [...findings, ...broken])
    throw new ConfigError(`releases of cluster ${cluster} cannot be worked out`, problems, { next: 'k8sops validate' })
  }
  if (lost.length > 0) {
    throw new UsageError(`cluster ${cluster} has no HelmRelease ${lost.join(', ')}`, {
      next: `k8sops repo releases --cluster ${cluster} lists them`,
    })
  }
  return found
}

/** Reads the releases out of what has been rendered; what is wrong with one is a finding. */
export function releasesOf(
  rendered: RenderedKustomization[],
  isWanted: (one: Manifest) => boolean = () => true,
): { found: Release[]; findings: Finding[] } {
  const objects = new Map<string, KubeObject>()
  for (const { manifests } of rendered) {
    for (const one of manifests.filter((candidate) => sourceKinds.has(candidate.kind))) {
      objects.set(`${one.kind}/${nameOf(identity(one))}`, one.object())
    }
  }
  const found: Release[] = []
  const findings: Finding[] = []
  for (const { kustomization, manifests } of rendered) {
    for (const one of manifests.filter(isHelmRelease).filter(isWanted)) {
      try {
        found.push(release(one, kustomization, (kind, name) => objects.get(`${kind}/${nameOf(name)}`)))
      } catch (error) {
        const message = `HelmRelease ${nameOf(identity(one))}: ${error instanceof Error ? error.message : error}`
        findings.push({ file: one.file ?? '', message, text: 'kind: HelmRelease', owners: [nameOf(kustomization)] })
      }
    }
  }
  return { found, findings }
}

const sourceKinds = new Set(['OCIRepository', 'HelmRepository', 'HelmChart', 'ConfigMap'])

export const isHelmRelease = ({ apiVersion, kind }: Manifest): boolean =>
  kind === 'HelmRelease' && apiVersion.startsWith('helm.toolkit.fluxcd.io/')

function identity(one: Manifest): { namespace: string; name: string } {
  const { namespace, name } = one.object().metadata
  return { namespace: namespace ?? 'default', name }
}

interface HelmReleaseSpec {
  releaseName?: string
  targetNamespace?: string
  storageNamespace?: string
  chartRef?: { kind: string; name: string; namespace?: string }
  chart?: { spec: ChartSpec }
  values?: { [key: string]: Json }
  valuesFrom?: ValuesReference[]
  dependsOn?: { name: string; namespace?: string }[]
}

interface ChartSpec {
  chart: string
  version?: string
  sourceRef: { kind: string; name: string; namespace?: string }
}

interface ValuesReference {
  kind: string
  name: string
  valuesKey?: string
  targetPath?: string
  optional?: boolean
}

type Lookup = (kind: string, name: { namespace: string; name: string }) => KubeObject | undefined

function release(one: Manifest, kustomization: FluxKustomization, lookup: Lookup): Release {
  const { namespace, name } = identity(one)
  const spec = (one.object().spec ?? {}) as unknown as HelmReleaseSpec
  return {
    namespace,
    name,
    releaseName: spec.releaseName ?? [spec.targetNamespace, name].filter(Boolean).join('-'),
    releaseNamespace: spec.targetNamespace ?? namespace,
    storageNamespace: spec.storageNamespace ?? namespace,
    ...chartOf(spec, namespace, lookup),
    values: [...fromReferences(spec, namespace, lookup), spec.values ?? {}].reduce(mergeValues, {}),
    dependsOn: (spec.dependsOn ?? []).map((other) => `${other.namespace ?? namespace}/${other.name}`),
    kustomization: nameOf(kustomization),
    kustomizationDependsOn: kustomization.dependsOn,
    ...(one.file === undefined ? {} : { file: one.file }),
  }
}

type Chart = Pick<Release, 'chart' | 'chartName' | 'version' | 'repository'>

function chartOf(spec: HelmReleaseSpec, namespace: string, lookup: Lookup): Chart {
  const { chartRef } = spec
  if (!chartRef)
    return spec.chart ? fromRepository(spec.chart.spec, namespace, lookup) : fail('neither chart nor chartRef')
  const at = { namespace: chartRef.namespace ?? namespace, name: chartRef.name }
  const source = lookup(chartRef.kind, at) ?? fail(`chartRef: ${chartRef.kind} ${nameOf(at)} is not in the repository`)
  if (chartRef.kind === 'HelmChart') return fromRepository(source.spec as unknown as ChartSpec, at.namespace, lookup)
  const { url = '', ref = {} } = source.spec as { url?: string; ref?: { tag?: string; semver?: string } }
  const version = ref.tag ?? fail(`OCIRepository ${nameOf(at)} is not pinned: ref.tag is missing`)
  if (typeof version !== 'string' || typeof url !== 'string') fail(`OCIRepository ${nameOf(at)}: url or tag is no text`)
  return { chart: url, chartName: url.split('/').at(-1) ?? '', version }
}

function fromRepository(chart: ChartSpec, namespace: string, lookup: Lookup): Chart {
  const { sourceRef } = chart
  const at = { namespace: sourceRef.namespace ?? namespace, name: sourceRef.name }
  const source = lookup(sourceRef.kind, at) ?? fail(`chart: ${sourceRef.kind} ${nameOf(at)} is not in the repository`)
  if (sourceRef.kind !== 'HelmRepository')
    fail(`chart from a ${sourceRef.kind}, which cannot be installed from outside`)
  const { url = '' } = source.spec as { url?: string }
  const version = chart.version ?? fail('chart.spec.version is missing')
  if (typeof version !== 'string' || typeof url !== 'string') fail(`chart ${chart.chart}: version or url is no text`)
  if (url.startsWith('oci://')) {
    return { chart: `${url.replace(/\/$/, '')}/${chart.chart}`, chartName: chart.chart, version }
  }
  return { chart: chart.chart, chartName: chart.chart, version, repository: url }
}

/** Values that stand in a ConfigMap of the repository. A Secret is never read here: its values belong in the cluster. */
function fromReferences(spec: HelmReleaseSpec, namespace: string, lookup: Lookup): { [key: string]: Json }[] {
  return (spec.valuesFrom ?? []).flatMap((reference) => {
    const where = `valuesFrom: ${reference.kind} ${namespace}/${reference.name}`
    if (reference.kind !== 'ConfigMap') return fail(`${where} cannot be read from the repository`)
    if (reference.targetPath) return fail(`${where}: targetPath is not supported`)
    const source = lookup('ConfigMap', { namespace, name: reference.name })
    const text = source?.data?.[reference.valuesKey ?? 'values.yaml']
    if (text === undefined) return reference.optional ? [] : fail(`${where} is not in the repository`)
    return [parseManifest(text) as { [key: string]: Json }]
  })
}

/** Helm's merge: maps are merged, everything else is replaced; null in the later one stays, and deletes when helm renders. */
export function mergeValues(base: { [key: string]: Json }, over: { [key: string]: Json }): { [key: string]: Json } {
  const merged = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const before = merged[key]
    merged[key] = isMap(before) && isMap(value) ? mergeValues(before, value) : value
  }
  return merged
}

const isMap = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function fail(message: string): never {
  throw new Error(message)
}
