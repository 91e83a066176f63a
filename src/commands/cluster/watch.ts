/** The live status: on a terminal a screen, elsewhere a line (with -o json an object) for each row that changes. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { OperatorError } from '../../lib/errors.ts'
import { sharedWatches } from '../../lib/gates/shared-watches.ts'
import { type StatusRow, statusParts, statusRows, unreachableRow } from '../../lib/ops/cluster-status.ts'
import { followStatus } from '../../lib/ops/status-observe.ts'
import { statusScreen } from '../../lib/ui/status-screen.ts'

/** Until the signal aborts; gives the rows as they were then. */
export async function watchStatus(context: CommandContext, names: string[]): Promise<StatusRow[]> {
  const { signal } = context
  const { screen, colours, json } = await context.live()
  const current = new Map<string, StatusRow[]>()
  const told = new Map<string, string>()
  const show = (cluster: string, rows: StatusRow[]) => {
    current.set(cluster, rows)
    if (screen) {
      const all = names.flatMap((name) => current.get(name) ?? [])
      return screen.show(statusScreen(all, new Date(), colours, screen.columns))
    }
    for (const row of rows) {
      const { name, state, summary } = row
      const key = `${cluster}/${name}`
      const text = `${state} ${summary}`
      // Nothing is known yet at the beginning, and that is no news.
      if (told.get(key) === text || summary === '' || row.pending) continue
      told.set(key, text)
      context.out(json ? JSON.stringify(row) : `${new Date().toISOString().slice(11, 19)} ${cluster} ${name}: ${text}`)
    }
  }
  try {
    await Promise.all(names.map((name) => followCluster(context, name, (rows) => show(name, rows))))
    // Of a cluster that could not be opened nothing will ever change.
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
  } finally {
    screen?.close()
  }
  return names.flatMap((name) => current.get(name) ?? [])
}

async function followCluster(context: CommandContext, name: string, show: (rows: StatusRow[]) => void): Promise<void> {
  const { signal } = context
  try {
    const { cluster, kube, talos, gates } = await context.another(name)
    const shared = sharedWatches(await kube(), signal)
    const parts = statusParts(cluster)
    const checks = parts.flatMap((part) => part.checks)
    const reader = await gates({ kube: shared, talos: await talos() })
    await followStatus({ checks, gates: reader, kube: shared, signal }, ({ verdicts, facts }) =>
      show(statusRows(name, parts, verdicts, facts, Date.now())),
    )
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error
    show([unreachableRow(name, error.message, error.detail.next ?? null)])
  }
}
