/** A difference as one HTML file that needs nothing else: no script, no font, no address. */
import type { DifferenceText, ObjectText } from '../repo/difference/document.ts'

const style = `
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; } h2 { font-size: 1.1rem; margin-top: 2rem; border-bottom: 1px solid #8884; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem; border: 1px solid #8884; text-align: right; }
td:first-child, th:first-child { text-align: left; }
code, pre { font: 13px/1.45 ui-monospace, monospace; } pre { margin: .2rem 0 .6rem; overflow-x: auto; }
summary { cursor: pointer; } .danger { border-left: 4px solid #c33; padding: .3rem .8rem; margin: .4rem 0; background: #c331; }
.added { color: #197a2f; } .removed { color: #b3261e; } .changed { color: #7a5b00; } .note { opacity: .75; }
@media (prefers-color-scheme: dark) { .added { color: #6fd388; } .removed { color: #ff8a80; } .changed { color: #e6c25c; } }
`

export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')

export function differenceHtml(difference: DifferenceText): string {
  const { base, head, clusters, dangers } = difference
  const rows = clusters.map((cluster) => {
    const { added, changed, removed } = cluster
    const cells = [
      added,
      changed,
      removed,
      cluster.deletions.wouldDelete.length,
      cluster.restarts.length,
      cluster.unknown.length,
    ]
    return `<tr><td>${escapeHtml(cluster.cluster)}</td>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
  })
  const list = (title: string, items: string[]) =>
    items.length === 0
      ? ''
      : `<h3>${title}</h3><ul>${items.map((item) => `<li><code>${escapeHtml(item)}</code></li>`).join('')}</ul>`
  const sections = clusters.map(
    (cluster) =>
      `<h2>${escapeHtml(cluster.cluster)}</h2>` +
      list(
        'Not compared',
        cluster.unknown.map(({ owner, reason }) => `${owner}: ${reason}`),
      ) +
      list(
        'Images',
        cluster.images.map(({ before, after }) => `${before ?? '(new)'} → ${after ?? '(gone)'}`),
      ) +
      list('Restarts', cluster.restarts) +
      list('Would be deleted', cluster.deletions.wouldDelete) +
      list(
        'Stays',
        cluster.deletions.stays.map(({ object, reason }) => `${object}: ${reason}`),
      ) +
      cluster.owners
        .map(
          ({ owner, objects }) =>
            `<details open><summary>${escapeHtml(owner)} (${objects.length})</summary>${objects.map(objectHtml).join('')}</details>`,
        )
        .join(''),
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>k8sops diff</title><style>${style}</style></head><body>
<h1>${escapeHtml(base)} → ${escapeHtml(head)}</h1>
${dangers.map(({ id, cluster, object, detail }) => `<p class="danger"><b>${id}</b> (${escapeHtml(cluster)}) <code>${escapeHtml(object)}</code>: ${escapeHtml(detail)}</p>`).join('\n')}
<table><tr><th>cluster</th><th>added</th><th>changed</th><th>removed</th><th>would delete</th><th>restarts</th><th>not compared</th></tr>${rows.join('')}</table>
${sections.join('\n')}
</body></html>
`
}

function objectHtml({ change, object, fields }: ObjectText): string {
  const lines = fields.flatMap(({ path, before, after }) => [
    ...(before === undefined ? [] : [`<span class="removed">- ${escapeHtml(`${path}: ${before}`)}</span>`]),
    ...(after === undefined ? [] : [`<span class="added">+ ${escapeHtml(`${path}: ${after}`)}</span>`]),
  ])
  return `<div class="${change}">${change} <code>${escapeHtml(object)}</code></div>${lines.length > 0 ? `<pre>${lines.join('\n')}</pre>` : ''}`
}
