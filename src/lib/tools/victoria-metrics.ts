/** Queries of VictoriaMetrics (1.1xx, single node) by Prometheus' HTTP API, in MetricsQL. */
import type { RawOptions, Result } from '../types.ts'
import type { MonitoringService } from './monitoring.ts'

export interface Series {
  labels: Record<string, string>
  /** Seconds since 1970 and value; NaN and infinities as they are. */
  points: [at: number, value: number][]
}

export interface QueryOptions {
  /** Only series with this label `cluster`; all without it. */
  cluster: string | undefined
  signal?: AbortSignal
}

/** A dashboard's query takes 2 s (NFR3); what takes a minute is refused by VictoriaMetrics itself (-search.maxQueryDuration 30s). */
const patienceMs = 40_000

/** @param at seconds since 1970; now without it */
export function instantQuery(
  service: MonitoringService,
  expression: string,
  { at, ...options }: QueryOptions & { at?: number },
): Promise<Result<Series[]>> {
  const parameters = { query: expression, ...(at === undefined ? {} : { time: String(at) }) }
  return ask(service, 'query', parameters, options)
}

/** @param range `from` and `to` in seconds since 1970, `stepSec` between two points */
export function rangeQuery(
  service: MonitoringService,
  expression: string,
  { from, to, stepSec, ...options }: QueryOptions & { from: number; to: number; stepSec: number },
): Promise<Result<Series[]>> {
  const parameters = { query: expression, start: String(from), end: String(to), step: String(stepSec) }
  return ask(service, 'query_range', parameters, options)
}

interface Answer {
  status?: string
  error?: string
  data?: { resultType: string; result: unknown }
}
type WirePoint = [number, string]
interface WireSeries {
  metric: Record<string, string>
  value?: WirePoint
  values?: WirePoint[]
}

async function ask(
  service: MonitoringService,
  endpoint: string,
  parameters: Record<string, string>,
  { cluster, signal }: QueryOptions,
): Promise<Result<Series[]>> {
  // It is added to every selector of the query, whatever the query says (VictoriaMetrics' own parameter).
  const only = cluster === undefined ? {} : { extra_label: `cluster=${cluster}` }
  const query = new URLSearchParams({ ...parameters, ...only })
  const options: RawOptions = { timeoutMs: patienceMs, ...(signal ? { signal } : {}) }
  const read = await service.read(`/api/v1/${endpoint}?${query}`, options)
  if (!read.ok) return read
  const answer = parsed(read.value)
  if (answer?.status !== 'success' || !answer.data) {
    const detail = answer?.error ?? `${service.name}: what answers there is no ${service.title}`
    return { ok: false, why: 'bad-output', detail }
  }
  return { ok: true, value: seriesOf(answer.data) }
}

function seriesOf({ resultType, result }: { resultType: string; result: unknown }): Series[] {
  if (resultType === 'scalar') return [{ labels: {}, points: [pointOf(result as WirePoint)] }]
  return (result as WireSeries[]).map(({ metric, value, values }) => ({
    labels: metric,
    points: (values ?? (value ? [value] : [])).map(pointOf),
  }))
}

const pointOf = ([at, value]: WirePoint): [number, number] => [at, numberOf(value)]

function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY
  return text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text)
}

function parsed(text: string): Answer | undefined {
  try {
    return JSON.parse(text) as Answer
  } catch {
    return undefined
  }
}

/** `up{job="node"}`; without labels `{}`. */
export function seriesName(labels: Record<string, string>, hidden: Set<string> = new Set()): string {
  const { __name__: name = '', ...others } = labels
  const shown = Object.entries(others).filter(([label]) => !hidden.has(label))
  if (shown.length === 0) return name || '{}'
  return `${name}{${shown.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(', ')}}`
}

/** Labels that have the same value in all of several series: they tell nothing apart. */
export function sharedLabels(all: Series[]): Set<string> {
  const [first, ...others] = all
  if (!first || others.length === 0) return new Set()
  return new Set(
    Object.entries(first.labels)
      .filter(([label, value]) => label !== '__name__' && others.every(({ labels }) => labels[label] === value))
      .map(([label]) => label),
  )
}
