/** Alerts: whoever is woken by one has to know what it is, how bad it is, and what to read. */
import { listAt, mapAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import { ofKind, type RenderedObject } from './view.ts'

export const alertRules: Rule[] = [
  {
    id: 'alert-complete',
    demands:
      'An alert has a name, an expression, how long it must hold, a severity that is routed, a sentence that says what is wrong, and its runbook',
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
]

const severities = /^(critical|warning|info)$/
/** PromQL has a selector, a function or a comparison; prose has none of them. */
const query = /[({[<>=]|^[a-z_:]+$/

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
        ...(query.test(textAt(rule, 'expr') ?? '') ? [] : [says('has no query', 'expr')]),
        ...(Object.keys(mapAt(rule, 'labels')).some((key) => /^(summary|runbook_url|description)$/.test(key))
          ? [says('has annotations among its labels', 'labels')]
          : []),
        ...(durationLike.test(textAt(rule, 'for') ?? '') ? [] : [says('waits for no duration', 'for')]),
      ]
    }),
  )
}

const durationLike = /^(\d+(ms|s|m|h|d|w))+$/
