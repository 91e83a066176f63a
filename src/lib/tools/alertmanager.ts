/** Silences of Alertmanager by its API v2 (0.28), which VMAlertmanager speaks as well. */
import type { SilencePort } from '../engine/ports.ts'
import type { Alert, AlertSilence, Result } from '../types.ts'
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

interface Matcher {
  name: string
  value: string
  isRegex: boolean
  isEqual: boolean
}

/** `severity=~"warning|info"`, as everywhere at Prometheus. */
function matcherOf(text: string): Matcher {
  const [, name = '', operator = '=', value = ''] = /^(\w+)(=~|!~|!=|=)"(.*)"$/.exec(text) ?? []
  return { name, value, isRegex: operator.endsWith('~'), isEqual: operator.startsWith('=') }
}

const matcherText = ({ name, value, isRegex, isEqual }: Matcher): string =>
  `${name}${isEqual ? '=' : '!'}${isRegex ? '~' : isEqual ? '' : '='}"${value}"`

/** Matchers as one is written by hand and as `/api/v2/silences` takes a new one. */
export function silenceBody(silence: {
  matchers: string[]
  by: string
  comment: string
  from: Date
  until: Date
}): string {
  const { matchers, by, comment, from, until } = silence
  return JSON.stringify({
    matchers: matchers.map(matcherOf),
    startsAt: from.toISOString(),
    endsAt: until.toISOString(),
    createdBy: by,
    comment,
  })
}

/** Whether it can be read as one matcher. */
export const isMatcher = (text: string): boolean => /^\w+(=~|!~|!=|=)".*"$/.test(text)

interface WireSilence {
  id: string
  status: { state: string }
  createdBy: string
  comment: string
  endsAt: string
  matchers: Matcher[]
}

/** Those that hold or will, the one that ends first before the others. */
export async function openSilences(service: MonitoringService, signal?: AbortSignal): Promise<Result<AlertSilence[]>> {
  const read = await service.read('/api/v2/silences', signal ? { signal } : {})
  if (!read.ok) return read
  const silences = parsed<WireSilence[]>(read.value)
  if (!Array.isArray(silences)) return notJson(service)
  return {
    ok: true,
    value: silences
      .filter(({ status }) => status.state !== 'expired')
      .map(({ id, status, createdBy, comment, endsAt, matchers }) => ({
        id,
        state: status.state,
        by: createdBy,
        comment,
        until: endsAt,
        matchers: matchers.map(matcherText),
      }))
      .toSorted((a, b) => a.until.localeCompare(b.until)),
  }
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
  const rank = ({ severity }: Alert) => severities.indexOf(severity) + 1 || severities.length + 1
  const sorted = alerts.map(alertOf).toSorted((a, b) => rank(a) - rank(b) || a.since.localeCompare(b.since))
  return { ok: true, value: sorted }
}

const severities = ['critical', 'warning', 'info']

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
