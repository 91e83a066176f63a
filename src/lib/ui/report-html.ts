/** The weekly report as one HTML file with its pictures in it: no script, no font, no address. */
import type { ClusterReport, Figure, Report, Top, Trend } from '../ops/report.ts'
import { escapeHtml } from './difference-html.ts'

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; --line: #2563a8; --bad: #b3261e; --good: #197a2f; --soft: #8884; }
@media (prefers-color-scheme: dark) { :root { --line: #7fb3ea; --bad: #ff8a80; --good: #6fd388; } }
body { max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid var(--soft); } h3 { font-size: 1rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: .8rem; }
.tile { border: 1px solid var(--soft); border-radius: .4rem; padding: .6rem .8rem; overflow-wrap: anywhere; }
.tile b { display: block; font-size: 1.5rem; } .tile small { opacity: .75; display: block; }
.missed { border-left: 4px solid var(--bad); } .missed b { color: var(--bad); } .met { border-left: 4px solid var(--good); }
.trends { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: .8rem; }
figure { margin: 0; border: 1px solid var(--soft); border-radius: .4rem; padding: .6rem .8rem; } figcaption { overflow-wrap: anywhere; }
svg { display: block; width: 100%; height: auto; } svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
table { border-collapse: collapse; width: 100%; } td { padding: .15rem .5rem; border-bottom: 1px solid var(--soft); overflow-wrap: anywhere; vertical-align: top; }
td:last-child { text-align: right; white-space: nowrap; } .text td:last-child { text-align: left; white-space: normal; }
td:not(:last-child) { width: 1%; } .top td:first-child { width: auto; } .text td:not(:last-child) { white-space: nowrap; }
.fail { color: var(--bad); } .ok { color: var(--good); } code { font: 13px ui-monospace, monospace; }
`

export function reportHtml({ from, to, clusters }: Report): string {
  const title = `Clusters from ${day(from)} to ${day(to)}`
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${style}</style></head>
<body><h1>${title}</h1>
${clusters.map(clusterPart).join('\n')}
</body></html>
`
}

const day = (iso: string) => iso.slice(0, 10)

function clusterPart({ name, follows, figures, trends, tops, status, changes, gaps }: ClusterReport): string {
  const open = status.filter(({ state }) => state !== 'ok')
  const now =
    open.length === 0
      ? '<p class="ok">All is well now.</p>'
      : table(
          open.map((row) => [row.name, row.summary]),
          'text fail',
        )
  return [
    `<section id="${escapeHtml(name)}"><h2>${escapeHtml(name)}</h2>`,
    now,
    `<div class="tiles">${figures.map(tile).join('')}</div>`,
    `<h3>Capacity</h3><div class="trends">${trends.map(trendFigure).join('')}</div>`,
    ...tops.filter(({ rows }) => rows.length > 0).map(topPart),
    `<h3>Changes on ${escapeHtml(follows)}: ${changes.length}</h3>`,
    table(
      changes.map(({ commit, at, author, subject }) => [day(at), commit.slice(0, 7), `${subject} (${author})`]),
      'text changes',
    ),
    gaps.length === 0 ? '' : `<h3>Not known</h3><ul>${gaps.map((gap) => `<li>${escapeHtml(gap)}</li>`).join('')}</ul>`,
    '</section>',
  ].join('\n')
}

function tile({ title, text, target, met }: Figure): string {
  const verdict = met === null ? '' : met ? ' met' : ' missed'
  const wanted = target ? `<small>wanted: ${escapeHtml(target)}</small>` : ''
  return `<div class="tile${verdict}"><small>${escapeHtml(title)}</small><b>${escapeHtml(text)}</b>${wanted}</div>`
}

const topPart = ({ title, rows }: Top): string =>
  `<h3>${escapeHtml(title)}</h3>${table(
    rows.map(({ name, text }) => [name, text]),
    'top',
  )}`

function table(rows: string[][], kind: string): string {
  const cells = (row: string[]) => row.map((text) => `<td>${escapeHtml(text)}</td>`).join('')
  return `<table class="${kind}">${rows.map((row) => `<tr>${cells(row)}</tr>`).join('')}</table>`
}

const picture = { width: 360, height: 120, left: 34, right: 6, top: 8, bottom: 18 }

function trendFigure(trend: Trend): string {
  const caption = `<figcaption><b>${escapeHtml(trend.title)}</b>: ${escapeHtml(trend.text)}</figcaption>`
  return `<figure>${trend.points.length < 2 ? '' : trendSvg(trend)}${caption}</figure>`
}

/** A line from 0 to 100 %, with the limit across it. */
function trendSvg({ title, points, limit }: Trend): string {
  const { width, height, left, right, top, bottom } = picture
  const [first = 0, last = 1] = [points[0]?.[0], points.at(-1)?.[0]]
  const x = (at: number) => left + ((at - first) / (last - first || 1)) * (width - left - right)
  const y = (value: number) => top + (1 - Math.min(Math.max(value, 0), 1)) * (height - top - bottom)
  const path = points.map(
    ([at, value], index) => `${index === 0 ? 'M' : 'L'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`,
  )
  const grid = [0, 0.5, 1].map(
    (value) =>
      `<line x1="${left}" x2="${width - right}" y1="${y(value)}" y2="${y(value)}" stroke="currentColor" stroke-opacity=".2"/><text x="${left - 4}" y="${y(value) + 4}" text-anchor="end">${value * 100}%</text>`,
  )
  const date = (at: number) => new Date(at * 1000).toISOString().slice(5, 10)
  return [
    `<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeHtml(title)}">`,
    ...grid,
    `<line class="limit" x1="${left}" x2="${width - right}" y1="${y(limit)}" y2="${y(limit)}" stroke="var(--bad)" stroke-dasharray="4 3"/>`,
    `<path d="${path.join('')}" fill="none" stroke="var(--line)" stroke-width="1.5"/>`,
    `<text x="${left}" y="${height - 4}">${date(first)}</text><text x="${width - right}" y="${height - 4}" text-anchor="end">${date(last)}</text>`,
    '</svg>',
  ].join('')
}
