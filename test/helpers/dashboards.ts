/** The dashboards of the repository, as Grafana reads them: panels, what they ask, and the variables in it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Target {
  expr: string
  legendFormat?: string
  /** Of VictoriaLogs. */
  queryType?: 'instant' | 'statsRange'
}
export interface Panel {
  id: number
  type: string
  title: string
  datasource?: { type: string; uid: string }
  gridPos: { x: number; y: number; w: number; h: number }
  targets?: Target[]
}
export interface Variable {
  name: string
  definition: string
}
export interface Dashboard {
  file: string
  uid: string
  title: string
  panels: Panel[]
  templating: { list: Variable[] }
}

export const dashboardsDirectory = join(
  import.meta.dirname,
  '../../kubernetes/infrastructure/configs/observability/grafana-dashboards/app',
)

export const dashboards = (): Dashboard[] =>
  readdirSync(dashboardsDirectory)
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({ ...(JSON.parse(readFileSync(join(dashboardsDirectory, file), 'utf8')) as Dashboard), file }))

/** What Grafana puts in place of variables. @param cluster a regular expression */
export const filledIn = (text: string, cluster: string): string =>
  text
    .replaceAll('$__rate_interval', '5m')
    .replaceAll('$cluster', cluster)
    .replace(/\$(namespace|kind)\b/g, '.+')

/** A variable's query: `label_values(selector, label)`. */
export function labelValues(definition: string): { selector: string; label: string } {
  const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(definition) ?? []
  if (!selector || !label) throw new Error(`not label_values(): ${definition}`)
  return { selector, label }
}
