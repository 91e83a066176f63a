/**
 * Draws a terminal screen as SVG: reads what `tmux capture-pane -e -p` prints, writes the picture to stdout.
 *
 *     tmux capture-pane -e -p -t k8sops | node docs/terminal-svg.ts > docs/bootstrap.svg
 */
import { readFileSync } from 'node:fs'

const palette = ['#484f58', '#ff7b72', '#3fb950', '#d29922', '#58a6ff', '#bc8cff', '#39c5cf', '#b1bac4']
const [charWidth, lineHeight, margin] = [8.4, 18, 16]
const escapeXml = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

interface Style {
  fill?: string
  bold?: boolean
  dim?: boolean
}

/** Select Graphic Rendition: the few codes that our views and listr2 use. */
function restyle(style: Style, codes: number[]): Style {
  let next = { ...style }
  for (const code of codes) {
    if (code === 0) next = {}
    else if (code === 1) next.bold = true
    else if (code === 2) next.dim = true
    else if (code === 22) next = { ...(next.fill ? { fill: next.fill } : {}) }
    else if (code === 39) delete next.fill
    else if (code >= 30 && code <= 37) next.fill = palette[code - 30] as string
    else if (code >= 90 && code <= 97) next.fill = palette[code - 90] as string
  }
  return next
}

const lines = readFileSync(0, 'utf8').trimEnd().split('\n')
let style: Style = {}
let columns = 0
const rows = lines.map((line, row) => {
  let column = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what starts a colour
  const spans = line.split(/\u001b\[([\d;]*)m/).map((part, index) => {
    if (index % 2 === 1) {
      style = restyle(style, part.split(';').map(Number))
      return ''
    }
    const x = margin + column * charWidth
    column += [...part].length
    if (part.trim() === '') return ''
    const attributes = `${style.fill ? ` fill="${style.fill}"` : ''}${style.bold ? ' font-weight="bold"' : ''}${style.dim ? ' opacity="0.6"' : ''}`
    return `<tspan x="${x.toFixed(1)}"${attributes}>${escapeXml(part)}</tspan>`
  })
  columns = Math.max(columns, column)
  return `<text y="${margin + 14 + row * lineHeight}" xml:space="preserve">${spans.join('')}</text>`
})
// What is longer is cut off, as on a screen that does not wrap.
const width = Math.ceil(Math.min(columns, 160) * charWidth + 2 * margin)
const height = lines.length * lineHeight + 2 * margin
console.log(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" fill="#e6edf3">
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${rows.join('\n')}
</svg>`)
