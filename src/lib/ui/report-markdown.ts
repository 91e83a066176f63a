/** The weekly report for a terminal, an issue or a chat. */
import type { ClusterReport, Figure, Report } from '../ops/report.ts'

export function reportMarkdown({ from, to, clusters }: Report): string {
  return [`# Clusters from ${day(from)} to ${day(to)}`, '', ...clusters.flatMap(clusterPart)].join('\n').trimEnd()
}

const day = (iso: string) => iso.slice(0, 10)
const cell = (text: string) => text.replaceAll('|', '\\|').replace(/\s+/g, ' ')

function clusterPart({ name, follows, figures, trends, tops, status, changes, gaps }: ClusterReport): string[] {
  const open = status.filter(({ state }) => state !== 'ok')
  return [
    `## ${name}`,
    '',
    ...(open.length === 0
      ? ['All is well now.', '']
      : ['Not well now:', '', ...open.map(({ name: row, summary }) => `- **${row}**: ${cell(summary)}`), '']),
    '| | | wanted |',
    '|---|---|---|',
    ...figures.map((figure) => `| ${figure.title} | ${mark(figure)}${figure.text} | ${figure.target ?? ''} |`),
    ...trends.map(({ title, text }) => `| ${title} | ${text} | |`),
    '',
    ...tops
      .filter(({ rows }) => rows.length > 0)
      .flatMap(({ title, rows }) => [
        `### ${title}`,
        '',
        ...rows.map(({ name: row, text }) => `- ${cell(row)}: ${text}`),
        '',
      ]),
    `### Changes on ${follows}: ${changes.length}`,
    '',
    ...changes.map(
      ({ commit, at, author, subject }) => `- ${day(at)} \`${commit.slice(0, 7)}\` ${cell(subject)} (${cell(author)})`,
    ),
    '',
    ...(gaps.length === 0 ? [] : ['### Not known', '', ...gaps.map((gap) => `- ${cell(gap)}`), '']),
  ]
}

const mark = ({ met }: Figure) => (met === false ? '**missed** ' : '')
