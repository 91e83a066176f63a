/**
 * HelmRepositories and HelmCharts: the index of a repository over HTTPS, and the chart that helm-controller asks for on
 * behalf of a HelmRelease. Reasons and messages as source-controller 1.9 has them.
 */

import type { KubeObject, KubePort } from '../../types.ts'
import { sha256 } from '../charts/index.ts'
import type { Artifact, ArtifactStore } from './artifacts.ts'
import { checkCredentials } from './credentials.ts'
import type { RegistryClient } from './registry-client.ts'
import { parseDuration, SourceError, type SourceStatus, storedStatus } from './status.ts'

interface HelmRepositorySpec {
  url: string
  type?: 'default' | 'oci'
  timeout?: string
  secretRef?: { name: string }
}

interface HelmChartSpec {
  chart: string
  version?: string
  sourceRef: { kind: string; name: string }
  valuesFiles?: string[]
}

export interface HelmSource {
  client: RegistryClient
  store: ArtifactStore
  reads: KubePort | undefined
  /** The HelmRepositories as they are now. */
  repositories(): KubeObject[]
}

/** One of type `oci` is only an address: source-controller leaves it without a status. */
export const isAddressOnly = ({ kind, spec }: KubeObject): boolean => kind === 'HelmRepository' && spec?.type === 'oci'

/** Fetches a repository's index.yaml. Throws SourceError. */
export async function fetchIndex(source: HelmSource, object: KubeObject): Promise<SourceStatus> {
  const { url, secretRef } = object.spec as unknown as HelmRepositorySpec
  const { namespace = '', name } = object.metadata
  if (url.startsWith('oci:')) {
    throw invalid("'oci' URL scheme cannot be used with 'default' HelmRepository type")
  }
  if (!URL.canParse(url)) throw invalid(`parse "${url}": invalid URI`)
  if (secretRef) await checkCredentials(source.reads, url, namespace, secretRef.name)
  const index = await source.client.file(fileIn(url, 'index.yaml'), deadlineOf(object)).catch((error: Error) => {
    throw new SourceError('Failed', `failed to fetch Helm repository index: ${error.message}`)
  })
  const revision = sha256(index)
  const before = (object.status as { artifact?: Artifact } | undefined)?.artifact
  const artifact =
    before?.revision === revision
      ? before
      : await source.store.put({ kind: 'HelmRepository', namespace, name }, revision, index, 'yaml')
  return storedStatus(object, artifact, `stored artifact: revision '${revision}'`)
}

/** Pulls the chart of a HelmChart. Throws SourceError. */
export async function fetchChart(source: HelmSource, object: KubeObject): Promise<SourceStatus> {
  const { chart, version = '*', sourceRef, valuesFiles = [] } = object.spec as unknown as HelmChartSpec
  const { namespace = '', name } = object.metadata
  if (sourceRef.kind !== 'HelmRepository') {
    throw new SourceError('NotInLab', `the lab's source server packages no chart out of a ${sourceRef.kind}`, true)
  }
  if (valuesFiles.length > 0) {
    throw new SourceError('NotInLab', "the lab's source server doesn't merge valuesFiles into a chart", true)
  }
  const repository = source
    .repositories()
    .find(({ metadata }) => metadata.namespace === namespace && metadata.name === sourceRef.name)
  if (!repository) {
    const kind = 'HelmRepository.source.toolkit.fluxcd.io'
    throw new SourceError('SourceUnavailable', `failed to get source: ${kind} "${sourceRef.name}" not found`)
  }
  const pulled = isAddressOnly(repository)
    ? await pullFromRegistry(source, repository, chart, version)
    : await pullFromIndex(source, repository, chart, version)
  const before = object.status as { artifact?: Artifact } | undefined
  const artifact =
    before?.artifact?.revision === pulled.version && before.artifact.digest === sha256(pulled.archive)
      ? before.artifact
      : await source.store.put({ kind: 'HelmChart', namespace, name }, pulled.version, pulled.archive, 'tgz')
  const message = `pulled '${chart}' chart with version '${pulled.version}'`
  return {
    ...storedStatus(object, artifact, message, 'ChartPullSucceeded'),
    observedChartName: chart,
    url: artifact.url,
    ...(pulled.sourceRevision ? { observedSourceArtifactRevision: pulled.sourceRevision } : {}),
  }
}

interface PulledChart {
  version: string
  archive: Buffer
  /** Of the index that it was found in. */
  sourceRevision?: string
}

interface IndexFile {
  entries?: Record<string, { version: string; urls: string[] }[]>
}

async function pullFromIndex(
  source: HelmSource,
  repository: KubeObject,
  chart: string,
  version: string,
): Promise<PulledChart> {
  const artifact = (repository.status as { artifact?: Artifact } | undefined)?.artifact
  if (!artifact) {
    const { kind, metadata } = repository
    throw new SourceError('NoSourceArtifact', `no artifact available for ${kind} source '${metadata.name}'`)
  }
  const { parse } = await import('yaml')
  const { entries } = parse((await source.store.read(artifact)).toString('utf8')) as IndexFile
  const versions = entries?.[chart]
  if (!versions) throw notInIndex('no chart name found')
  const found =
    versions.find((each) => each.version === version) ?? versions.find((each) => same(each.version, version))
  if (!found) throw notInIndex(`no '${chart}' chart with version matching '${version}' found`, version)
  const { url } = repository.spec as unknown as HelmRepositorySpec
  const address = new URL(found.urls[0] ?? '', fileIn(url, '')).href
  const archive = await source.client.file(address, deadlineOf(repository)).catch(notPulled)
  return { version: found.version, archive, sourceRevision: artifact.revision }
}

async function pullFromRegistry(
  source: HelmSource,
  repository: KubeObject,
  chart: string,
  version: string,
): Promise<PulledChart> {
  const { url, secretRef } = repository.spec as unknown as HelmRepositorySpec
  const { namespace = '' } = repository.metadata
  const [, host, path] = /^oci:\/\/([^/]+)\/?(.*?)\/?$/.exec(url) ?? []
  if (!host) throw new SourceError('URLInvalid', `invalid OCI registry URL: ${url}`, true)
  if (secretRef) await checkCredentials(source.reads, url, namespace, secretRef.name)
  if (isRange(version))
    throw notInIndex(`could not locate a version matching provided version string ${version}`, version)
  const place = [path, chart].filter(Boolean).join('/')
  const deadline = deadlineOf(repository)
  // A tag may have no `+`; helm writes `_` for it.
  const manifest = await source.client.manifest(host, place, version.replaceAll('+', '_'), deadline).catch(notPulled)
  const layer = manifest.layers.find(({ mediaType }) => mediaType === chartMediaType)
  if (!layer) return notPulled(new Error(`${place}:${version} is no chart`))
  const archive = await source.client.blob(host, place, layer.digest, deadline).catch(notPulled)
  return { version: manifest.annotations?.['org.opencontainers.image.version'] ?? version, archive }
}

const chartMediaType = 'application/vnd.cncf.helm.chart.content.v1.tar+gzip'

/** A file of a Helm repository, whether or not its URL ends in a slash. */
const fileIn = (url: string, file: string) => `${url.replace(/\/*$/, '/')}${file}`

const deadlineOf = ({ spec }: KubeObject) => AbortSignal.timeout(parseDuration(spec?.timeout) ?? 60_000)

/** Versions are the same with and without a leading `v`. */
const same = (left: string, right: string) => left.replace(/^v/, '') === right.replace(/^v/, '')

const isRange = (version: string) => !/^v?\d+\.\d+\.\d+/.test(version)

const invalid = (why: string) => new SourceError('URLInvalid', `invalid Helm repository URL: ${why}`, true)

/** Final, as there: only another spec or another index can change it. */
function notInIndex(why: string, version = ''): SourceError {
  const lab = isRange(version) && version !== '' ? " (the lab's source server doesn't choose among versions)" : ''
  const what = 'invalid chart reference: failed to get chart version for remote reference'
  return new SourceError('InvalidChartReference', `${what}: ${why}${lab}`, true)
}

function notPulled(error: Error): never {
  const what = 'chart pull error: failed to download chart for remote reference'
  throw new SourceError('ChartPullError', `${what}: ${error.message}`)
}
