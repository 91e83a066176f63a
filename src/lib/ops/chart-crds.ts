/** Which CRDs a release's chart brings, by the facts of the chart that the repository keeps (lab/charts). */
import { readChartFacts } from '../repo/chart-facts.ts'
import { mergeValues, type Release } from '../repo/releases.ts'
import type { Json } from '../types.ts'

interface ChartCrds {
  /** `crds`: always with `--include-crds`; `templates`: under the conditions of `when`. */
  placement: 'crds' | 'templates'
  /** Value paths that must be true; `!path` must be false, `path=text` and `path!=text` compare. */
  when?: string[]
  names: string[]
}

type Values = { [key: string]: Json }

/** Full names (`certificates.cert-manager.io`), in alphabetical order; empty when nothing is known about the chart. */
export async function crdsOf(root: string, release: Release): Promise<string[]> {
  const facts = (await readChartFacts(root, release.chartName, release.version)) as
    | { crds?: ChartCrds[]; defaults?: Values }
    | undefined
  const values = mergeValues(facts?.defaults ?? {}, release.values)
  const sets = (facts?.crds ?? []).filter(
    ({ placement, when }) => placement === 'crds' || (when ?? []).every((condition) => holds(condition, values)),
  )
  return [...new Set(sets.flatMap(({ names }) => names))].sort()
}

/** One condition of a chart's facts, as the chart's template would judge it. */
export function holds(condition: string, values: Values): boolean {
  const [, path = '', operator, text] = /^!?([^!=]+)(?:(!?=)(.*))?$/.exec(condition) ?? []
  const value = path.split('.').reduce<Json | undefined>((at, key) => (isMap(at) ? at[key] : undefined), values)
  if (operator) return (String(value ?? '') === text) === (operator === '=')
  return condition.startsWith('!') ? !isTrue(value) : isTrue(value)
}

/** Go templates take empty maps, lists and strings for false. */
function isTrue(value: Json | undefined): boolean {
  if (Array.isArray(value)) return value.length > 0
  return isMap(value) ? Object.keys(value).length > 0 : Boolean(value)
}

const isMap = (value: Json | undefined): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
