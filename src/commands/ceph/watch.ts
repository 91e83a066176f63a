/** The live status of Ceph: on a terminal a screen, elsewhere a line (with -o json an object) for each row that changes. */
import type { CommandContext } from '../../lib/cli/define.ts'
import {
  type CephFacts,
  type CephRow,
  capacityRead,
  cephKindNames,
  cephKinds,
  cephRows,
} from '../../lib/ops/ceph-status.ts'
import type { Cluster } from '../../lib/types.ts'
import { statusScreen } from '../../lib/ui/status-screen.ts'
import { readCephMetrics } from './observe.ts'

/** Between two looks at metrics, which are scraped every minute. */
const metricsEveryMs = 30_000

/** Until the signal aborts; gives the rows as they were then. */
export async function watchCeph(context: CommandContext, { name, gates }: Cluster): Promise<CephRow[]> {
  const { signal } = context
  const { screen, colours, json } = await context.live()
  const kube = await (await context.another(name)).kube()
  const facts: CephFacts = {}
  const told = new Map<string, string>()
  let rows: CephRow[] = []
  const show = () => {
    // Nothing is known yet at the beginning, and that is no news.
    if (signal.aborted || cephKindNames.some((kind) => facts[kind] === undefined) || !facts.metrics) return
    const read = facts.clusters?.ok ? capacityRead(facts.clusters.value[0]) : undefined
    if (read) facts.before ??= read
    rows = cephRows(name, facts, gates.ceph.clusters, Date.now())
    if (screen) return screen.show(statusScreen(rows, new Date(), colours, screen.columns, 'ceph status'))
    for (const row of rows) {
      const text = `${row.state} ${row.summary}`
      if (told.get(row.name) === text) continue
      told.set(row.name, text)
      context.out(json ? JSON.stringify(row) : `${new Date().toISOString().slice(11, 19)} ${name} ${row.name}: ${text}`)
    }
  }
  const measure = async () => {
    const metrics = await readCephMetrics(context, name, signal)
    if (signal.aborted) return
    facts.metrics = metrics
    show()
  }
  const timer = setInterval(() => void measure(), metricsEveryMs)
  try {
    await Promise.all([
      measure(),
      ...cephKindNames.map((kind) =>
        kube.watch(cephKinds[kind], signal, (objects) => {
          facts[kind] = objects
          show()
        }),
      ),
    ])
  } finally {
    clearInterval(timer)
    screen?.close()
  }
  return rows
}
