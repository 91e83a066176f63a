/**
 * What a kubeconfig says about one context. Certificates, tokens and files are read here; a user that needs a credential
 * plugin (`exec`, `auth-provider`) or a cluster behind `proxy-url` goes through @kubernetes/client-node, which knows them
 * all. It is imported only then: measured here, importing its config module alone takes 280 ms on an idle machine and 90 MB.
 */
import { readFile, stat } from 'node:fs/promises'
import type { Agent, RequestOptions } from 'node:https'
import { dirname, resolve } from 'node:path'
import { type ConnectionOptions, createSecureContext, type SecureContext } from 'node:tls'
import type { Result } from '../types.ts'

/** How to reach one cluster: the TLS material and headers of its kubeconfig entry. */
export interface Access {
  /** `https://10.25.13.10:6443` */
  server: string
  ca?: Buffer
  cert?: Buffer
  /** Of both and the key, made once: it takes longer than the rest of a connection. */
  secureContext?: SecureContext
  servername?: string
  insecure?: boolean
  headers: Record<string, string>
  /** Made by @kubernetes/client-node when the kubeconfig needs more than certificates and tokens. */
  agent?: Agent
}

type TlsOptions = Pick<ConnectionOptions, 'secureContext' | 'servername' | 'rejectUnauthorized'>

interface Entry<Name extends string> {
  name: string
  context?: Name extends 'context' ? { cluster: string; user: string } : never
  cluster?: Name extends 'cluster' ? Record<string, unknown> : never
  user?: Name extends 'user' ? Record<string, unknown> : never
}

interface KubeconfigFile {
  'current-context'?: string
  contexts?: Entry<'context'>[] | null
  clusters?: Entry<'cluster'>[] | null
  users?: Entry<'user'>[] | null
}

/**
 * Reads the access of `context`. The answer is `not-found` when the file or the context isn't there, `bad-output`
 * when the file can't be understood.
 * @param file path of the kubeconfig
 */
export async function readAccess(file: string, context: string): Promise<Result<Access>> {
  const parsed = await parseFile(file)
  if (!parsed.ok) return parsed
  const named = <E extends { name: string }>(entries: E[] | null | undefined, name: string | undefined) =>
    (entries ?? []).find((entry) => entry.name === name)
  const entry = named(parsed.value.contexts, context)?.context
  if (!entry) return { ok: false, why: 'not-found', detail: `${file} has no context "${context}"` }
  const cluster = named(parsed.value.clusters, entry.cluster)?.cluster
  const user = named(parsed.value.users, entry.user)?.user ?? {}
  if (!cluster || typeof cluster.server !== 'string') {
    return {
      ok: false,
      why: 'bad-output',
      detail: `${file}: context "${context}" names cluster "${entry.cluster}", which has no server`,
    }
  }
  const plugin = user.exec || user['auth-provider'] || user.as || cluster['proxy-url']
  if (plugin) return pluginAccess(file, context)
  return directAccess(file, cluster, user)
}

const readers = new Map<string, () => Promise<Result<Access>>>()

/**
 * The same whenever it is asked, of a file that others write meanwhile; understood anew, as another object, only when it was written. Those
 * who ask at one time share a look at it, and all of one context the reader.
 */
export function accessReader(target: { kubeconfig: string; context: string }): () => Promise<Result<Access>> {
  const key = JSON.stringify([target.kubeconfig, target.context])
  const reader = readers.get(key) ?? createAccessReader(target)
  readers.set(key, reader)
  return reader
}

function createAccessReader(target: { kubeconfig: string; context: string }): () => Promise<Result<Access>> {
  let known: { stamp: string; access: Promise<Result<Access>> } | undefined
  let looking: Promise<Result<Access>> | undefined
  const look = async (): Promise<Result<Access>> => {
    const stamp = await fileStamp(target.kubeconfig)
    looking = undefined
    if (known?.stamp !== stamp) known = { stamp, access: readAccess(target.kubeconfig, target.context) }
    return known.access
  }
  return () => {
    looking ??= look()
    return looking
  }
}

/** The stamp of a file, to notice that it was rewritten; empty when it isn't there. */
async function fileStamp(file: string): Promise<string> {
  const found = await stat(file).catch(() => undefined)
  return found ? `${found.mtimeMs}:${found.size}:${found.ino}` : ''
}

async function parseFile(file: string): Promise<Result<KubeconfigFile>> {
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => error)
  if (typeof text !== 'string') {
    return { ok: false, why: text.code === 'ENOENT' ? 'not-found' : 'failed', detail: `${file}: ${text.message}` }
  }
  try {
    // talosctl and kubectl write JSON-compatible YAML, people write the rest.
    const { loadAll } = await import('js-yaml')
    return { ok: true, value: (loadAll(text)[0] ?? {}) as KubeconfigFile }
  } catch (error) {
    return { ok: false, why: 'bad-output', detail: `${file}: ${(error as Error).message.split('\n')[0]}` }
  }
}

async function directAccess(
  file: string,
  cluster: Record<string, unknown>,
  user: Record<string, unknown>,
): Promise<Result<Access>> {
  // Relative paths in a kubeconfig are relative to the file, as kubectl reads them.
  const material = async (from: Record<string, unknown>, key: string): Promise<Buffer | undefined> => {
    const data = from[`${key}-data`]
    if (typeof data === 'string' && data) return Buffer.from(data, 'base64')
    const path = from[key]
    return typeof path === 'string' && path ? readFile(resolve(dirname(file), path)) : undefined
  }
  try {
    const [ca, cert, key] = await Promise.all([
      material(cluster, 'certificate-authority'),
      material(user, 'client-certificate'),
      material(user, 'client-key'),
    ])
    const tokenFile = user.tokenFile
    const token =
      typeof tokenFile === 'string' ? (await readFile(resolve(dirname(file), tokenFile), 'utf8')).trim() : user.token
    const basic =
      typeof user.username === 'string'
        ? `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`
        : undefined
    const authorization = typeof token === 'string' ? `Bearer ${token}` : basic
    const servername = cluster['tls-server-name']
    return {
      ok: true,
      value: {
        server: String(cluster.server),
        ...(ca ? { ca } : {}),
        ...(cert ? { cert } : {}),
        secureContext: createSecureContext({
          ...(ca ? { ca } : {}),
          ...(cert ? { cert } : {}),
          ...(key ? { key } : {}),
        }),
        ...(typeof servername === 'string' ? { servername } : {}),
        ...(cluster['insecure-skip-tls-verify'] === true ? { insecure: true } : {}),
        headers: authorization ? { authorization } : {},
      },
    }
  } catch (error) {
    return { ok: false, why: 'failed', detail: `${file}: ${(error as Error).message}` }
  }
}

/** What Node's https takes from it. */
export function tlsOptions({ secureContext, servername, insecure }: Access): TlsOptions {
  return {
    ...(secureContext ? { secureContext } : {}),
    ...(servername ? { servername } : {}),
    ...(insecure ? { rejectUnauthorized: false } : {}),
  }
}

async function pluginAccess(file: string, context: string): Promise<Result<Access>> {
  try {
    const { KubeConfig } = await import('@kubernetes/client-node')
    const config = new KubeConfig()
    config.loadFromFile(file)
    config.setCurrentContext(context)
    const options: RequestOptions = { headers: {} }
    await config.applyToHTTPSOptions(options)
    return {
      ok: true,
      value: {
        server: config.getCurrentCluster()?.server ?? '',
        headers: options.headers as Record<string, string>,
        ...(options.agent ? { agent: options.agent as Agent } : {}),
      },
    }
  } catch (error) {
    return { ok: false, why: 'denied', detail: `context "${context}": ${(error as Error).message}` }
  }
}
