/** Alerts: whoever is woken by one has to know what it is, how bad it is, and what to read. */
import { listAt, mapAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { readQuery, type Selector } from '../metricsql.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const alertRules: Rule[] = [
  {
    id: 'alert-complete',
    demands:
      'An alert has a name, an expression that compares, how long it must hold, a severity that is routed, a sentence that says what is wrong, and its runbook',
    why: 'An alert without them reaches nobody, or somebody who does not know what to do',
    fix: 'alert: WordsInCamelCase; for: 5m; labels.severity: critical, warning or info; annotations.summary and runbook_url',
    source: 'issue 5',
    scope: 'house',
    check: each((cluster) =>
      ofKind(cluster, 'PrometheusRule', 'VMRule')
        .filter(({ release }) => !release)
        .flatMap(incompleteAlerts),
    ),
  },
  {
    id: 'query-wellformed',
    demands: 'What a rule of a PrometheusRule or VMRule asks is a query',
    why: 'The evaluator refuses the whole group, and none of its alerts is evaluated any more',
    fix: 'Try it in vmui, or with `vmalert -dryRun`',
    source: 'PromQL, MetricsQL',
    scope: 'any',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'PrometheusRule', 'VMRule')
        .filter(({ release }) => !release)
        .flatMap(malformedQueries),
    ),
  },
  {
    id: 'query-names-exist',
    demands: 'A namespace, Deployment, StatefulSet, DaemonSet or CronJob that a rule asks for by its name is there',
    why: 'The query finds nothing for ever: an alert on it is silent, whatever happens',
    fix: 'The name that the object has on the cluster, a chart’s with its fullnameOverride',
    source: 'kube-state-metrics',
    scope: 'any',
    check: each(strangeNames),
  },
]

const severities = /^(critical|warning|info)$/

/** Of a group for a database of metrics: those of logs and Graphite have languages of their own. */
const queriesOf = (one: RenderedObject) =>
  listAt(one.object(), 'spec.groups').flatMap((group, groupIndex) =>
    /^(vlogs|graphite)$/.test(textAt(group, 'type') ?? '')
      ? []
      : listAt(group, 'rules').map((rule, index) => ({
          rule,
          path: ['spec', 'groups', groupIndex, 'rules', index, 'expr'],
        })),
  )

function malformedQueries(one: RenderedObject): Finding[] {
  return queriesOf(one).flatMap(({ rule, path }) => {
    const name = textAt(rule, 'alert') ?? textAt(rule, 'record')
    try {
      readQuery(textAt(rule, 'expr') ?? '')
      return []
    } catch (error) {
      return [about(one, `${name} asks nothing: ${(error as Error).message}`, path)]
    }
  })
}

const countedKinds: Record<string, string> = {
  deployment: 'Deployment',
  statefulset: 'StatefulSet',
  daemonset: 'DaemonSet',
  cronjob: 'CronJob',
}
const alwaysThere = new Set(['default', 'kube-system', 'kube-public', 'kube-node-lease'])

function strangeNames(cluster: ClusterView): Finding[] {
  // Of a chart that was neither rendered nor recorded nobody knows what it makes.
  if (cluster.releases.some(({ rendered, facts }) => !rendered && !facts)) return []
  const all = [...cluster.objects, ...cluster.recorded]
  const made = new Set(all.map(({ kind, namespace, name }) => `${kind} ${namespace ?? ''}/${name}`))
  const names = new Set(all.map(({ kind, name }) => `${kind} ${name}`))
  const spaces = new Set([...ofKind(cluster, 'Namespace').map(({ name }) => name), ...alwaysThere])
  const strange = ({ metric, matchers }: Selector): string | undefined => {
    const wanted = (label: string) => matchers.find((one) => one.label === label && one.op === '=')?.value
    const namespace = wanted('namespace') ?? wanted('exported_namespace')
    if (namespace !== undefined && !spaces.has(namespace)) return `namespace ${namespace} is not made`
    const word = /^kube_([a-z]+)_/.exec(metric)?.[1] ?? ''
    const [kind, name] = [countedKinds[word], wanted(word)]
    if (kind === undefined || name === undefined) return undefined
    const isThere = namespace === undefined ? names.has(`${kind} ${name}`) : made.has(`${kind} ${namespace}/${name}`)
    return isThere ? undefined : `no ${kind} is called ${namespace === undefined ? '' : `${namespace}/`}${name}`
  }
  return ofKind(cluster, 'PrometheusRule', 'VMRule')
    .filter(({ release }) => !release)
    .flatMap((one) =>
      queriesOf(one).flatMap(({ rule, path }) =>
        selectorsIn(textAt(rule, 'expr') ?? '').flatMap((selector) => {
          const why = strange(selector)
          return why ? [about(one, `${textAt(rule, 'alert') ?? textAt(rule, 'record')}: ${why}`, path)] : []
        }),
      ),
    )
}

/** None of what is no query: of that another rule tells. */
function selectorsIn(text: string): Selector[] {
  try {
    return readQuery(text).selectors
  } catch {
    return []
  }
}

/** An alert on whatever there is, without a comparison, holds always; of what is no query another rule tells. */
function decides(text: string): boolean {
  try {
    return readQuery(text).decides
  } catch {
    return true
  }
}

function incompleteAlerts(one: RenderedObject): Finding[] {
  const groups = listAt(one.object(), 'spec.groups')
  return groups.flatMap((group, groupIndex) =>
    listAt(group, 'rules').flatMap((rule, index) => {
      const name = textAt(rule, 'alert')
      if (name === undefined) return []
      const path = ['spec', 'groups', groupIndex, 'rules', index]
      const says = (message: string, ...keys: string[]) => about(one, `alert ${name} ${message}`, [...path, ...keys])
      const summary = textAt(rule, 'annotations.summary') ?? ''
      return [
        ...(/^[A-Z][A-Za-z0-9]+$/.test(name) ? [] : [says('is not named in CamelCase', 'alert')]),
        ...(severities.test(textAt(rule, 'labels.severity') ?? '')
          ? []
          : [says('has no severity that is routed', 'labels', 'severity')]),
        ...(/\s/.test(summary) && !/[({]\w+=/.test(summary) ? [] : [says('has no summary', 'annotations', 'summary')]),
        ...(/^https:\S+\.md/.test(textAt(rule, 'annotations.runbook_url') ?? '')
          ? []
          : [says('names no runbook', 'annotations', 'runbook_url')]),
        ...(textAt(group, 'type') === 'vlogs' || decides(textAt(rule, 'expr') ?? '')
          ? []
          : [says('compares nothing', 'expr')]),
        ...(Object.keys(mapAt(rule, 'labels')).some((key) => /^(summary|runbook_url|description)$/.test(key))
          ? [says('has annotations among its labels', 'labels')]
          : []),
        ...(durationLike.test(textAt(rule, 'for') ?? '') ? [] : [says('waits for no duration', 'for')]),
      ]
    }),
  )
}

const durationLike = /^(\d+(ms|s|m|h|d|w))+$/
