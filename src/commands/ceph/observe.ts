/** Reads what `ceph status` shows: objects of the cluster, and metrics from wherever VictoriaMetrics runs. */
import type { CommandContext } from '../../lib/cli/define.ts'
import {
  type CephFacts,
  type CephMetrics,
  type CephQuestion,
  capacityDays,
  capacityQuestion,
  cephKindNames,
  cephKinds,
  cephQuestions,
} from '../../lib/ops/ceph-status.ts'
import { findService } from '../../lib/tools/monitoring.ts'
import { instantQuery, rangeQuery } from '../../lib/tools/victoria-metrics.ts'
import type { Result } from '../../lib/types.ts'

/** Points of the capacity's line. */
const points = 160

export async function observeCeph(context: CommandContext, name: string, limitMs: number): Promise<CephFacts> {
  const kube = await (await context.another(name)).kube()
  const signal = AbortSignal.any([context.signal, AbortSignal.timeout(limitMs)])
  const [objects, metrics] = await Promise.all([
    Promise.all(cephKindNames.map(async (kind) => [kind, await kube.list(cephKinds[kind], signal)] as const)),
    readCephMetrics(context, name, signal),
  ])
  return { ...(Object.fromEntries(objects) as CephFacts), metrics }
}

/** An answer without a series leaves its value out; where nothing answers, why. */
export async function readCephMetrics(
  context: CommandContext,
  cluster: string,
  signal: AbortSignal,
): Promise<Result<CephMetrics>> {
  const { monitoring } = await context.repository()
  const service = await findService('metrics', monitoring, await context.peers(cluster), signal)
  if (!service.ok) return service
  const to = Math.floor(Date.now() / 1000)
  const from = to - capacityDays * 86_400
  const range = { cluster, from, to, stepSec: Math.ceil((to - from) / points), signal }
  const [used, ...answers] = await Promise.all([
    rangeQuery(service.value, capacityQuestion, range),
    ...Object.entries(cephQuestions).map(async ([question, expression]) => ({
      question: question as CephQuestion,
      answer: await instantQuery(service.value, expression, { cluster, signal }),
    })),
  ])
  const silent = answers.find(({ answer }) => !answer.ok)?.answer
  if (silent && !silent.ok) return silent
  const values = answers.flatMap(({ question, answer }) => {
    const value = answer.ok ? answer.value[0]?.points.at(-1)?.[1] : undefined
    return value === undefined || !Number.isFinite(value) ? [] : [[question, value] as const]
  })
  return { ok: true, value: { values: Object.fromEntries(values), used: used.ok ? (used.value[0]?.points ?? []) : [] } }
}
