/**
 * Draws the pictures of docs/architecture.md from what they show, so that none is older than the code:
 *
 *     node docs/pictures.ts
 */
import { globSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { loadRepository } from '../src/lib/config/load.ts'
import { planBootstrap } from '../src/lib/ops/bootstrap.ts'
import { readBootstrapFiles } from '../src/lib/ops/bootstrap-files.ts'
import { dependencyGraph, type GraphNode, layered } from '../src/lib/repo/graph.ts'
import { layout } from '../src/lib/repo/layout.ts'
import { readClusters } from '../src/lib/repo/read-view.ts'
import { renderersOf } from '../src/lib/repo/renderers.ts'
import { readSourceFiles } from '../src/lib/repo/source-files.ts'
import { kustomizeBuild } from '../src/lib/tools/kustomize.ts'
import type { Step } from '../src/lib/types.ts'
import { escapeHtml } from '../src/lib/ui/difference-html.ts'
import { graphSvg } from '../src/lib/ui/graph.ts'
import { importsOf } from './imports.ts'

const root = join(import.meta.dirname, '..')

/** @returns SVG by path from the repository's root */
export async function pictures(env: NodeJS.ProcessEnv): Promise<Map<string, string>> {
  const repository = await loadRepository(root)
  const clusters = await readClusters(root, repository.clusters, renderersOf(root, env), {
    files: readSourceFiles(root),
  })
  return new Map([
    ['docs/architecture/layers.svg', matrixSvg(folders())],
    ['docs/architecture/bootstrap.svg', await bootstrap(env)],
    ...clusters.map(
      ({ view: { name, rendered } }) =>
        [`docs/architecture/depends-on-${name}.svg`, graphSvg([dependencyGraph(name, rendered)])] as const,
    ),
  ])
}

/** The folders of src/ by what their files import: who is imported by most comes first. */
function folders(): GraphNode[] {
  const imports = new Map<string, Set<string>>()
  for (const file of globSync('src/**/*.ts', { cwd: root })) {
    const from = folderOf(file)
    const found = imports.get(from) ?? new Set()
    for (const name of importsOf(file))
      if (name.startsWith('src/') && folderOf(name) !== from) found.add(folderOf(name))
    imports.set(from, found)
  }
  return layered(new Map([...imports].sort().map(([name, found]) => [name, [...found].sort()])))
}

const cell = { size: 26, names: 190, margin: 20 }

/** A row for each folder, a mark below each that it imports: all marks are left of the diagonal, but for a cycle's. */
function matrixSvg(nodes: GraphNode[]): string {
  const { size: side, names, margin } = cell
  const left = margin + names
  const top = margin + names
  const rows = nodes.map(({ name, dependsOn }, row) => {
    const y = top + row * side
    const marks = nodes.map(({ name: other }, column) => {
      const kind = row === column ? 's' : dependsOn.includes(other) ? 'i' : ''
      return `<rect${kind === '' ? '' : ` class="${kind}"`} x="${left + column * side}" y="${y}" width="${side}" height="${side}"/>`
    })
    const x = left + row * side + side / 2 + 5
    return `<text x="${left - 8}" y="${y + 18}" text-anchor="end">${escapeHtml(name)}</text><text transform="translate(${x} ${top - 8}) rotate(-90)">${escapeHtml(name)}</text>${marks.join('')}`
  })
  const edge = left + nodes.length * side + margin
  return svg(edge, edge, 'rect{fill:#f6f8fa;stroke:#d0d9e2}.i{fill:#5b7ea6}.s{fill:#d0d9e2}', rows)
}

const svg = (width: number, height: number, style: string, parts: string[]): string =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"><style>text{font:13px system-ui,sans-serif;fill:#1c2733}svg{background:#fff}${style}</style>\n${parts.join('\n')}\n</svg>\n`

/** `lib/ops` for all below it; files beside the folders by what they are. */
function folderOf(file: string): string {
  if (/^src\/lib\/(types|errors)\b/.test(file)) return 'lib/types, lib/errors'
  return /^src\/(commands|lib\/\w+)\//.exec(file)?.[1] ?? 'main'
}

/** The plan for cluster apps, with nothing observed: the one that test/golden/plans has. */
async function bootstrap(env: NodeJS.ProcessEnv): Promise<string> {
  const { clusters, ageKey } = await loadRepository(root)
  const cluster = clusters.find(({ name }) => name === 'apps')!
  const files = await readBootstrapFiles(root, cluster.name, kustomizeBuild(env))
  const target = { context: cluster.context, talosconfig: layout.talosconfig(cluster.name) }
  const params = { skipFlux: false, nodeTimeoutSec: 600 }
  const basis = { commit: '', digest: '', observed: {} }
  return stepsSvg(planBootstrap({ cluster, target, ageKey, files, params }, basis).steps)
}

const size = { width: 330, height: 40, gap: 14, margin: 20, line: 16 }

/** Steps downwards, those that run side by side beside each other; behind each row the gates that must hold after it. */
function stepsSvg(steps: Step[]): string {
  const rows = steps.reduce<Step[][]>((all, step) => {
    const last = all.at(-1)
    if (last && step.group !== undefined && last[0]?.group === step.group) last.push(step)
    else all.push([step])
    return all
  }, [])
  const widest = Math.max(...rows.map((row) => row.length))
  const drawn = rows.map((row, index) => {
    const top = size.margin + index * (size.height + size.gap)
    const gates = [
      ...new Set(
        row.flatMap(({ verify, require = [] }) => (verify.length > 0 ? verify : require)).map(({ gate }) => gate),
      ),
    ]
    const boxes = row.map(({ id, title }, column) => {
      const x = size.margin + column * (size.width + size.gap)
      return `<rect x="${x}" y="${top}" width="${size.width}" height="${size.height}" rx="4"/><text class="c" x="${x + 8}" y="${top + size.line}">${escapeHtml(id)}</text><text x="${x + 8}" y="${top + 2 * size.line}">${escapeHtml(short(title))}</text>`
    })
    const x = size.margin + 20
    const arrow = index === 0 ? '' : `<path d="M${x} ${top - size.gap}V${top}"/>`
    return `${arrow}${boxes.join('')}<text class="g" x="${size.margin + row.length * (size.width + size.gap)}" y="${top + 24}">${escapeHtml(gates.join(', '))}</text>`
  })
  const [width, height] = [
    size.margin + widest * (size.width + size.gap) + 160,
    size.margin + rows.length * (size.height + size.gap),
  ]
  return svg(
    width,
    height,
    '.c{font-weight:600}.g{fill:#4c7a3f}rect{fill:#eef4fb;stroke:#5b7ea6}path{stroke:#8aa3bd}',
    drawn,
  )
}

const short = (text: string) => (text.length > 46 ? `${text.slice(0, 45)}…` : text)

if (import.meta.main) {
  for (const [file, svg] of await pictures(process.env)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), svg)
  }
}
