/** The way from a command to VictoriaMetrics, VictoriaLogs or Alertmanager, and what to say when there is none. */
import { type CommandContext, type OptionSpec, textOption } from '../lib/cli/define.ts'
import { ConfigError, UnreachableError, UsageError } from '../lib/errors.ts'
import {
  behindUrl,
  findService,
  type MonitoringKind,
  type MonitoringService,
  titleOf,
} from '../lib/tools/monitoring.ts'
import type { Result } from '../lib/types.ts'

export const urlOption: OptionSpec = {
  flags: '--url <url>',
  description: "of the service at a gateway, in place of the API server's proxy to it",
}

export interface Monitoring {
  service: MonitoringService
  /** The cluster that is asked about; all of them without one. */
  cluster: string | undefined
}

export const monitoringRunbook = 'docs/runbooks/metrics-and-logs.md'

/**
 * The service that has the data of the asked cluster (with --cluster all: of all of them), wherever it runs.
 * @throws UnreachableError when a cluster that may have it does not answer, ConfigError when none has it
 */
export async function openMonitoring(context: CommandContext, kind: MonitoringKind): Promise<Monitoring> {
  const { options, signal } = context
  const repository = await context.repository()
  const cluster = options.cluster === 'all' ? undefined : await context.clusterName()
  const given = behindUrlOf(context, kind)
  if (given) return { service: given.value, cluster }
  const found = await findService(
    kind,
    repository.monitoring,
    await context.peers(cluster ?? repository.defaultCluster),
    signal,
  )
  if (found.ok) return { service: found.value, cluster }
  if (found.why === 'not-found')
    throw new ConfigError(`there is no ${titleOf(kind)}`, [], {
      output: found.detail,
      next: 'look whether its Kustomization is Ready (k8sops cluster status --cluster all), or name its gateway with --url',
      runbook: monitoringRunbook,
    })
  throw new UnreachableError(`${titleOf(kind)} can't be looked for`, {
    output: found.detail,
    next: 'k8sops doctor, or name its gateway with --url',
    runbook: monitoringRunbook,
  })
}

/**
 * What --url names.
 * @throws UsageError for what is no URL
 */
export function behindUrlOf(
  { options }: CommandContext,
  kind: MonitoringKind,
): { ok: true; value: MonitoringService } | undefined {
  const url = textOption(options.url)
  if (url === undefined) return undefined
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw new UsageError(`--url ${url} is no http or https URL`)
  return { ok: true, value: behindUrl(kind, url) }
}

/**
 * What was read.
 * @param about for the message, `the query`
 * @throws UsageError for what the service does not understand, UnreachableError when it does not answer
 */
export function answerOf<T>(read: Result<T>, service: MonitoringService, about: string): T {
  if (read.ok) return read.value
  const { detail } = read
  // 4xx but for the time that it took: VictoriaMetrics answers 422 to what it can't parse, VictoriaLogs 400.
  if (/HTTP 4(00|22)\b/.test(detail))
    throw new UsageError(`${service.title} does not take ${about}`, {
      output: detail.replace(/^.*?HTTP \d+: /, ''),
      next:
        service.title === 'VictoriaLogs'
          ? 'https://docs.victoriametrics.com/victorialogs/logsql/'
          : 'https://docs.victoriametrics.com/metricsql/; in the shell, put it in single quotes',
      runbook: monitoringRunbook,
    })
  throw new UnreachableError(`${service.title} (${service.name}) does not answer`, {
    output: detail,
    next: service.proxyPath ? `kubectl get --raw ${service.proxyPath}/` : `curl ${service.name}`,
    runbook: monitoringRunbook,
  })
}
