/** Alerts ask only for what an exporter says and something scrapes, say what to read, and are tried. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { dig } from '../../src/lib/repo/fields.ts'
import {
  type AlertRule,
  type RenderedObject,
  renderedObjects,
  ruleCases,
  rulesIn,
  seriesOf,
} from '../helpers/alert-rules.ts'
import { metricLists, seriesByName } from '../helpers/metric-lists.ts'
import { readQuery, unknownIn } from '../helpers/metricsql.ts'
import { projectRoot } from './tool.ts'

const lists = metricLists()
const known = seriesByName(lists)
const cases = ruleCases()
let objects: RenderedObject[]
let rules: { id: string; group: string; rule: AlertRule }[]
beforeAll(async () => {
  objects = await renderedObjects()
  rules = rulesIn(objects).flatMap(({ id, groups }) =>
    groups.flatMap((group) => group.rules.map((rule) => ({ id, group: group.name, rule }))),
  )
  // What a rule records can be asked for like any metric.
  for (const { rule } of rules) {
    if (!rule.record) continue
    const labels = new Map<string, string[]>(readQuery(rule.expr).groupings.map((label) => [label, []]))
    const list = { exporter: 'vmalert', source: 'a recording rule', scraped: [], target: new Map(), metrics: [] }
    known.set(rule.record, [{ name: rule.record, metric: { name: rule.record, type: 'gauge', labels }, list, labels }])
  }
})

const nameOf = (rule: AlertRule) => rule.alert ?? rule.record ?? ''

describe('metric lists', () => {
  test('each says where its facts come from, and no metric twice', () => {
    expect(lists.length).toBeGreaterThan(25)
    for (const { exporter, source, metrics } of lists) {
      expect(source, exporter).toMatch(/\d/)
      expect(new Set(metrics.map(({ name }) => name)).size, exporter).toBe(metrics.length)
    }
  })

  test('what is in none of them is found, and so is a label that a metric lacks', () => {
    expect(unknownIn('sum by (cluster) (rate(flux_made_up_total[5m])) > 0', known)).toEqual([
      'flux_made_up_total is in no list',
    ])
    expect(unknownIn('max by (cluster, zone) (ceph_osd_up{osd="1"})', known)).toEqual([
      'no exporter has ceph_osd_up with osd=1',
      'nothing in it has the label zone',
    ])
    expect(unknownIn('up{job="no-such-job"} == 0', known)).toHaveLength(1)
    expect(unknownIn('kube_pod_status_phase{phase=~"Runing|Pnding"}', known)).toHaveLength(1)
    expect(unknownIn('label_replace(up, "app", "$1", "job", "(.*)") * on (app) group_left up', known)).toEqual([])
  })
})

test('every rule asks for metrics and labels that an exporter has', () => {
  const problems = rules.flatMap(({ rule }) => unknownIn(rule.expr, known).map((one) => `${nameOf(rule)}: ${one}`))
  expect([...new Set(problems)]).toEqual([])
})

test('something scrapes every exporter that a rule asks', () => {
  const asked = new Set<string>()
  for (const { rule } of rules) {
    for (const { metric } of readQuery(rule.expr).selectors) {
      const all = known.get(metric) ?? []
      if (!all.some(({ list }) => list.scraped.length === 0 || list.scraped.some(isThere)))
        asked.add(`${nameOf(rule)}: nothing scrapes ${metric} (${all.map(({ list }) => list.scraped).join(' or ')})`)
    }
  }
  expect([...asked]).toEqual([])
})

/** @param monitor an object, or a release with the value that makes its chart bring one; `?` behind it: unless that is false */
function isThere(monitor: string): boolean {
  const [kind, id = '', value] = monitor.split(' ')
  const found = objects.filter((one) => one.kind === kind && `${one.namespace}/${one.name}` === id)
  if (value === undefined) return found.length > 0
  const at = (one: RenderedObject) => dig(one.object, `spec.values.${value.replace(/\?$/, '')}`)
  return found.some((one) => at(one) !== false && (value.endsWith('?') || Boolean(at(one))))
}

/** Whose rules stand beside what needs their CRDs, or beside whoever makes them; and what runs nothing. */
const elsewhere: Record<string, string> = {
  cilium: 'kube-system.cilium',
  'flux-instance': 'flux-system.flux',
  'prometheus-operator-crds': '',
}

test('whatever runs has a rule of its own', async () => {
  const runs =
    /^(HelmRelease|Deployment|StatefulSet|DaemonSet|CronJob|Cluster|Kafka|Keycloak|ApicurioRegistry3|Mattermost)$/
  const byOwner = Map.groupBy(objects, ({ cluster, owner }) => `${cluster} ${owner}`)
  const without = [...byOwner.values()]
    .filter((all) => all.some(({ kind }) => runs.test(kind)) && rulesIn(all).length === 0)
    .map((all) => all[0]?.owner ?? '')
    .filter((owner) => elsewhere[owner] === undefined)
  expect([...new Set(without)]).toEqual([])
  for (const id of Object.values(elsewhere)) if (id !== '') expect(rules.map((rule) => rule.id)).toContain(id)
})

test('every alert names a runbook that is there', () => {
  for (const { rule } of rules) {
    if (!rule.alert) continue
    const [, path = 'none'] = /\/blob\/main\/(.+\.md)$/.exec(rule.annotations?.runbook_url ?? '') ?? []
    expect(existsSync(join(projectRoot, path)), `${rule.alert}: ${path}`).toBe(true)
  }
})

describe('cases', () => {
  test('every rule has one, and every case is of a rule', () => {
    const tried = new Set([...cases.values()].flatMap((one) => [...one.keys()]))
    expect(rules.map(({ rule }) => nameOf(rule)).filter((name) => !tried.has(name))).toEqual([])
    const untested = [...cases].flatMap(([id, one]) =>
      [...one.keys()].filter((name) => !rules.some((rule) => rule.id === id && nameOf(rule.rule) === name)),
    )
    expect(untested).toEqual([])
  })

  test('an alert fires with its cluster, and there is a case in which it does not', () => {
    for (const [id, one] of cases) {
      for (const [name, it] of one) {
        if ('gives' in it || it.always) continue
        for (const labels of [it.as].flat()) expect(labels, `${id} ${name}`).toHaveProperty('cluster')
        expect(seriesOf(it.silent ?? ''), `${id} ${name}`).not.toEqual([])
      }
    }
  })

  test('they are given only what an exporter says', () => {
    const problems = [...cases.values()].flatMap((one) =>
      [...one].flatMap(([name, it]) =>
        ('gives' in it ? [it.given] : [it.fires, it.silent ?? it.fires])
          .flatMap(seriesOf)
          .flatMap(({ series }) => unknownIn(series, known).map((problem) => `${name}: ${problem}`)),
      ),
    )
    expect([...new Set(problems)]).toEqual([])
  })
})
