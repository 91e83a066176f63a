/** Writes to the lab's own API server, as the operators do whose part the lab plays. Reads go through src/lib/kube. */
import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { createConnection } from '../../kube/connection.ts'
import { createDiscovery } from '../../kube/discovery.ts'
import { readAccess, tlsOptions } from '../../kube/kubeconfig.ts'
import type { Json, KubeObject, ObjectRef } from '../../types.ts'

export type Manifest = {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; [key: string]: unknown }
} & {
  [key: string]: unknown
}

/** The API server refused a write, or didn't answer. */
export class WriteError extends Error {
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  constructor(message: string, status: number) {
    super(message)
    this.name = 'WriteError'
    this.status = status
  }
}

export interface Writer {
  /** Server-side apply of the whole object, taking over what others set. Every method throws WriteError. */
  apply(object: Manifest, fieldManager: string): Promise<KubeObject>
  /** Server-side apply of YAML text as it is, for large manifests such as CRDs that nobody needs parsed. */
  applyText(ref: ObjectRef & { name: string }, yaml: string, fieldManager: string): Promise<KubeObject>
  /** Merge patch (RFC 7386) of `/status`. An object that is gone is left alone. */
  patchStatus(object: KubeObject, status: { [key: string]: unknown }, options?: { dryRun: boolean }): Promise<void>
  /** Merge patch of another subresource, such as a CertificateSigningRequest's `approval`. */
  patchSubresource(object: KubeObject, subresource: string, change: { [key: string]: unknown }): Promise<void>
  /** Merge patch of the object itself. */
  patch(object: KubeObject, change: { [key: string]: unknown }): Promise<void>
  /** Deletes in the background; an object that is gone already is fine. */
  remove(ref: ObjectRef & { name: string }): Promise<void>
  create(object: Manifest, subresource?: { of: ObjectRef & { name: string }; name: string }): Promise<KubeObject>
}

const timeoutMs = 15_000

/** @param target kubeconfig and context of the lab's administrator */
export function createWriter(target: { kubeconfig: string; context: string }): Writer {
  const discovery = createDiscovery(createConnection(target))
  let access: Promise<{ server: string; agent: Agent }> | undefined

  const open = async () => {
    const read = await readAccess(target.kubeconfig, target.context)
    if (!read.ok) throw new WriteError(read.detail, 0)
    return { server: read.value.server, agent: new Agent({ keepAlive: true, ...tlsOptions(read.value) }) }
  }

  const send = async (method: string, path: string, body?: unknown, type = 'application/json'): Promise<KubeObject> => {
    access ??= open().catch((error: unknown) => {
      access = undefined
      throw error
    })
    const { server, agent } = await access
    const { promise, resolve, reject } = Promise.withResolvers<KubeObject>()
    const text = typeof body === 'string' ? body : JSON.stringify(body ?? {})
    // Node announces no body for DELETE by itself, and the server would take it for the next request.
    const length = Buffer.byteLength(text)
    const headers = { accept: 'application/json', 'content-type': type, 'content-length': length }
    const request = httpsRequest(new URL(path, server), { method, agent, headers, timeout: timeoutMs })
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
    request.on('error', (error) => reject(new WriteError(`${method} ${path}: ${error.message}`, 0)))
    request.on('response', (response) => {
      objectOf(response).then(({ status, value }) => {
        if (status >= 200 && status < 300) resolve(value as unknown as KubeObject)
        else reject(new WriteError(`${method} ${path}: HTTP ${status}: ${messageOf(value)}`, status))
      }, reject)
    })
    request.end(text)
    return promise
  }

  const collection = async (ref: ObjectRef): Promise<string> => {
    const path = await discovery.path(ref)
    if (!path.ok) throw new WriteError(path.detail, path.why === 'not-found' ? 404 : 0)
    return path.value
  }
  const pathOf = async ({ apiVersion, kind, metadata }: Manifest | KubeObject): Promise<string> => {
    const { name, namespace } = metadata
    return `${await collection({ apiVersion, kind, ...(namespace ? { namespace } : {}) })}/${name}`
  }
  const unlessGone = async (write: Promise<unknown>): Promise<void> => {
    await write.catch((error: unknown) => {
      if (!(error instanceof WriteError && error.status === 404)) throw error
    })
  }

  return {
    async apply(object, fieldManager) {
      const query = new URLSearchParams({ fieldManager, force: 'true' })
      return send('PATCH', `${await pathOf(object)}?${query}`, object, 'application/apply-patch+yaml')
    },
    async applyText(ref, yaml, fieldManager) {
      const query = new URLSearchParams({ fieldManager, force: 'true' })
      return send('PATCH', `${await collection(ref)}/${ref.name}?${query}`, yaml, 'application/apply-patch+yaml')
    },
    async patchStatus(object, status, { dryRun } = { dryRun: false }) {
      const path = `${await pathOf(object)}/status${dryRun ? '?dryRun=All' : ''}`
      await unlessGone(send('PATCH', path, { status }, 'application/merge-patch+json'))
    },
    async patchSubresource(object, subresource, change) {
      await unlessGone(send('PATCH', `${await pathOf(object)}/${subresource}`, change, 'application/merge-patch+json'))
    },
    async patch(object, change) {
      await unlessGone(send('PATCH', await pathOf(object), change, 'application/merge-patch+json'))
    },
    async remove(ref) {
      await unlessGone(send('DELETE', `${await collection(ref)}/${ref.name}`, { propagationPolicy: 'Background' }))
    },
    async create(object, subresource) {
      if (!subresource) {
        const { apiVersion, kind, metadata } = object
        const scope = metadata.namespace ? { namespace: metadata.namespace } : {}
        return send('POST', await collection({ apiVersion, kind, ...scope }), object)
      }
      return send('POST', `${await collection(subresource.of)}/${subresource.of.name}/${subresource.name}`, object)
    },
  }
}

async function objectOf(response: IncomingMessage): Promise<{ status: number; value: Json }> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  const text = Buffer.concat(chunks).toString('utf8')
  try {
    return { status: response.statusCode ?? 0, value: JSON.parse(text || 'null') as Json }
  } catch {
    return { status: response.statusCode ?? 0, value: text }
  }
}

function messageOf(value: Json): string {
  const status = value as { message?: string } | null
  return status?.message ?? JSON.stringify(value).slice(0, 300)
}
