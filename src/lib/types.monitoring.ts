/** What Alertmanager tells. Imported through types.ts. */

/** An alert that fires, as Alertmanager tells it. */
export interface Alert {
  /** `alertname` */
  name: string
  severity: string
  /** RFC 3339. */
  since: string
  /** `active`, or `suppressed` by a silence or an inhibition. */
  state: string
  summary: string
  labels: Record<string, string>
  /** Ids of the silences that it is under. */
  silencedBy: string[]
  runbook: string
}

/** A hold on alerts, as Alertmanager keeps it. */
export interface AlertSilence {
  id: string
  /** `active`, `pending` or `expired`. */
  state: string
  by: string
  comment: string
  /** RFC 3339. */
  until: string
  /** `severity=~"warning|info"` */
  matchers: string[]
}
