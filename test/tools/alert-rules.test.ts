/** Every rule of the repository against its cases, by the real vmalert-tool: it fires, says what it should, and does not cry wolf. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stringify } from 'yaml'
import {
  type AlertCase,
  type AlertRule,
  type RecordCase,
  type RuleObject,
  renderedObjects,
  ruleCases,
  rulesIn,
  seriesOf,
} from '../helpers/alert-rules.ts'
import { tool } from '../helpers/talos-fleet.ts'

const cases = ruleCases()
let directory: string
let objects: RuleObject[]
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'k8sops-rules-'))
  objects = rulesIn(await renderedObjects())
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test.each([...cases.keys()])('%s', (id) => {
  const object = objects.find((one) => one.id === id)
  if (!object) throw new Error(`no object has these rules: ${id}`)
  let number = 0
  for (const [name, one] of cases.get(id) ?? []) {
    // Without the others of its group, whose every look would cost time.
    const groups = object.groups
      .map((group) => ({ ...group, rules: group.rules.filter((rule) => name === (rule.alert ?? rule.record)) }))
      .filter(({ rules }) => rules.length > 0)
    const every = one.every ?? '1m'
    const base = `${id}_${number++}`
    const tests = 'gives' in one ? [recordTest(name, one, every)] : alertTests(groups, name, one, every)
    const head = { rule_files: [`${base}.rules.yaml`], evaluation_interval: every }
    writeFileSync(join(directory, `${base}.rules.yaml`), stringify({ groups }))
    writeFileSync(join(directory, `${base}.test.yaml`), stringify({ ...head, tests }))
  }
  const args = ['unittest', `--files=${join(directory, `${id}_*.test.yaml`)}`]
  const ran = spawnSync(tool('vmalert-tool'), args, { encoding: 'utf8', cwd: directory })
  expect(ran.status === 0 ? '' : `${ran.stdout}${ran.stderr}`).toBe('')
  expect(ran.stdout.match(/SUCCESS/g)).toHaveLength(number)
})

function alertTests(groups: RuleObject['groups'], name: string, one: AlertCase, every: string): object[] {
  const group = groups.find(({ rules }) => rules.some((rule) => rule.alert === name))
  const rule = group?.rules.find((candidate) => candidate.alert === name)
  if (!group || !rule) throw new Error(`no rule ${name}`)
  const named = { groupname: group.name, alertname: name }
  const none = { ...named, exp_alerts: [] }
  const fires = {
    interval: every,
    name: `${name} fires`,
    input_series: seriesOf(one.fires),
    alert_rule_test: [
      // It waits first, because everything that is restarted is bad for a moment.
      ...(seconds(rule.for ?? '0s') > 0 ? [{ ...none, eval_time: justBefore(rule.for ?? '', every) }] : []),
      { ...named, eval_time: one.at, exp_alerts: [one.as].flat().map((labels) => expected(rule, labels)) },
    ],
  }
  if (one.silent === undefined) return [fires]
  const silent = { interval: every, name: `${name} does not fire`, input_series: seriesOf(one.silent) }
  return [fires, { ...silent, alert_rule_test: [{ ...none, eval_time: one.at }] }]
}

function expected(rule: AlertRule, { $value, ...labels }: Record<string, string | number>): object {
  const filled = (rule.annotations?.summary ?? '')
    .replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label: string) => String(labels[label] ?? `<no ${label}>`))
    .replace(/\{\{ \$value.*?\}\}/g, String($value ?? '<no value>'))
  return {
    exp_labels: {
      ...rule.labels,
      ...Object.fromEntries(Object.entries(labels).map(([key, value]) => [key, `${value}`])),
    },
    exp_annotations: { ...rule.annotations, summary: filled },
  }
}

const recordTest = (name: string, { at, given, gives }: RecordCase, every: string): object => ({
  interval: every,
  name,
  input_series: seriesOf(given),
  metricsql_expr_test: [
    {
      expr: name,
      eval_time: at,
      exp_samples: Object.entries(gives).map(([labels, value]) => ({ labels: `${name}${labels}`, value })),
    },
  ],
})

/** The last look before a rule has held for long enough. */
function justBefore(hold: string, every: string): string {
  return `${seconds(hold) - seconds(every)}s`
}

function seconds(text: string): number {
  const unit = { s: 1, m: 60, h: 3600 }[text.slice(-1)] ?? 0
  return Number.parseInt(text, 10) * unit
}
