/** Follows Flux' objects until nothing shown is unwell: a line for each change, on stderr. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { isUnwell } from '../../lib/ops/flux-status.ts'
import { type FluxRow, fluxKinds, fluxRef } from '../../lib/ops/flux-view.ts'

export interface FluxWatch {
  timeoutSec: number
  /** Looks anew. */
  rows: () => Promise<FluxRow[]>
  first: FluxRow[]
  /** Whether there is something to wait for; default: something is unwell, or under way. */
  isOpen?: (rows: FluxRow[]) => boolean
  /** What is told of a row whenever it changes. */
  line?: (row: FluxRow) => string
}

/** Returns the rows as they are at the end: when all is well, time is up, or the operator stopped it. */
export async function watchFlux(context: CommandContext, clusters: string[], watch: FluxWatch): Promise<FluxRow[]> {
  const { isOpen = isUnsettled, line = stateLine } = watch
  const linesOf = (all: FluxRow[]) => new Map(all.map((row) => [keyOf(row), line(row)]))
  let rows = watch.first
  let told = linesOf(rows)
  for (const row of rows) if (isOpen([row])) context.note(line(row))
  if (!isOpen(rows)) return rows
  const ended = new AbortController()
  const signal = AbortSignal.any([context.signal, ended.signal, AbortSignal.timeout(watch.timeoutSec * 1000)])
  const { promise, resolve } = Promise.withResolvers<void>()
  signal.addEventListener('abort', () => resolve())
  let looking: Promise<void> | undefined
  let again = false
  const look = async (): Promise<void> => {
    rows = await watch.rows()
    const lines = linesOf(rows)
    for (const [id, text] of lines) if (told.get(id) !== text) context.note(text)
    told = lines
    if (!isOpen(rows)) ended.abort()
  }
  // A burst of events is one look: what comes while we look is looked at afterwards.
  const changed = (): void => {
    again = true
    looking ??= (async () => {
      while (again && !signal.aborted) {
        again = false
        await look()
      }
    })()
      .catch((error: Error) => context.note(error.message))
      .finally(() => {
        looking = undefined
      })
  }
  const watching = clusters.flatMap((name) =>
    fluxKinds.map(async (kind) => {
      const kube = await (await context.another(name)).kube()
      await kube.watch(fluxRef(kind), signal, () => changed())
    }),
  )
  await promise
  await Promise.allSettled([...watching, looking])
  return rows
}

const isUnsettled = (rows: FluxRow[]) =>
  rows.some((row) => isUnwell(row) || (row.state === 'progressing' && row.suspended !== true))

const keyOf = (row: FluxRow) => `${row.cluster} ${row.kind ?? 'Kustomization'} ${row.namespace ?? ''}/${row.name}`

function stateLine(row: FluxRow): string {
  const state = row.suspended === true ? 'suspended' : row.state
  return `${keyOf(row)}: ${state}${row.state === 'ready' || !row.message ? '' : `: ${row.message}`}`
}
