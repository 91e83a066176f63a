/** Pulls from registries and Helm repositories as source-controller does: through the proxy, with a deadline, and with the registry's own errors. */
import { readFile } from 'node:fs/promises'
import { Agent, request as httpsRequest } from 'node:https'
import { dialledHost } from '../charts/sources.ts'
import { proxyCaFile, proxyPort } from '../materialise/environment.ts'
import type { LabSpec } from '../types.ts'

interface Descriptor {
  mediaType: string
  digest: string
  size: number
}

export interface RegistryManifest {
  /** `sha256:...` of the manifest's bytes. */
  digest: string
  layers: Descriptor[]
  annotations?: Record<string, string>
}

export interface RegistryClient {
  /** @param reference a tag or a digest. Every method throws Error with the registry's answer. */
  manifest(host: string, repository: string, reference: string, signal: AbortSignal): Promise<RegistryManifest>
  blob(host: string, repository: string, digest: string, signal: AbortSignal): Promise<Buffer>
  /** A file of a web server, such as a Helm repository's index. @param url `https://...` */
  file(url: string, signal: AbortSignal): Promise<Buffer>
}

const accept = 'application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json'

export async function createRegistryClient(spec: LabSpec): Promise<RegistryClient> {
  const agent = new Agent({
    ca: await readFile(proxyCaFile(spec.dir)),
    proxyEnv: { HTTPS_PROXY: `http://${spec.base}:${proxyPort}` },
  })
  const get = (host: string, path: string, signal: AbortSignal) =>
    fetchBytes(agent, new URL(path, `https://${dialledHost(host)}`), signal)
  return {
    async manifest(host, repository, reference, signal) {
      const { body, digest } = await get(host, `/v2/${repository}/manifests/${reference}`, signal)
      const manifest = JSON.parse(body.toString('utf8')) as Omit<RegistryManifest, 'digest'>
      return { ...manifest, digest }
    },
    async blob(host, repository, digest, signal) {
      return (await get(host, `/v2/${repository}/blobs/${digest}`, signal)).body
    },
    async file(url, signal) {
      if (!url.startsWith('https:')) throw new Error(`GET ${url}: the lab's proxy opens tunnels only`)
      return (await fetchBytes(agent, new URL(url), signal)).body
    },
  }
}

async function fetchBytes(agent: Agent, url: URL, signal: AbortSignal): Promise<{ body: Buffer; digest: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ body: Buffer; digest: string }>()
  const fail = (why: string) => reject(new Error(`GET ${url}: ${why}`))
  const request = httpsRequest(url, { agent, headers: { accept }, signal })
  request.on('error', (error) => fail(signal.aborted ? 'context deadline exceeded' : error.message))
  request.on('response', (response) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', (error) => fail(signal.aborted ? 'context deadline exceeded' : error.message))
    response.on('end', () => {
      const body = Buffer.concat(chunks)
      if (response.statusCode === 200)
        resolve({ body, digest: String(response.headers['docker-content-digest'] ?? '') })
      else fail(registryError(response.statusCode ?? 0, body.toString('utf8')))
    })
  })
  request.end()
  return promise
}

/** As go-containerregistry words it: `MANIFEST_UNKNOWN: no such tag`, else the status. */
function registryError(status: number, text: string): string {
  try {
    const { errors } = JSON.parse(text) as { errors: { code: string; message: string }[] }
    return errors.map(({ code, message }) => `${code}: ${message}`).join('; ')
  } catch {
    return `unexpected status code ${status}${text ? `: ${text.slice(0, 200).trim()}` : ''}`
  }
}
