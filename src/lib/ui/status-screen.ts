/** The status of clusters as a terminal's whole screen. */
import type { Colours } from './colours.ts'
import { renderTable } from './table.ts'

export interface ScreenRow {
  cluster: string
  name: string
  state: 'ok' | 'fail' | 'unknown'
  summary: string
  next: string | null
}

/** @param title of the command */
export function statusScreen(
  rows: ScreenRow[],
  at: Date,
  colours: Colours,
  width: number,
  title = 'cluster status',
): string {
  const paint = { ok: colours.green, fail: colours.red, unknown: colours.yellow }
  const open = rows.filter(({ state }) => state !== 'ok')
  const verdict = open.length === 0 ? colours.green('all is well') : colours.red(`${open.length} not well`)
  const table = renderTable(
    ['cluster', 'what', 'state', 'summary'],
    rows.map(({ cluster, name, state, summary }) => [cluster, name, paint[state](state), summary]),
    width,
  )
  const next = open.flatMap((row) => (row.next ? [`${row.cluster} ${row.name}: ${row.next}`] : []))
  const head = `${colours.bold(title)}  ${verdict}  ${colours.dim(`${at.toISOString().slice(11, 19)} UTC, Ctrl-C ends`)}`
  return [head, '', table, ...(next.length > 0 ? ['', colours.bold('next'), ...next.map(cutTo(width))] : [])].join('\n')
}

const cutTo = (width: number) => (text: string) => (text.length > width ? `${text.slice(0, width - 1)}…` : text)
