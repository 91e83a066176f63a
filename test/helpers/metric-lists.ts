/**
 * What each exporter has to say, as recorded from its own source or documentation (test/fixtures/metrics): never from a rule or a
 * dashboard. A line is a metric, its type and its labels, with the values of a label where they are fixed.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Metric {
  name: string
  type: 'gauge' | 'counter' | 'histogram' | 'summary'
  /** By label: its values where they are a closed set, else none. */
  labels: Map<string, string[]>
}

export interface MetricList {
  exporter: string
  /** Where the lines were taken from. */
  source: string
  /** What has it scraped; one of them is enough. */
  scraped: string[]
  /** The labels that the scrape adds, as in a metric's labels. */
  target: Map<string, string[]>
  metrics: Metric[]
}

const directory = join(import.meta.dirname, '../fixtures/metrics')

/** @throws on a line that is none of the format's */
export function metricLists(): MetricList[] {
  const lists = readdirSync(directory).map((file) => {
    const lines = readFileSync(join(directory, file), 'utf8').trim().split('\n')
    const told = (key: string) =>
      lines.filter((line) => line.startsWith(`# ${key}: `)).map((line) => line.slice(key.length + 4))
    const [source] = told('source')
    const [target] = told('target')
    if (!source || !target) throw new Error(`${file} does not say what its source or its target's labels are`)
    return {
      exporter: file.replace('.txt', ''),
      source,
      scraped: told('scraped'),
      target: labelsOf(target.split(' ')),
      metrics: lines.filter((line) => !line.startsWith('#')).map((line) => metricOf(line, file)),
    }
  })
  const jobs = [...new Set(lists.flatMap(({ target }) => target.get('job') ?? []))].filter((job) => job !== '*')
  for (const { target } of lists) if (target.get('job')?.[0] === '*') target.set('job', jobs)
  return lists
}

function metricOf(line: string, file: string): Metric {
  const [name = '', type = '', ...labels] = line.split(' ')
  if (!/^[a-zA-Z_:][\w:]*$/.test(name) || !/^(gauge|counter|histogram|summary)$/.test(type))
    throw new Error(`${file} has a line that is no metric: ${line}`)
  return { name, type: type as Metric['type'], labels: labelsOf(labels) }
}

const labelsOf = (words: string[]): Map<string, string[]> =>
  new Map(
    words.map((word): [string, string[]] => {
      const [label = '', values] = word.split('=')
      return [label, values === undefined ? [] : values.split('|')]
    }),
  )

/** A name that can be asked for, of one list: those of a histogram are three. */
export interface Series {
  name: string
  metric: Metric
  list: MetricList
  /** With the labels of the target, of the cluster and of the form. */
  labels: Map<string, string[]>
}

export const clusters = ['infra', 'apps']

/** Every name that can be asked for; one name may come from several exporters. */
export function seriesByName(lists: MetricList[]): Map<string, Series[]> {
  const found = new Map<string, Series[]>()
  for (const list of lists) {
    for (const metric of list.metrics) {
      for (const [suffix, extra] of forms[metric.type]) {
        const labels = new Map([...list.target, ['cluster', clusters], ...metric.labels, ...extra] as const)
        const name = `${metric.name}${suffix}`
        found.set(name, [...(found.get(name) ?? []), { name, metric, list, labels: labels as Series['labels'] }])
      }
    }
  }
  return found
}

type Form = [suffix: string, labels: [string, string[]][]]
const forms: Record<Metric['type'], Form[]> = {
  gauge: [['', []]],
  counter: [['', []]],
  histogram: [
    ['_bucket', [['le', []]]],
    ['_sum', []],
    ['_count', []],
  ],
  summary: [
    ['', [['quantile', ['0.5', '0.9', '0.97', '0.99']]]],
    ['_sum', []],
    ['_count', []],
  ],
}
