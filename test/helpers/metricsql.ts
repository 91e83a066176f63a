/** What a query asks for: its selectors with their matchers, and the labels that it groups or matches by. No parser: the server is that. */
import type { Series } from './metric-lists.ts'

export interface Selector {
  metric: string
  matchers: { label: string; op: string; value: string }[]
}

export interface Query {
  selectors: Selector[]
  /** Of `by`, `without`, `on`, `ignoring`, `group_left` and `group_right`. */
  groupings: string[]
  /** Labels that the query makes itself. */
  made: string[]
}

const token = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[a-zA-Z_:][\w:]*|\d[\w.]*|[=!]~|!=|>=|<=|==|\S/g
const grouping = /^(by|without|on|ignoring|group_left|group_right)$/i
const operator = /^(and|or|unless|if|ifnot|default|offset|bool|inf|nan|atan2)$/i
const making = /^(label_replace|label_join|label_set|label_copy)$/

export function readQuery(text: string): Query {
  const tokens = text.match(token) ?? []
  const query: Query = { selectors: [], groupings: [], made: [] }
  let at = 0
  const until = (end: string): string[] => {
    const taken: string[] = []
    for (at++; at < tokens.length && tokens[at] !== end; at++) taken.push(tokens[at] as string)
    return taken
  }
  const matchers = (): Selector['matchers'] => {
    const parts = until('}').filter((part) => part !== ',')
    return Array.from({ length: Math.floor(parts.length / 3) }, (_, index) => {
      const [label = '', op = '', value = ''] = parts.slice(index * 3)
      return { label, op, value: value.slice(1, -1).replaceAll('\\\\', '\\') }
    })
  }
  for (; at < tokens.length; at++) {
    const word = tokens[at] as string
    const next = tokens[at + 1] ?? ''
    if (word === '[') until(']')
    else if (word === '{') throw new Error(`a selector without a metric: ${text}`)
    else if (!/^[a-zA-Z_:]/.test(word)) continue
    else if (grouping.test(word)) {
      if (next !== '(') continue
      at++
      query.groupings.push(...until(')').filter((part) => part !== ','))
    } else if (operator.test(word) || grouping.test(next)) continue
    else if (next === '(') {
      // The label that it makes is its first string.
      if (making.test(word)) query.made.push((tokens.slice(at).find((part) => /^["']/.test(part)) ?? '').slice(1, -1))
    } else if (next === '{') {
      at++
      query.selectors.push({ metric: word, matchers: matchers() })
    } else query.selectors.push({ metric: word, matchers: [] })
  }
  return query
}

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
