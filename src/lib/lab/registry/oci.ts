/** The read-only half of the OCI distribution specification (v1.1, sections "Pull" and "Content discovery") for charts. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServedChart } from '../charts/index.ts'
import { sha256 } from '../charts/index.ts'

const mediaTypes = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.cncf.helm.config.v1+json',
  chart: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip',
}

export interface Answer {
  status: number
  type: string
  body: Buffer
  /** `docker-content-digest` of a manifest or blob. */
  digest?: string
}

/**
 * Answers a request below `/v2/`.
 * @param path `/v2/<repository>/<manifests|blobs|tags>/<reference>`
 * @param chartsAt the charts under one repository of this registry
 */
export async function ociAnswer(
  path: string,
  chartsAt: (repository: string) => Promise<ServedChart[]>,
): Promise<Answer> {
  if (path === '/v2/' || path === '/v2') return json(200, {})
  const [, repository, kind, reference] = /^\/v2\/(.+)\/(manifests|blobs|tags)\/([^/]+)$/.exec(path) ?? []
  if (!repository || !kind || !reference) return failure('UNSUPPORTED', `${path} is not part of a read-only registry`)
  const charts = await chartsAt(repository)
  if (charts.length === 0) return failure('NAME_UNKNOWN', `no chart record in the lab for ${repository}`)
  if (kind === 'tags') return json(200, { name: repository, tags: charts.map(({ source }) => source.version) })
  const content = charts.flatMap(contentOf)
  if (kind === 'blobs') {
    const blob = content.find(({ digest }) => digest === reference)
    return blob ?? failure('BLOB_UNKNOWN', `no blob ${reference} in ${repository}`)
  }
  const manifest = content.find(({ digest, tag }) => tag !== undefined && (tag === reference || digest === reference))
  return (
    manifest ??
    failure(
      'MANIFEST_UNKNOWN',
      `no ${repository}:${reference}: the repository names ${charts.map(({ source }) => source.version).join(', ')}`,
    )
  )
}

/** The manifest of an image that the lab's machines can run, as far as somebody asks whether it is there; undefined when it isn't an image's. */
export function imageManifest(host: string, path: string, has: (reference: string) => boolean): Answer | undefined {
  const [, repository, tag] = /^\/v2\/(.+)\/manifests\/([^/]+)$/.exec(path) ?? []
  if (!repository || !tag || !has(`${host}/${repository}:${tag}`)) return undefined
  // An index, as for every image of several architectures. What it names can't be had here: nobody asks for more.
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [], annotations: { [repository]: tag } }
  const body = Buffer.from(JSON.stringify(index))
  return { status: 200, type: mediaTypes.index, body, digest: sha256(body) }
}

/** Writes an answer; HEAD gets the head only. */
export function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': answer.body.length,
    'docker-distribution-api-version': 'registry/2.0',
    ...(answer.digest ? { 'docker-content-digest': answer.digest, etag: `"${answer.digest}"` } : {}),
  })
  response.end(request.method === 'HEAD' ? undefined : answer.body)
}

export function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json', body: Buffer.from(JSON.stringify(value)) }
}

/** The manifest (with its tag), the config and the archive of a chart. */
function contentOf(chart: ServedChart): (Answer & { digest: string; tag?: string })[] {
  const config = Buffer.from(JSON.stringify(chart.metadata))
  const descriptor = (mediaType: string, bytes: Buffer) => ({ mediaType, digest: sha256(bytes), size: bytes.length })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: descriptor(mediaTypes.config, config),
      layers: [descriptor(mediaTypes.chart, chart.archive)],
      annotations: {
        'org.opencontainers.image.title': chart.source.name,
        'org.opencontainers.image.version': chart.source.version,
      },
    }),
  )
  const blob = (body: Buffer) => ({ status: 200, type: 'application/octet-stream', body, digest: sha256(body) })
  return [
    { status: 200, type: mediaTypes.manifest, body: manifest, digest: sha256(manifest), tag: chart.source.version },
    blob(config),
    blob(chart.archive),
  ]
}

function failure(code: string, message: string): Answer {
  return json(404, { errors: [{ code, message }] })
}
