import { cell, defineCommand } from '../../lib/cli/define.ts'
import { parseDurationSec } from '../../lib/cli/duration.ts'
import { exitCodes, UsageError } from '../../lib/errors.ts'
import { dashboardQueries, filledExpression, type PanelQuery } from '../../lib/repo/dashboards.ts'
import type { MonitoringService } from '../../lib/tools/monitoring.ts'
import { logsFilter, queryLogs } from '../../lib/tools/victoria-logs.ts'
import { instantQuery, rangeQuery } from '../../lib/tools/victoria-metrics.ts'
import type { Result } from '../../lib/types.ts'
import { answerOf, monitoringRunbook, openMonitoring } from '../monitoring.ts'

/** Of the PRD, for the 95th percentile (seconds). */
const targets = { metrics: { requirement: 'NFR3', seconds: 2 }, logs: { requirement: 'NFR4', seconds: 5 } } as const
/** What people look for in logs: everything of the last minutes, a word, an application. */
const searches = [
  {},
  { grep: 'error|fail' },
  { namespace: 'flux-system' },
  { grep: 'timeout', namespace: 'kube-system' },
]
const lines = 500

interface Question {
  name: string
  language: 'metrics' | 'logs'
  ask: () => Promise<Result<unknown>>
}

export const benchQuery = defineCommand({
  path: 'bench query',
  summary: "Measure how fast the dashboards' queries and log searches are answered",
  description:
    "Every query of the repository's dashboards and some log searches, one after the other, each several times, through the API server's proxy. Exit code 3 when the 95th percentile is above what the PRD wants: 2 s for metrics (NFR3), 5 s for logs (NFR4).",
  effect: 'read',
  scope: 'cluster',
  options: [
    { flags: '--rounds <number>', description: 'how often each is asked', default: '5' },
    { flags: '--since <duration>', description: 'over so long', default: '6h' },
    { flags: '--what <language>', description: 'metrics or logs (default: both)', choices: ['metrics', 'logs'] },
  ],
  examples: ['k8sops bench query --cluster all', 'k8sops bench query --what logs --since 24h -o json'],
  runbook: monitoringRunbook,
  async read(context) {
    const { options, signal } = context
    const rounds = Number(options.rounds)
    if (!Number.isInteger(rounds) || rounds < 1)
      throw new UsageError(`--rounds ${options.rounds} is no number of rounds`)
    const rangeSec = parseDurationSec(String(options.since))
    const { root } = await context.repository()
    const wanted = (['metrics', 'logs'] as const).filter((language) => (options.what ?? language) === language)
    const items = []
    for (const language of wanted) {
      const { service, cluster } = await openMonitoring(context, language)
      const from = { service, cluster, rangeSec, signal }
      const questions = language === 'metrics' ? panelQuestions(dashboardQueries(root), from) : searchQuestions(from)
      const taken: number[] = []
      let slowest = { name: '', seconds: 0 }
      for (let round = 0; round < rounds && !signal.aborted; round++) {
        for (const { name, ask } of questions) {
          const started = performance.now()
          answerOf(await ask(), service, name)
          const seconds = (performance.now() - started) / 1000
          taken.push(seconds)
          if (seconds > slowest.seconds) slowest = { name, seconds: rounded(seconds) }
        }
      }
      const { requirement, seconds: limit } = targets[language]
      const p95 = percentile(taken, 0.95)
      items.push({
        name: language,
        questions: questions.length,
        asked: taken.length,
        medianSec: rounded(percentile(taken, 0.5)),
        p95Sec: rounded(p95),
        wanted: `${limit} s (${requirement})`,
        met: taken.length > 0 && p95 < limit,
        slowest: taken.length === 0 ? '' : `${slowest.name}: ${slowest.seconds} s`,
      })
    }
    return {
      kind: 'QueryBench',
      items,
      columns: ['name', 'questions', 'asked', 'medianSec', 'p95Sec', 'wanted', 'met', 'slowest'].map((field) => ({
        title: field.replace('Sec', ' s'),
        value: cell(field),
      })),
      exitCode: items.every(({ met }) => met) ? exitCodes.ok : exitCodes.gate,
    }
  },
})

interface From {
  service: MonitoringService
  cluster: string | undefined
  rangeSec: number
  signal: AbortSignal
}

function panelQuestions(queries: PanelQuery[], { service, cluster, rangeSec, signal }: From): Question[] {
  const to = Math.floor(Date.now() / 1000)
  return queries
    .filter(({ language }) => language === 'metrics')
    .map((query) => {
      const expression = filledExpression(query, rangeSec)
      const range = { cluster, from: to - rangeSec, to, stepSec: Math.max(15, Math.ceil(rangeSec / 360)), signal }
      const ask = () =>
        query.instant
          ? instantQuery(service, expression, { cluster, at: to, signal })
          : rangeQuery(service, expression, range)
      return { name: query.panel, language: 'metrics', ask }
    })
}

function searchQuestions({ service, cluster, rangeSec, signal }: From): Question[] {
  return searches.map((selection) => {
    const filter = logsFilter({ cluster, ...selection })
    return {
      name: filter,
      language: 'logs',
      ask: () => queryLogs(service, { filter, sinceSec: rangeSec, untilSec: 0, limit: lines, signal }),
    }
  })
}

/** Nearest rank. */
export function percentile(values: number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? 0
}

const rounded = (seconds: number) => Number(seconds.toFixed(3))
