import type { CommandContext } from '../lib/cli/define.ts'
import { defineCommand } from '../lib/cli/define.ts'
import { parseDurationSec } from '../lib/cli/duration.ts'
import { exitCodes, OperatorError, UsageError } from '../lib/errors.ts'
import { gitIn } from '../lib/ops/basis.ts'
import { wholeCluster } from '../lib/ops/cluster-status.ts'
import {
  type ClusterReport,
  figureOf,
  parseChanges,
  type Report,
  reportFields,
  type Sample,
  topOf,
  trendOf,
} from '../lib/ops/report.ts'
import { expressionOf, figureQuestions, topQuestions, trendQuestions } from '../lib/ops/report-questions.ts'
import { layout } from '../lib/repo/layout.ts'
import { findService, type MonitoringService } from '../lib/tools/monitoring.ts'
import { instantQuery, rangeQuery } from '../lib/tools/victoria-metrics.ts'
import type { Result } from '../lib/types.ts'
import { askedClusters } from './cluster/selection.ts'
import { rowsOf } from './cluster/status.ts'
import { behindUrlOf, urlOption } from './monitoring.ts'

/** Points of a picture. */
const pictureWidth = 160
const statusLimitMs = 15_000
/** Metrics are kept for so long (NFR43). */
const longestSec = 90 * 86_400

export const report = defineCommand({
  path: 'report',
  summary: 'Tell how clusters were over the last week, and where their capacity leads',
  description:
    'Availability, restarts, failed reconciliations, backups, certificates, capacity and its trend, slow and flapping applications, what landed, and how all is now; held against what the PRD wants. The HTML is one file with its pictures in it. What can not be asked stands under "not known". Exit code 4 when nothing could be reached.',
  effect: 'read',
  scope: 'cluster',
  options: [
    { flags: '--since <duration>', description: 'over so long', default: '7d' },
    { flags: '--format <format>', description: 'how it is written', default: 'md', choices: ['html', 'md', 'json'] },
    urlOption,
  ],
  examples: ['k8sops report --cluster all', 'k8sops report --cluster all --since 30d --format html > report.html'],
  runbook: 'docs/runbooks/report.md',
  async read(context) {
    const { options } = context
    const rangeSec = parseDurationSec(String(options.since))
    if (rangeSec < 3600 || rangeSec > longestSec)
      throw new UsageError(`--since ${options.since}: at least 1h, at most 90d`, {
        next: 'metrics are kept for 90 days',
      })
    const to = Math.floor(Date.now() / 1000)
    const names = await askedClusters(context)
    const clusters = await Promise.all(names.map((name) => clusterReport(context, name, to, rangeSec)))
    const iso = (at: number) => new Date(at * 1000).toISOString()
    const whole: Report = { from: iso(to - rangeSec), to: iso(to), clusters }
    const away = clusters.every(({ status }) => status.some(({ name }) => name === wholeCluster))
    return {
      kind: 'HealthReport',
      fields: reportFields(whole),
      text: await textOf(whole, String(options.format)),
      exitCode: away ? exitCodes.unreachable : exitCodes.ok,
    }
  },
})

async function textOf(whole: Report, format: string): Promise<string> {
  if (format === 'html') return (await import('../lib/ui/report-html.ts')).reportHtml(whole)
  if (format === 'md') return (await import('../lib/ui/report-markdown.ts')).reportMarkdown(whole)
  return JSON.stringify({ apiVersion: 'k8sops.dev/v1', kind: 'HealthReport', ...reportFields(whole) }, null, 2)
}

async function clusterReport(
  context: CommandContext,
  name: string,
  to: number,
  rangeSec: number,
): Promise<ClusterReport> {
  const [rows, history, asked] = await Promise.all([
    rowsOf(context, name, statusLimitMs),
    changesOf(context, name, to - rangeSec),
    metricsOf(context, name, to, rangeSec),
  ])
  const { follows } = (await context.repository()).clusters.find((cluster) => cluster.name === name) ?? { follows: '' }
  return {
    name,
    follows,
    ...asked.value,
    status: rows.map(({ name: row, state, summary, next }) => ({ name: row, state, summary, next })),
    changes: history.changes,
    gaps: [...asked.gaps, ...history.gaps],
  }
}

type Asked = Pick<ClusterReport, 'figures' | 'trends' | 'tops'>

/** Every question at once; one that is not answered is a gap, and so is one without any data. */
async function metricsOf(
  context: CommandContext,
  cluster: string,
  to: number,
  rangeSec: number,
): Promise<{ value: Asked; gaps: string[] }> {
  const { signal } = context
  const gaps = new Set<string>()
  const service =
    behindUrlOf(context, 'metrics') ??
    (await findService('metrics', (await context.repository()).monitoring, await context.peers(cluster), signal))
  const ask = async (title: string, read: (service: MonitoringService) => Promise<Result<Sample[]>>) => {
    if (!service.ok) {
      gaps.add(service.detail)
      return undefined
    }
    const answer = await read(service.value)
    if (!answer.ok) gaps.add(`${title}: ${answer.detail}`)
    else if (answer.value.length === 0) gaps.add(`${title}: no data`)
    return answer.ok ? answer.value : undefined
  }
  const at = { cluster, at: to, signal }
  const range = { cluster, from: to - rangeSec, to, stepSec: Math.ceil(rangeSec / pictureWidth), signal }
  const [figures, tops, trends] = await Promise.all([
    Promise.all(
      figureQuestions.map(async (question) =>
        figureOf(
          question,
          await ask(question.title, (from) => instantQuery(from, expressionOf(question, rangeSec), at)),
          rangeSec,
        ),
      ),
    ),
    Promise.all(
      topQuestions.map(async (question) => {
        // That nothing restarted is no gap.
        const read = service.ok ? await instantQuery(service.value, expressionOf(question, rangeSec), at) : service
        return topOf(question, read.ok ? read.value : undefined)
      }),
    ),
    Promise.all(
      trendQuestions.map(async (question) =>
        trendOf(
          question,
          await ask(question.title, (from) => rangeQuery(from, expressionOf(question, rangeSec), range)),
        ),
      ),
    ),
  ])
  return { value: { figures, tops, trends }, gaps: [...gaps] }
}

/** What came to the ref that the cluster follows, in the files that it is made from. */
async function changesOf(
  context: CommandContext,
  name: string,
  since: number,
): Promise<{ changes: ClusterReport['changes']; gaps: string[] }> {
  try {
    const { cluster, exec } = await context.another(name)
    const git = gitIn(await exec(), context.signal)
    const paths = [layout.kubernetes, layout.talosRoot, layout.bootstrap]
    const ref =
      (await git(['rev-parse', '--verify', '--quiet', `origin/${cluster.follows}`])).exitCode === 0
        ? `origin/${cluster.follows}`
        : cluster.follows
    const log = await git(['log', `--since=@${since}`, '--format=%H%x09%cI%x09%an%x09%s', ref, '--', ...paths])
    if (log.exitCode === 0) return { changes: parseChanges(log.stdout), gaps: [] }
    return { changes: [], gaps: [`git log ${ref}: ${log.stderr.trim()}`] }
  } catch (error) {
    if (error instanceof OperatorError) return { changes: [], gaps: [`changes of ${name}: ${error.message}`] }
    throw error
  }
}
