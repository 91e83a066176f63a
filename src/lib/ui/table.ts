import { stripVTControlCharacters } from 'node:util'

/** How an escape sequence begins; nearly every cell is without one, and looking for it is cheap. */
const escapes = ['\u001b', '\u009b']
const plain = (text: string) => (escapes.some((first) => text.includes(first)) ? stripVTControlCharacters(text) : text)
/** Characters that a terminal shows, without colours. */
const width = (text: string) => plain(text).length
const gap = '   '

/**
 * Aligned columns, titles in capitals, as kubectl prints them. With `maxWidth` (a terminal's) the widest column is cut
 * so that a row stays on its line; without it (a file, a pipe) nothing is ever cut.
 */
export function renderTable(titles: string[], rows: string[][], maxWidth?: number): string {
  const head = titles.map((title) => title.toUpperCase())
  const all = [head, ...rows.map((row) => row.map(oneLine))]
  const widths = titles.map((_, column) => all.reduce((most, row) => Math.max(most, width(row[column] ?? '')), 0))
  const total = widths.reduce((sum, one) => sum + one, 0) + gap.length * (widths.length - 1)
  if (maxWidth !== undefined && total > maxWidth) {
    const widest = widths.indexOf(Math.max(...widths))
    widths[widest] = Math.max(widths[widest]! - (total - maxWidth), 8)
  }
  return all
    .map((row) =>
      row
        .map((cell, column) => padOrCut(cell ?? '', widths[column]!))
        .join(gap)
        .trimEnd(),
    )
    .join('\n')
}

function padOrCut(text: string, size: number): string {
  const excess = width(text) - size
  if (excess <= 0) return text + ' '.repeat(-excess)
  return `${plain(text).slice(0, size - 1)}…`
}

const oneLine = (text: string) => (text.includes('\n') ? text.replace(/\s*\n\s*/g, ' ') : text)
