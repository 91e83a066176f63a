/** Runs the rules over a view: findings with their lines, waivers applied, what several clusters share said once. */
import { type Finding, linesOf } from '../locate.ts'
import { ruleNamed, rules } from './catalog.ts'
import type { Rule } from './rule.ts'
import type { RepositoryView } from './view.ts'
import { covers, type Waiver, waiversIn } from './waivers.ts'

/** One thing wrong, as it is reported. */
export interface RuleFinding {
  rule: string
  file: string
  line: number
  message: string
  why: string
  fix: string
  /** Where it was found, when it is about what a cluster renders. */
  clusters: string[]
}

export interface RuleReport {
  findings: RuleFinding[]
  /** Waivers that took effect, each with how many findings it covers. */
  waived: (Waiver & { findings: number })[]
  /** How many rules were asked. */
  rules: number
}

export interface CheckOptions {
  /** Only these; all of the catalogue without it. */
  only?: readonly Rule[]
  /** Which findings are of interest; all without it. Waivers count for all of them. */
  isWanted?: (finding: Finding, isLocal: boolean) => boolean
  /** Of checks that are no rules of the catalogue (schemas, the API server). */
  more?: { rule: Pick<Rule, 'id' | 'why' | 'fix' | 'looksAt'>; finding: Finding }[]
}

/** @throws nothing for what a file says: that is a finding */
export async function checkRules(
  view: RepositoryView,
  { only = rules, more = [], isWanted = () => true }: CheckOptions = {},
): Promise<RuleReport> {
  const found = [...only.flatMap((rule) => rule.check(view).map((finding) => ({ rule, finding }))), ...more]
  const lines = await linesOf(
    view.root,
    found.map(({ finding }) => finding),
    view.files,
  )
  const merged = new Map<string, RuleFinding>()
  const wanted = new Set<RuleFinding>()
  for (const [index, { rule, finding }] of found.entries()) {
    const { file, message, cluster } = finding
    const line = lines[index] ?? 1
    const key = JSON.stringify([rule.id, file, line, message])
    const one = merged.get(key) ?? { rule: rule.id, file, line, message, why: rule.why, fix: rule.fix, clusters: [] }
    if (cluster && !one.clusters.includes(cluster)) one.clusters.push(cluster)
    merged.set(key, one)
    if (isWanted(finding, rule.looksAt === 'itself')) wanted.add(one)
  }
  const { findings, idle, waived } = waive([...merged.values()], view, only === rules)
  const told = idle.filter(({ file, line, message }) => isWanted({ file, line, message }, false))
  return {
    findings: [...findings.filter((one) => wanted.has(one)), ...told].sort(
      (a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.rule.localeCompare(b.rule),
    ),
    waived: [...waived].flatMap(([waiver, covered]) => {
      const count = covered.filter((one) => wanted.has(one)).length
      return count > 0 ? [{ ...waiver, findings: count }] : []
    }),
    rules: only.length,
  }
}

interface Waived {
  findings: RuleFinding[]
  /** About waivers. */
  idle: RuleFinding[]
  waived: Map<Waiver, RuleFinding[]>
}

function waive(found: RuleFinding[], { files }: RepositoryView, complete: boolean): Waived {
  const waivers = files.flatMap(waiversIn)
  const used = new Map<Waiver, RuleFinding[]>()
  const findings = found.filter((finding) => {
    const waiver = waivers.find((one) => covers(one, finding))
    if (waiver) used.set(waiver, [...(used.get(waiver) ?? []), finding])
    return !waiver
  })
  const idle = complete ? waivers.filter((waiver) => !used.has(waiver)).map(aboutWaiver) : []
  return { findings, idle, waived: used }
}

function aboutWaiver({ file, line, rule, reason }: Waiver): RuleFinding {
  const message =
    reason === ''
      ? `waiver of ${rule || '(nothing)'} gives no reason`
      : ruleNamed(rule) || extraRules.has(rule)
        ? `waiver of ${rule} has no effect: nothing is wrong here`
        : `waiver of ${rule}, which is no rule`
  const why = 'An exception that nobody can judge, or that outlives what it excused, hides the next mistake'
  const fix = '`# waive(rule-id): reason` at the line of the finding; delete it when it has no effect'
  return { rule: waiverRule, file, line, message, why, fix, clusters: [] }
}

/** What a waiver itself does wrong. It cannot be waived. */
export const waiverRule = 'waiver'
/** Findings that come from outside the catalogue. */
export const extraRules = new Set(['schema', 'server'])

const aboutOthers = new Set([waiverRule, ...rules.filter(({ looksAt }) => looksAt === undefined).map(({ id }) => id)])

/** Whether what a rule finds lacking may be in what was not rendered. */
export const isAboutOthers = (rule: string): boolean => aboutOthers.has(rule)
