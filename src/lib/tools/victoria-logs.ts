/** Queries of VictoriaLogs (1.x) in LogsQL, over the fields that fluent-bit gives every line (observability/fluent-bit). */
import type { RawOptions, Result } from '../types.ts'
import type { MonitoringService } from './monitoring.ts'

/** Fluent-bit's names. */
export const fields = {
  cluster: 'cluster',
  namespace: 'k_namespace_name',
  pod: 'k_pod_name',
  container: 'k_container_name',
  app: 'app',
  stream: 'stream',
} as const

export interface LogLine {
  /** RFC 3339 with nanoseconds. */
  at: string
  message: string
  cluster: string
  namespace: string
  pod: string
  container: string
  app: string
  stream: string
}

export interface LogSelection {
  /** All clusters without one. */
  cluster?: string | undefined
  namespace?: string | undefined
  /** The beginning of its name, which ends in a hash. */
  pod?: string | undefined
  container?: string | undefined
  app?: string | undefined
  /** A regular expression (RE2) somewhere in the line. */
  grep?: string | undefined
}

/** The filter of a selection, without a time. */
export function logsFilter(selection: LogSelection): string {
  const exact = (field: string, value: string | undefined) =>
    value === undefined ? [] : [`${JSON.stringify(field)}:=${JSON.stringify(value)}`]
  const { cluster, namespace, pod, container, app, grep } = selection
  const parts = [
    ...exact(fields.cluster, cluster),
    ...exact(fields.namespace, namespace),
    ...exact(fields.container, container),
    ...exact(fields.app, app),
    // `="text"*` is a prefix of the whole value, `"text"*` of any word in it.
    ...(pod === undefined ? [] : [`${JSON.stringify(fields.pod)}:=${JSON.stringify(pod)}*`]),
    ...(grep === undefined ? [] : [`_msg:~${JSON.stringify(grep)}`]),
  ]
  return parts.length === 0 ? '*' : parts.join(' ')
}

export interface LogsRequest {
  filter: string
  /** How long ago it begins and ends (seconds). */
  sinceSec: number
  untilSec: number
  /** The newest so many. */
  limit: number
  signal?: AbortSignal
}

/** A search takes up to 5 s (NFR4); VictoriaLogs itself gives up after 30 s (-search.maxQueryDuration). */
const patienceMs = 40_000

/** The newest lines, in the order in which they were written. */
export async function queryLogs(
  service: MonitoringService,
  { filter, sinceSec, untilSec, limit, signal }: LogsRequest,
): Promise<Result<LogLine[]>> {
  const time = untilSec > 0 ? `_time:${sinceSec - untilSec}s offset ${untilSec}s` : `_time:${sinceSec}s`
  // Sorting and cutting is the server's work: it keeps only `limit` lines in memory, and so do we.
  const query = `${time} ${filter} | sort by (_time) desc limit ${limit}`
  const parameters = new URLSearchParams({ query })
  const options: RawOptions = { timeoutMs: patienceMs, ...(signal ? { signal } : {}) }
  const read = await service.read(`/select/logsql/query?${parameters}`, options)
  if (!read.ok) return read
  const lines: LogLine[] = []
  for (const text of read.value.split('\n')) {
    if (text === '') continue
    const line = lineOf(text)
    if (!line)
      return { ok: false, why: 'bad-output', detail: `${service.name}: what answers there is no ${service.title}` }
    lines.push(line)
  }
  return { ok: true, value: lines.reverse() }
}

/** Tells each new line as it comes, until the signal aborts or the server ends it. */
export async function tailLogs(
  service: MonitoringService,
  filter: string,
  signal: AbortSignal,
  onLine: (line: LogLine) => void,
): Promise<Result<string>> {
  const parameters = new URLSearchParams({ query: filter })
  return service.read(`/select/logsql/tail?${parameters}`, {
    signal,
    // A quiet application says nothing for hours.
    timeoutMs: 0,
    onLine: (text) => {
      const line = lineOf(text)
      if (line) onLine(line)
    },
  })
}

function lineOf(text: string): LogLine | undefined {
  try {
    const line = JSON.parse(text) as Record<string, string>
    const field = (name: string) => line[name] ?? ''
    return {
      at: field('_time'),
      message: field('_msg').trimEnd(),
      cluster: field(fields.cluster),
      namespace: field(fields.namespace),
      pod: field(fields.pod),
      container: field(fields.container),
      app: field(fields.app),
      stream: field(fields.stream),
    }
  } catch {
    return undefined
  }
}
