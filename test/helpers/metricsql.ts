/** What queries ask for, held against the metrics that exporters have. */
import { readQuery, type Selector } from '../../src/lib/repo/metricsql.ts'
import type { Series } from './metric-lists.ts'

export { readQuery }

/** What of a query no exporter says: a metric in no list, a label or a value that it never has. */
export function unknownIn(text: string, known: Map<string, Series[]>): string[] {
  const { selectors, groupings, made } = readQuery(text)
  const problems: string[] = []
  const labels = new Set([...made, 'cluster'])
  for (const { metric, matchers } of selectors) {
    const all = known.get(metric)
    if (!all) {
      problems.push(`${metric} is in no list`)
      continue
    }
    for (const series of all) for (const label of series.labels.keys()) labels.add(label)
    if (!all.some((series) => matchers.every((matcher) => couldMatch(matcher, series))))
      problems.push(`no exporter has ${metric} with ${matchers.map((one) => Object.values(one).join('')).join(', ')}`)
  }
  for (const label of groupings) if (!labels.has(label)) problems.push(`nothing in it has the label ${label}`)
  return problems
}

function couldMatch({ label, op, value }: Selector['matchers'][number], { labels }: Series): boolean {
  const values = labels.get(label)
  // What Grafana fills in is any value of the label.
  if (values === undefined || values.length === 0 || value.startsWith('$')) return values !== undefined
  const same = op.includes('~')
    ? (one: string) => new RegExp(`^(?:${value})$`).test(one)
    : (one: string) => one === value
  return values.some((one) => same(one) !== op.startsWith('!'))
}
