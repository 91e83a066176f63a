/** The queries of the repository's Grafana dashboards: what people really ask. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { layout } from './layout.ts'

export interface PanelQuery {
  /** `Cluster Overview / Nodes not ready` */
  panel: string
  language: 'metrics' | 'logs'
  expression: string
  /** One value, not values over a time. */
  instant: boolean
}

interface Target {
  expr?: string
  instant?: boolean
  queryType?: string
  datasource?: { type?: string }
}
interface Panel {
  title?: string
  datasource?: { type?: string }
  targets?: Target[]
  panels?: Panel[]
}

/** @param root of the repository */
export function dashboardQueries(root: string): PanelQuery[] {
  return globSync(`${layout.kubernetes}/**/*.json`, { cwd: root })
    .toSorted()
    .flatMap((file) => {
      const dashboard = JSON.parse(readFileSync(join(root, file), 'utf8')) as { title?: string; panels?: Panel[] }
      return Array.isArray(dashboard.panels) ? panelsOf(dashboard.panels, dashboard.title ?? file) : []
    })
}

function panelsOf(panels: Panel[], dashboard: string): PanelQuery[] {
  return panels.flatMap(({ title = '', datasource, targets = [], panels: folded = [] }) => [
    ...targets.flatMap(({ expr, instant, queryType, datasource: own = datasource }) =>
      expr
        ? [
            {
              panel: `${dashboard} / ${title}`,
              language: own?.type?.includes('logs') ? ('logs' as const) : ('metrics' as const),
              expression: expr,
              instant: instant === true || queryType === 'instant',
            },
          ]
        : [],
    ),
    ...panelsOf(folded, dashboard),
  ])
}

/** With Grafana's variables as they are when everything is chosen, over `rangeSec`. */
export function filledExpression({ expression }: PanelQuery, rangeSec: number): string {
  return expression
    .replace(/\$\{?__(rate_interval|interval)\}?/g, '5m')
    .replace(/\$\{?__range\}?/g, `${rangeSec}s`)
    .replace(/\$\{\w+(:\w+)?\}|\$\w+/g, '.*')
}
