import { setTimeout as delay } from 'node:timers/promises'
import { type CommandContext, type Data, defineCommand, textOption } from '../lib/cli/define.ts'
import { parseDurationSec } from '../lib/cli/duration.ts'
import { exitCodes, UsageError } from '../lib/errors.ts'
import type { MonitoringService } from '../lib/tools/monitoring.ts'
import { type LogLine, logsFilter, queryLogs, tailLogs } from '../lib/tools/victoria-logs.ts'
import { answerOf, monitoringRunbook, openMonitoring, urlOption } from './monitoring.ts'

/** Between two attempts to follow while VictoriaLogs is away. */
const firstRetryMs = 500
const longestRetryMs = 8_000

export const logs = defineCommand({
  path: 'logs',
  summary: 'Show what pods say, on all clusters: also of pods that are gone',
  description:
    "Of the application (label app.kubernetes.io/name), namespace or pod, from VictoriaLogs through the API server's proxy. With --cluster all lines of all clusters are merged by time, each with its cluster.",
  effect: 'read',
  scope: 'cluster',
  args: { 'app?': 'label app.kubernetes.io/name of the pods' },
  options: [
    { flags: '-n, --namespace <namespace>', description: 'only in it' },
    { flags: '--pod <name>', description: 'only of pods whose name begins so' },
    { flags: '--container <name>', description: 'only of it' },
    { flags: '--since <duration>', description: 'from so long ago', default: '1h' },
    { flags: '--until <duration>', description: 'to so long ago', default: '0s' },
    { flags: '--grep <regex>', description: 'only lines that it fits (RE2)' },
    { flags: '--limit <lines>', description: 'the newest so many', default: '1000' },
    { flags: '-f, --follow', description: 'stay and show what is new, until Ctrl-C', default: false },
    urlOption,
  ],
  examples: [
    'k8sops logs odoo --cluster apps --since 30m',
    "k8sops logs -n flux-system --grep 'reconcil.*fail' --cluster all",
    'k8sops logs --pod cilium- -n kube-system --follow',
  ],
  runbook: monitoringRunbook,
  async read(context) {
    const { options, args, signal } = context
    const [sinceSec, untilSec] = [parseDurationSec(String(options.since)), parseDurationSec(String(options.until))]
    const limit = Number(options.limit)
    if (!Number.isInteger(limit) || limit < 1) throw new UsageError(`--limit ${options.limit} is no number of lines`)
    if (sinceSec <= untilSec) throw new UsageError('--since must be longer ago than --until')
    if (options.follow === true && untilSec > 0)
      throw new UsageError('--follow has no end, so --until can not be given')
    const { service, cluster } = await openMonitoring(context, 'logs')
    const filter = logsFilter({
      cluster,
      app: args.app,
      namespace: textOption(options.namespace),
      pod: textOption(options.pod),
      container: textOption(options.container),
      grep: textOption(options.grep),
    })
    const request = { filter, sinceSec, untilSec, limit, signal }
    const lines = answerOf(await queryLogs(service, request), service, 'the search')
    if (options.follow === true) return follow(context, service, filter, lines, cluster === undefined)
    if (lines.length === 0)
      context.note(
        `no line since ${options.since}: ask for longer with --since, or look what there is with --cluster all`,
      )
    if (lines.length === limit) context.note(`the newest ${limit} lines; there are more before them (--limit)`)
    return {
      kind: 'LogLines',
      fields: { filter, cluster: cluster ?? 'all' },
      items: lines.map((line) => ({ ...line })),
      // No table: a line is as long as it is.
      ...(lines.length > 0 ? { text: lines.map(textOf(cluster === undefined)).join('\n') } : {}),
    }
  },
})

const textOf =
  (withCluster: boolean) =>
  ({ at, cluster, namespace, pod, container, message }: LogLine): string =>
    `${at.slice(0, 23).padEnd(23)} ${withCluster ? `${cluster || '-'} ` : ''}${namespace}/${pod} ${container}: ${message}`

/** What there was, then what comes. A stream that breaks off is taken up again, and nothing is shown twice. */
async function follow(
  context: CommandContext,
  service: MonitoringService,
  filter: string,
  before: LogLine[],
  withCluster: boolean,
): Promise<Data> {
  const { signal, options } = context
  const asJson = options.output === 'json'
  const show = (line: LogLine) => context.out(asJson ? JSON.stringify(line) : textOf(withCluster)(line))
  before.forEach(show)
  let latest = before.at(-1)?.at ?? ''
  let retryMs = firstRetryMs
  while (!signal.aborted) {
    const ended = await tailLogs(service, filter, signal, (line) => {
      retryMs = firstRetryMs
      if (line.at > latest) latest = line.at
      show(line)
    })
    if (signal.aborted) break
    if (!ended.ok && !/unreachable/.test(ended.why)) answerOf(ended, service, 'the search')
    context.note(`${service.title} has ended the stream${ended.ok ? '' : ` (${ended.detail})`}: taking it up again`)
    await delay(retryMs, undefined, { signal }).catch(() => {})
    retryMs = Math.min(retryMs * 2, longestRetryMs)
    if (signal.aborted) break
    latest = await missed(context, service, filter, latest, show)
  }
  return { kind: 'LogLines', streamed: true, exitCode: exitCodes.interrupted }
}

/** What was written while nobody listened. Gives the time of the newest line. */
async function missed(
  { signal }: CommandContext,
  service: MonitoringService,
  filter: string,
  latest: string,
  show: (line: LogLine) => void,
): Promise<string> {
  if (latest === '') return latest
  const sinceSec = Math.ceil((Date.now() - Date.parse(latest)) / 1000) + 1
  const read = await queryLogs(service, { filter, sinceSec, untilSec: 0, limit: 1000, signal })
  const lines = read.ok ? read.value.filter(({ at }) => at > latest) : []
  lines.forEach(show)
  return lines.at(-1)?.at ?? latest
}
