/**
 * The way to VictoriaMetrics, VictoriaLogs and Alertmanager: through the API server's proxy to their Service, which is found by
 * its labels, which the repository names, in whatever cluster has it, so that nothing is forwarded and nothing is left behind; or through a gateway's URL.
 */
import type { KubeObject, KubePort, RawOptions, Result } from '../types.ts'

export type MonitoringKind = 'metrics' | 'logs' | 'alerts'

/** Whose API is spoken there. */
const titles: Record<MonitoringKind, string> = {
  metrics: 'VictoriaMetrics',
  logs: 'VictoriaLogs',
  alerts: 'Alertmanager',
}

export const titleOf = (kind: MonitoringKind): string => titles[kind]

/** Label selectors of the Services, as the repository says them. */
export type MonitoringSelectors = Partial<Record<MonitoringKind, string>>

/** A cluster in whose API a Service is looked for. */
export interface Peer {
  cluster: string
  kube: KubePort
}

export interface MonitoringService {
  title: string
  /** The cluster that it runs in; undefined behind a URL. */
  home: string | undefined
  /** `observability/vmsingle-stack`, or the URL. */
  name: string
  /** Of the API server: everything that the service serves is below it. None behind a URL. */
  proxyPath: string | undefined
  /** @param path of the service itself, `/api/v1/query?query=up` */
  read: (path: string, options?: RawOptions) => Promise<Result<string>>
}

/**
 * The first of `peers` that has one; the operator's order is theirs. A peer that can't be read is named when nobody has one.
 */
export async function findService(
  kind: MonitoringKind,
  selectors: MonitoringSelectors | undefined,
  peers: Peer[],
  signal?: AbortSignal,
): Promise<Result<MonitoringService>> {
  const labelSelector = selectors?.[kind]
  if (labelSelector === undefined) {
    const detail = `k8sops.yaml does not say how the Service of ${titles[kind]} is labelled (monitoring.${kind})`
    return { ok: false, why: 'not-found', detail }
  }
  const ref = { apiVersion: 'v1', kind: 'Service', labelSelector }
  const reads = await Promise.all(peers.map(async (peer) => ({ peer, read: await peer.kube.list(ref, signal) })))
  for (const { peer, read } of reads) {
    const service = read.ok ? chosen(read.value) : undefined
    if (service) return { ok: true, value: behindProxy(kind, peer, service) }
  }
  const away = reads.flatMap(({ peer, read }) => (read.ok ? [] : [`${peer.cluster}: ${read.detail}`]))
  const looked = peers.map(({ cluster }) => cluster).join(', ')
  if (away.length > 0)
    return { ok: false, why: 'unreachable', detail: `${titles[kind]} was not found: ${away.join('; ')}` }
  const detail = `no Service of ${titles[kind]} (${labelSelector}) in ${looked}`
  return { ok: false, why: 'not-found', detail }
}

/** The operator also makes `NAME-additional-service` where one is asked for; its own has the shorter name. */
function chosen(services: KubeObject[]): KubeObject | undefined {
  const nameOf = ({ metadata }: KubeObject) => `${metadata.namespace}/${metadata.name}`
  return services
    .filter((one) => portsOf(one).length > 0)
    .toSorted((a, b) => nameOf(a).length - nameOf(b).length || nameOf(a).localeCompare(nameOf(b)))[0]
}

interface ServicePort {
  name?: string
  port: number
}

const portsOf = ({ spec }: KubeObject): ServicePort[] => (spec?.ports ?? []) as ServicePort[]

function behindProxy(kind: MonitoringKind, { cluster, kube }: Peer, service: KubeObject): MonitoringService {
  const { namespace = '', name } = service.metadata
  const ports = portsOf(service)
  // The operator calls it http, Alertmanager's web; what else a Service has (ingestion, mesh) comes after it.
  const port = ports.find((one) => one.name === 'http' || one.name === 'web') ?? ports[0]
  const proxyPath = `/api/v1/namespaces/${namespace}/services/${name}:${port?.name ?? port?.port}/proxy`
  return {
    title: titles[kind],
    home: cluster,
    name: `${namespace}/${name}`,
    proxyPath,
    read: async (path, options) => {
      const read = await kube.raw(`${proxyPath}${path}`, options)
      return read.ok ? read : { ...read, detail: `${namespace}/${name} in ${cluster}: ${read.detail}` }
    },
  }
}

/** @param url of the service at a gateway, without the API's own path */
export function behindUrl(kind: MonitoringKind, url: string): MonitoringService {
  const base = url.replace(/\/+$/, '')
  return {
    title: titles[kind],
    home: undefined,
    name: base,
    proxyPath: undefined,
    read: (path, options) => fetched(base, path, options),
  }
}

const answerMs = 10_000

async function fetched(base: string, path: string, options: RawOptions = {}): Promise<Result<string>> {
  const silence = AbortSignal.timeout(options.timeoutMs ?? answerMs)
  // What is followed has no end; only its beginning has a limit.
  const limit = options.onLine ? [] : [silence]
  const signal = AbortSignal.any([...limit, ...(options.signal ? [options.signal] : [])])
  try {
    const response = await fetch(`${base}${path}`, { signal })
    if (response.ok && options.onLine && response.body) {
      await tellLines(response.body, options.onLine)
      return { ok: true, value: '' }
    }
    const text = await response.text()
    if (response.ok) return { ok: true, value: text }
    const { status } = response
    const why = status === 404 ? 'not-found' : status === 401 || status === 403 ? 'denied' : 'failed'
    return {
      ok: false,
      why: status >= 502 && status <= 504 ? 'unreachable' : why,
      detail: `${base}: HTTP ${status}: ${messageOf(text)}`,
    }
  } catch (error) {
    const { cause, message } = error as Error
    return { ok: false, why: 'unreachable', detail: `${base}: ${cause instanceof Error ? cause.message : message}` }
  }
}

async function tellLines(body: ReadableStream<Uint8Array>, onLine: (line: string) => void): Promise<void> {
  let rest = ''
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') onLine(line)
  }
  if (rest !== '') onLine(rest)
}

function messageOf(text: string): string {
  try {
    return String((JSON.parse(text) as { error?: unknown }).error ?? text)
  } catch {
    return text.trim().slice(0, 300)
  }
}
