/**
 * Whether a registry has an image: a HEAD of its manifest by the OCI distribution API, with the anonymous token that ghcr.io and
 * others want first. Goes out as the tools do: through the proxy, and with the authorities, of their environment.
 */
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import type { Result } from '../types.ts'

export interface ImageReference {
  /** Host of the registry, with its port. */
  registry: string
  repository: string
  /** A tag, or `sha256:...`. */
  reference: string
}

const timeoutMs = 10_000
const mostRedirects = 3

/** Single images and lists of images for several platforms. */
const accept = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ')

/** Undefined for what no runtime would pull. Names without a host are Docker Hub's. */
export function parseImage(image: string): ImageReference | undefined {
  const [, name = '', tag, digest] = /^(.+?)(?::([\w][\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/.exec(image) ?? []
  const reference = digest ?? tag
  if (reference === undefined) return undefined
  const [first = '', ...rest] = name.split('/')
  const hasHost = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const repository = hasHost ? rest.join('/') : rest.length > 0 ? name : `library/${name}`
  if (!/^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/.test(repository)) return undefined
  return { registry: hasHost ? first : 'registry-1.docker.io', repository, reference }
}

/**
 * @param env of the tools: HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE
 * @returns `not-found` when the registry has no such manifest, `denied` when it wants an account, `unreachable` when it gives
 * no answer or can't at the moment
 */
export async function imageManifest(
  image: string,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Result<{ digest: string }>> {
  const parsed = parseImage(image)
  if (!parsed) return { ok: false, why: 'not-found', detail: 'no image reference with a tag or digest' }
  const { registry, repository, reference } = parsed
  const agent = await createAgent(env)
  const url = new URL(`https://${registry}/v2/${repository}/manifests/${reference}`)
  try {
    const first = await send('HEAD', url, agent, {}, signal)
    if (first.statusCode !== 401) return answerOf(first, registry)
    const token = await anonymousToken(String(first.headers['www-authenticate'] ?? ''), repository, agent, signal)
    if (!token.ok) return token
    return answerOf(await send('HEAD', url, agent, { authorization: `Bearer ${token.value}` }, signal), registry)
  } catch (error) {
    const { message, code = '' } = error as NodeJS.ErrnoException
    return { ok: false, why: 'unreachable', detail: `${registry}: ${message || code}` }
  } finally {
    agent.destroy()
  }
}

async function createAgent(env: NodeJS.ProcessEnv): Promise<Agent> {
  const extra = env.SSL_CERT_FILE ? await readFile(env.SSL_CERT_FILE, 'utf8') : ''
  const secureContext = trusting.get(extra) ?? trustingAlso(extra)
  trusting.set(extra, secureContext)
  return new Agent({ secureContext, proxyEnv: env, keepAlive: false })
}

/** By the text of SSL_CERT_FILE: hundreds of authorities, and Node would take them in anew for every connection. */
const trusting = new Map<string, SecureContext>()

/** Go's SSL_CERT_FILE replaces the system's authorities; here it joins Node's own, which the tools' file may be all of. */
function trustingAlso(extra: string): SecureContext {
  const ca = new Set([...getCACertificates('default'), ...getCACertificates('system'), ...(extra ? [extra] : [])])
  return createSecureContext({ ca: [...ca] })
}

/** The answer's head; its body is thrown away unless `body` asks for it. */
async function send(
  method: 'HEAD' | 'GET',
  url: URL,
  agent: Agent,
  headers: Record<string, string>,
  signal: AbortSignal,
  redirects = 0,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
  const request = httpsRequest(url, { method, agent, headers: { accept, ...headers }, signal: limit })
  request.on('response', resolve)
  request.on('error', (error) => {
    const late = limit.aborted && !signal.aborted
    reject(late ? new Error(`no answer within ${timeoutMs / 1000} s`) : error)
  })
  request.end()
  const response = await promise
  const { location } = response.headers
  if (![301, 302, 307, 308].includes(response.statusCode ?? 0) || !location || redirects === mostRedirects)
    return response
  response.resume()
  const next = new URL(location, url)
  // The token is for the registry, not for the store that it points to.
  const { authorization: _own, ...others } = headers
  return send(method, next, agent, next.host === url.host ? headers : others, signal, redirects + 1)
}

function answerOf(response: IncomingMessage, registry: string): Result<{ digest: string }> {
  response.resume()
  const status = response.statusCode ?? 0
  const detail = `${registry} answers ${status} ${response.statusMessage ?? ''}`.trim()
  if (status === 200) return { ok: true, value: { digest: String(response.headers['docker-content-digest'] ?? '') } }
  // ghcr.io answers 403 for what does not exist; from outside it can't be told from what is private.
  if (status === 404) return { ok: false, why: 'not-found', detail }
  if (status === 401 || status === 403) return { ok: false, why: 'denied', detail }
  return { ok: false, why: status === 429 || status >= 500 ? 'unreachable' : 'failed', detail }
}

/** `Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:x:pull"` -> a token from there. */
async function anonymousToken(
  challenge: string,
  repository: string,
  agent: Agent,
  signal: AbortSignal,
): Promise<Result<string>> {
  const fields = Object.fromEntries([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]))
  if (!/^bearer /i.test(challenge) || !URL.canParse(fields.realm ?? ''))
    return { ok: false, why: 'denied', detail: `the registry wants an account (${challenge || 'no challenge'})` }
  const url = new URL(fields.realm ?? '')
  if (url.protocol !== 'https:')
    return { ok: false, why: 'denied', detail: `tokens from ${url.origin} are not encrypted` }
  if (fields.service) url.searchParams.set('service', fields.service)
  url.searchParams.set('scope', fields.scope ?? `repository:${repository}:pull`)
  const response = await send('GET', url, agent, {}, signal)
  const text = await bodyOf(response)
  if (response.statusCode !== 200)
    return { ok: false, why: 'denied', detail: `${url.host} gives no anonymous token (${response.statusCode})` }
  const { token, access_token: other } = JSON.parse(text) as { token?: string; access_token?: string }
  const found = token ?? other
  return found
    ? { ok: true, value: found }
    : { ok: false, why: 'bad-output', detail: `${url.host} gives an empty token` }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
