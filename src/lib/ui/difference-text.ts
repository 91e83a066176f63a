/** A difference for a terminal and for a pull request. */
import type { ClusterText, DifferenceText, FieldText, ObjectText } from '../repo/difference/document.ts'
import { cut } from './github-view.ts'

const sign = { added: '+', changed: '~', removed: '-' } as const

const fieldLine = ({ path, before, after }: FieldText): string => {
  if (before === undefined) return `${path}: ${after}`
  return after === undefined ? `${path}: was ${before}` : `${path}: ${before} -> ${after}`
}

const imageLine = ({ before, after }: ClusterText['images'][number]) =>
  before && after ? `${before} -> ${after}` : before ? `${before} is gone` : `${after} is new`

export function renderDifference(difference: DifferenceText): string {
  const lines = [`${difference.base} -> ${difference.head}`, '']
  for (const { id, cluster, object, detail } of difference.dangers)
    lines.push(`DANGER ${id} [${cluster}] ${object}: ${detail}`)
  if (difference.dangers.length > 0) lines.push('')
  for (const cluster of difference.clusters) {
    lines.push(`cluster ${cluster.cluster}: ${summary(cluster)}`)
    for (const { owner, objects } of cluster.owners) {
      lines.push(`  ${owner}`)
      for (const { change, object, fields } of objects) {
        lines.push(`    ${sign[change]} ${object}`, ...fields.map((field) => `        ${fieldLine(field)}`))
      }
    }
    for (const { owner, reason } of cluster.unknown)
      lines.push(`  ? ${owner}: nothing is known of its objects (${reason})`)
    lines.push(...section('images', cluster.images.map(imageLine)))
    lines.push(...section('restarts', cluster.restarts))
    lines.push(...section('would delete', cluster.deletions.wouldDelete))
    lines.push(
      ...section(
        'stays',
        cluster.deletions.stays.map(({ object, reason }) => `${object} (${reason})`),
      ),
    )
    lines.push('')
  }
  return lines.join('\n')
}

const section = (title: string, lines: string[]) =>
  lines.length === 0 ? [] : [`  ${title}:`, ...lines.map((line) => `    ${line}`)]

function summary(cluster: ClusterText): string {
  const { added, changed, removed } = cluster
  const { wouldDelete, stays, unreachable } = cluster.deletions
  const live = unreachable ? ' (live state not known: it cannot be reached)' : ''
  const deleted =
    removed === 0
      ? ''
      : `, would delete ${wouldDelete.length}${stays.length > 0 ? ` (${stays.length} stay)` : ''}${live}`
  const unknown = cluster.unknown.length > 0 ? `, ${cluster.unknown.length} NOT compared` : ''
  return `${added} added, ${changed} changed, ${removed} removed${deleted}${unknown}`
}

/** GitHub refuses a longer comment as a whole. */
const commentLimit = 65_536
/** One object's fields at most; the rest is in the report. */
const fieldsShown = 20

/** The comment on a pull request: dangers first, details folded, within GitHub's limit. */
export function differenceMarkdown(difference: DifferenceText): string {
  const { dangers, clusters } = difference
  const lines = [`### Rendered: ${difference.base} → ${difference.head}`, '']
  lines.push(
    '| cluster | added | changed | removed | would delete | restarts | not compared |',
    '|---|---|---|---|---|---|---|',
  )
  for (const cluster of clusters) {
    const { added, changed, removed } = cluster
    const { deletions, restarts, unknown } = cluster
    const deleted = `${deletions.wouldDelete.length}${deletions.unreachable ? ' (live state unknown)' : ''}`
    lines.push(
      `| ${cluster.cluster} | ${added} | ${changed} | ${removed} | ${deleted} | ${restarts.length} | ${unknown.length} |`,
    )
  }
  lines.push('')
  for (const { id, cluster, object, detail } of dangers)
    lines.push(`> ⚠️ **${id}** (${cluster}) \`${object}\`: ${detail}`, '')
  const blocks = clusters.flatMap(clusterMarkdown)
  // What does not fit is left out object by object, and said: half a code block would break the rest of the page.
  const closing = (left: number) => (left === 0 ? '' : `\n_${left} more blocks do not fit: see the report._\n`)
  let text = lines.join('\n')
  let taken = 0
  for (const block of blocks) {
    if (Buffer.byteLength(text + block + closing(blocks.length)) > commentLimit) break
    text += block
    taken += 1
  }
  return cut(text + closing(blocks.length - taken), commentLimit)
}

function clusterMarkdown({ cluster, owners, images, restarts, unknown }: ClusterText): string[] {
  const list = (title: string, items: string[]) =>
    items.length === 0 ? [] : [`\n**${cluster}: ${title}**\n${items.map((item) => `- \`${item}\``).join('\n')}\n`]
  return [
    ...list(
      'not compared',
      unknown.map(({ owner, reason }) => `${owner}: ${reason.split('\n')[0]}`),
    ),
    ...list('images', images.map(imageLine)),
    ...list('restarts', restarts),
    ...owners.map(
      ({ owner, objects }) =>
        `\n<details><summary>${cluster}: ${owner} (${objects.length})</summary>\n\n\`\`\`diff\n${objects.map(objectDiff).join('\n')}\n\`\`\`\n</details>\n`,
    ),
  ]
}

function objectDiff({ change, object, fields }: ObjectText): string {
  if (change !== 'changed') return `${sign[change]} ${object}`
  const shown = fields
    .slice(0, fieldsShown)
    .flatMap(({ path, before, after }) => [
      ...(before === undefined ? [] : [`-   ${path}: ${before}`]),
      ...(after === undefined ? [] : [`+   ${path}: ${after}`]),
    ])
  const rest = fields.length - fieldsShown
  return [`# ${object}`, ...shown, ...(rest > 0 ? [`#   and ${rest} more fields`] : [])]
    .join('\n')
    .replaceAll('```', "'''")
}
