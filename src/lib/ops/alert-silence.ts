/** Holds on alerts: who, why and until when stand in Alertmanager itself, which ends them. */
import { silenceBodyArgs, silencePostArgs } from '../tools/filters.args.ts'
import { deletePathArgs } from '../tools/kubectl-raw.args.ts'
import type { Basis, Check, Command, Plan, Step } from '../types.ts'
import { check } from './bootstrap-input.ts'
import { planOf } from './machine-plan.ts'

export const alertsRunbook = 'docs/runbooks/alerts.md'

/** Where Alertmanager is reached. */
export interface AlertmanagerPath {
  /** The cluster that it runs in, whose API server is asked. */
  home: string
  context: string
  /** The API server's proxy to it. */
  proxyPath: string
}

export interface SilenceInput extends AlertmanagerPath {
  matchers: string[]
  by: string
  reason: string
  /** RFC 3339. */
  until: string
  /** Tells this one from all others, `alerts.silence/20261124T115502Z-3f9c`. */
  note: string
}

/** `k8sops alerts silence`. */
export function planSilence(input: SilenceInput, basis: Basis): Plan {
  const { home, context, proxyPath, matchers, by, reason, until, note } = input
  const comment = `${reason} [${note}]`
  const held = check('alerts-silenced', { note })
  return silencePlan(home, { matchers, by, reason, until }, basis, {
    id: 'silence',
    title: `Silence alerts with ${matchers.join(', ')} until ${until}`,
    pipeline: [
      silenceBodyArgs({ matchers, by, comment, until }),
      silencePostArgs(context, `${proxyPath}/api/v2/silences`),
    ],
    held,
  })
}

/** `k8sops alerts silence --end ID`. */
export function planSilenceEnd(
  { home, context, proxyPath, id }: AlertmanagerPath & { id: string },
  basis: Basis,
): Plan {
  return silencePlan(home, { end: id }, basis, {
    id: 'end',
    title: `End silence ${id}`,
    pipeline: [deletePathArgs(context, `${proxyPath}/api/v2/silence/${id}`)],
    held: check('silence-ended', { id }),
  })
}

function silencePlan(
  cluster: string,
  params: Plan['params'],
  basis: Basis,
  { id, title, pipeline, held }: { id: string; title: string; pipeline: Command[]; held: Check },
): Plan {
  const step: Step = {
    id,
    title,
    unless: [held],
    action: { kind: 'exec', pipeline },
    verify: [held],
    interrupt: 'now',
    timeoutSec: 60,
    runbook: alertsRunbook,
  }
  // It changes no workload: what does goes on beside it.
  return planOf({ operation: 'alerts.silence', cluster, params, scope: `alerts/${id}` }, basis, [step])
}
