/** What Alertmanager has to say of the cluster. */
import type { Alert, Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'

/** Severities that somebody has to look at; `info` and `none` (Watchdog, InfoInhibitor) are for machines. */
const loud = ['critical', 'warning']
/** Fires for as long as rules are evaluated and alerts arrive (kube-prometheus' and VictoriaMetrics' `general.rules`). */
const heartbeat = 'Watchdog'

export function alertProbes(ports: GatePorts): Record<'alerts-quiet' | 'alerts-silenced' | 'silence-ended', Probe> {
  return {
    async 'alerts-quiet'(_, signal): Promise<Verdict> {
      const read = await ports.alerts(signal)
      if (!read.ok) return unreadable(read)
      const own = alertsOf(ports.cluster.name, read.value.home, read.value.alerts)
      // Each cluster asks its own rules (ADR 0029), so each has one of its own.
      if (!own.some(({ name }) => name === heartbeat)) {
        const detail = `${heartbeat} does not fire: the cluster's rules are not evaluated, or its alerts don't arrive`
        return { status: 'unknown', detail, waitingFor: [detail] }
      }
      const firing = own.filter(({ severity, state }) => loud.includes(severity) && state === 'active')
      if (firing.length === 0) return { status: 'pass', detail: 'no alert fires' }
      const waitingFor = firing
        .toSorted((a, b) => loud.indexOf(a.severity) - loud.indexOf(b.severity) || a.since.localeCompare(b.since))
        .map(({ severity, name, summary }) => `${severity} ${name}${summary ? `: ${summary}` : ''}`)
      const [first = ''] = waitingFor
      const since = firing.map((alert) => alert.since).toSorted()[0]
      return {
        status: 'fail',
        detail: waitingFor.length === 1 ? first : `${first} (and ${waitingFor.length - 1} more)`,
        waitingFor,
        ...(since ? { since } : {}),
      }
    },
    /** The one that has this note at the end of its comment: Alertmanager itself chooses a new one's id. */
    async 'alerts-silenced'({ note = '' }, signal): Promise<Verdict> {
      const read = await ports.silences(signal)
      if (!read.ok) return unreadable(read)
      const found = read.value.find(({ comment, state }) => comment.endsWith(`[${note}]`) && state === 'active')
      if (found) return { status: 'pass', detail: `silence ${found.id} until ${found.until}` }
      return { status: 'fail', detail: `Alertmanager has no active silence with the note ${note}` }
    },
    async 'silence-ended'({ id = '' }, signal): Promise<Verdict> {
      const read = await ports.silences(signal)
      if (!read.ok) return unreadable(read)
      const found = read.value.find((silence) => silence.id === id)
      if (!found) return { status: 'pass', detail: `silence ${id} is no more` }
      return { status: 'fail', detail: `silence ${id} of ${found.by} holds until ${found.until}` }
    },
  }
}

/** An alert without a cluster's name is of the cluster that evaluates the rules. */
export const alertsOf = (cluster: string, home: string, alerts: Alert[]): Alert[] =>
  alerts.filter(({ labels }) => (labels.cluster ?? home) === cluster)
