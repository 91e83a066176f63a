/** Silences of Alertmanager by its API v2 (0.28), which VMAlertmanager speaks as well. */
import type { SilencePort } from '../engine/ports.ts'
import type { Alert, Result } from '../types.ts'
import type { MonitoringService } from './monitoring.ts'

const timeoutMs = 5_000

/** @param url of Alertmanager, without `/api/v2` */
export function createSilencePort(url: string): SilencePort {
  const api = async (method: string, path: string, body?: object): Promise<Result<unknown>> => {
    try {
      const response = await fetch(`${url.replace(/\/$/, '')}/api/v2/${path}`, {
        method,
        ...(body ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } } : {}),
        signal: AbortSignal.timeout(timeoutMs),
      })
      const text = await response.text()
      if (response.ok) return { ok: true, value: text === '' ? undefined : JSON.parse(text) }
      const why =
        response.status === 404 ? 'not-found' : response.status === 401 || response.status === 403 ? 'denied' : 'failed'
      return { ok: false, why, detail: `${url}: HTTP ${response.status}: ${text.trim().slice(0, 300)}` }
    } catch (error) {
      const { cause, message } = error as Error
      return { ok: false, why: 'unreachable', detail: `${url}: ${cause instanceof Error ? cause.message : message}` }
    }
  }
  return {
    async set({ id, matchers, by, comment, until }) {
      const now = new Date()
      // Only the end of an active one may move, and only if its beginning is told as it is; for anything else there comes another one.
      const known = id === undefined ? undefined : await api('GET', `silence/${id}`)
      if (known && !known.ok && known.why !== 'not-found') return known
      const held = known?.ok ? (known.value as { startsAt: string; status: { state: string } }) : undefined
      const goesOn = held !== undefined && held.status.state !== 'expired'
      const made = await api('POST', 'silences', {
        ...(goesOn ? { id, startsAt: held.startsAt } : { startsAt: now.toISOString() }),
        endsAt: until.toISOString(),
        matchers: matchers.map(matcherOf),
        createdBy: by,
        comment,
      })
      return made.ok ? { ok: true, value: (made.value as { silenceID: string }).silenceID } : made
    },
    async end(id) {
      const ended = await api('DELETE', `silence/${id}`)
      return ended.ok || ended.why === 'not-found' ? { ok: true, value: undefined } : ended
    },
  }
}

/** `severity=~"warning|info"`, as everywhere at Prometheus. */
function matcherOf(text: string): { name: string; value: string; isRegex: boolean; isEqual: boolean } {
  const [, name = '', operator = '=', value = ''] = /^(\w+)(=~|!~|!=|=)"(.*)"$/.exec(text) ?? []
  return { name, value, isRegex: operator.endsWith('~'), isEqual: operator.startsWith('=') }
}

interface WireAlert {
  labels: Record<string, string>
  annotations: Record<string, string>
  startsAt: string
  status: { state: string; silencedBy: string[] }
}

/** Everything that fires, silenced or not, the worst first. */
export async function firingAlerts(service: MonitoringService, signal?: AbortSignal): Promise<Result<Alert[]>> {
  const read = await service.read('/api/v2/alerts?active=true&silenced=true&inhibited=true', signal ? { signal } : {})
  if (!read.ok) return read
  const alerts = parsed<WireAlert[]>(read.value)
  if (!Array.isArray(alerts)) return notJson(service)
  return { ok: true, value: alerts.map(alertOf) }
}

const alertOf = ({ labels, annotations, startsAt, status }: WireAlert): Alert => ({
  name: labels.alertname ?? '',
  severity: labels.severity ?? '',
  since: startsAt,
  state: status.state,
  summary: annotations.summary ?? annotations.description ?? annotations.message ?? '',
  labels,
  silencedBy: status.silencedBy,
  runbook: annotations.runbook_url ?? '',
})

function parsed<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T
  } catch {
    return undefined
  }
}

const notJson = ({ name, title }: MonitoringService): Result<never> => ({
  ok: false,
  why: 'bad-output',
  detail: `${name}: what answers there is no ${title}`,
})
