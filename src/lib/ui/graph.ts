/** A dependency graph as text, as Mermaid, and as one SVG in columns: no library, the layers are the layout. */

import type { DependencyGraph, GraphNode } from '../repo/graph.ts'
import { escapeHtml } from './difference-html.ts'

const byLayer = (nodes: GraphNode[]): GraphNode[][] => [...Map.groupBy(nodes, ({ layer }) => layer).values()]

export function graphText(graphs: DependencyGraph[]): string {
  return graphs
    .map(({ cluster, nodes }) => {
      const width = Math.max(...nodes.map(({ name }) => name.length))
      const layers = byLayer(nodes).map((layer, depth) =>
        [
          depth === 0 ? '  at once' : `  after ${depth === 1 ? 'one' : depth}`,
          ...layer.map(({ name, dependsOn }) =>
            dependsOn.length === 0 ? `    ${name}` : `    ${name.padEnd(width)}  <- ${dependsOn.join(', ')}`,
          ),
        ].join('\n'),
      )
      return `cluster ${cluster}\n${layers.join('\n')}\n`
    })
    .join('\n')
}

export function graphMermaid(graphs: DependencyGraph[]): string {
  const id = (cluster: string, name: string) => `${cluster}_${name.replaceAll(/[^A-Za-z0-9]/g, '_')}`
  const parts = graphs.flatMap(({ cluster, nodes }) => [
    `  subgraph ${cluster}`,
    ...nodes.map(({ name }) => `    ${id(cluster, name)}["${name}"]`),
    ...nodes.flatMap(({ name, dependsOn }) =>
      dependsOn.map((other) => `    ${id(cluster, other)} --> ${id(cluster, name)}`),
    ),
    '  end',
  ])
  return `${['flowchart LR', ...parts].join('\n')}\n`
}

const box = { width: 190, height: 26, columnGap: 90, rowGap: 10, margin: 20, title: 34 }

export function graphSvg(graphs: DependencyGraph[]): string {
  let top = box.margin
  let width = 0
  const drawn = graphs.map((graph) => {
    const part = clusterSvg(graph, top)
    top += part.height + box.margin
    width = Math.max(width, part.width)
    return part.text
  })
  const style =
    'text{font:13px system-ui,sans-serif;fill:#1c2733}.c{font-weight:600}rect{fill:#eef4fb;stroke:#5b7ea6}path{fill:none;stroke:#8aa3bd}svg{background:#fff}'
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${top}" viewBox="0 0 ${width} ${top}"><style>${style}</style>\n${drawn.join('\n')}\n</svg>\n`
}

function clusterSvg({ cluster, nodes }: DependencyGraph, top: number): { text: string; width: number; height: number } {
  const rows = new Map<string, number>()
  const columns = byLayer(nodes).map((layer) => {
    // Beside the middle of what it waits for, so that lines cross seldom.
    const middle = ({ dependsOn }: GraphNode) =>
      dependsOn.reduce((sum, name) => sum + (rows.get(name) ?? 0), 0) / Math.max(1, dependsOn.length)
    const sorted = layer.toSorted((a, b) => middle(a) - middle(b) || (a.name < b.name ? -1 : 1))
    for (const [row, { name }] of sorted.entries()) rows.set(name, row)
    return sorted
  })
  const x = (layer: number) => box.margin + layer * (box.width + box.columnGap)
  const y = (name: string) => top + box.title + (rows.get(name) ?? 0) * (box.height + box.rowGap)
  const layers = new Map(nodes.map(({ name, layer }) => [name, layer]))
  const lines = nodes.flatMap(({ name, layer, dependsOn }) =>
    dependsOn.map((other) => {
      const [fromX, fromY] = [x(layers.get(other) ?? 0) + box.width, y(other) + box.height / 2]
      const [toX, toY] = [x(layer), y(name) + box.height / 2]
      const bend = box.columnGap / 2
      return `<path d="M${fromX} ${fromY}C${fromX + bend} ${fromY} ${toX - bend} ${toY} ${toX} ${toY}"/>`
    }),
  )
  const boxes = nodes.map(
    ({ name, layer }) =>
      `<rect x="${x(layer)}" y="${y(name)}" width="${box.width}" height="${box.height}" rx="4"/><text x="${x(layer) + 8}" y="${y(name) + 17}">${escapeHtml(name)}</text>`,
  )
  const tallest = Math.max(...columns.map((column) => column.length))
  return {
    text: [
      `<text class="c" x="${box.margin}" y="${top + 18}">cluster ${escapeHtml(cluster)}</text>`,
      ...lines,
      ...boxes,
    ].join('\n'),
    width: x(columns.length - 1) + box.width + box.margin,
    height: box.title + tallest * (box.height + box.rowGap),
  }
}
