import { type CommandContext, defineCommand, textOption } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { operatorName } from '../../lib/cli/operator.ts'
import { UsageError } from '../../lib/errors.ts'
import { type AlertmanagerPath, alertsRunbook, planSilence, planSilenceEnd } from '../../lib/ops/alert-silence.ts'
import { basisOf } from '../../lib/ops/basis.ts'
import { operationToken } from '../../lib/ops/machine-plan.ts'
import { layout } from '../../lib/repo/layout.ts'
import { isMatcher } from '../../lib/tools/alertmanager.ts'
import { pinnedVersions } from '../../lib/tools/catalog.ts'
import type { Basis } from '../../lib/types.ts'
import { openMonitoring } from '../monitoring.ts'

/** A forgotten silence hides the next fault. */
const longestSec = 7 * 86_400

export const alertsSilence = defineCommand({
  path: 'alerts silence',
  summary: 'Let nobody be woken by some alerts for a while, with a reason; or end that early',
  description:
    'A hold with owner, reason and end, kept by Alertmanager itself, in whichever cluster it runs. Only alerts of the chosen cluster are meant; of all with --cluster all.',
  effect: 'write',
  args: { 'alert?': 'name of the alert' },
  options: [
    { flags: '--matcher <matcher...>', description: 'labels that it must have too: namespace="odoo", pod=~"odoo-.*"' },
    { flags: '--for <duration>', description: 'how long, at most 7d', default: '1h' },
    { flags: '--reason <text>', description: 'why; whoever looks at the alert reads it' },
    { flags: '--end <id>', description: 'end the silence with this id instead' },
  ],
  examples: [
    'k8sops alerts silence KubePodCrashLooping --matcher \'namespace="odoo"\' --for 2h --reason "migration, ticket 4711" --cluster apps',
    'k8sops alerts silence --end 7d1b9f0a-6d2e-4c0e-9b8a-0f1f2f3f4f5f',
  ],
  runbook: alertsRunbook,
  async plan(context) {
    const { options, args } = context
    const id = textOption(options.end)
    if (id !== undefined) {
      // It goes into a path.
      if (!/^[0-9a-f-]{36}$/.test(id))
        throw new UsageError(`--end ${id} is no id of a silence`, { next: 'k8sops alerts list --all' })
      const { path, basis } = await alertmanagerOf(context)
      return planSilenceEnd({ ...path, id }, basis)
    }
    const reason = textOption(options.reason)?.trim()
    if (!reason) throw new UsageError('--reason is missing', { next: 'say in a few words why nobody is to be woken' })
    const seconds = parseDurationSec(String(options.for))
    if (seconds <= 0 || seconds > longestSec)
      throw new UsageError(`--for ${options.for}: more than nothing, at most 7d`)
    const own = matchersOf(args.alert, options.matcher)
    const { path, basis, cluster } = await alertmanagerOf(context)
    const now = new Date()
    return planSilence(
      {
        ...path,
        matchers: [...own, ...(cluster === undefined ? [] : [`cluster="${cluster}"`])],
        by: operatorName(),
        reason,
        until: new Date(now.getTime() + seconds * 1000).toISOString(),
        note: operationToken('alerts.silence', now),
      },
      basis,
    )
  },
})

/** @throws UsageError for what is no matcher, and when there is none: it would silence everything */
function matchersOf(alert: string | undefined, given: CommandContext['options'][string]): string[] {
  const list = Array.isArray(given) ? given : typeof given === 'string' && given !== '' ? [given] : []
  const wrong = list.filter((text) => !isMatcher(text))
  if (wrong.length > 0)
    throw new UsageError(`not a matcher: ${wrong.join(', ')}`, { next: `in the shell: --matcher 'namespace="odoo"'` })
  const matchers = [...(alert ? [`alertname=${JSON.stringify(alert)}`] : []), ...list]
  if (matchers.length > 0) return matchers
  throw new UsageError('which alerts?', { next: 'name one (k8sops alerts list), or give --matcher' })
}

interface Found {
  path: AlertmanagerPath
  basis: Basis
  cluster: string | undefined
}

/** Alertmanager, through the API server of the cluster that it runs in: its context and its lock are taken. */
async function alertmanagerOf(context: CommandContext): Promise<Found> {
  const { service, cluster } = await openMonitoring(context, 'alerts')
  const home = service.home ?? ''
  const there = await context.another(home)
  const files = { tools: pinnedVersions('bootstrap'), paths: [layout.repositoryFile] }
  const basis = await basisOf(await there.exec(), there.target, files, { alertmanager: `${service.name} in ${home}` })
  const path = { home, context: there.target.context, proxyPath: service.proxyPath ?? '' }
  return { path, basis, cluster }
}
