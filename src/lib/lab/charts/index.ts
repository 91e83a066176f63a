/** The charts that the lab's registry serves: a real archive from the local cache where there is one, else a placeholder. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chartCache } from '../../tools/helm.ts'
import type { Json } from '../../types.ts'
import { type CrdFidelity, standInCrds } from './crds.ts'
import { chartMetadata, placeholderArchive } from './placeholder.ts'
import { type ChartReference, readChartRecord } from './record.ts'
import { type ChartSource, createChartSources } from './sources.ts'

export interface ServedChart {
  source: ChartSource
  archive: Buffer
  /** `sha256:...` of the archive. */
  digest: string
  /** Chart.yaml as JSON, which a registry keeps as the config blob. */
  metadata: { [key: string]: Json }
  real: boolean
  crds: Record<CrdFidelity, number>
}

export interface Charts {
  /** Charts at one address. `host` is the one that is dialled, `path` the registry repository or the Helm repository's path. */
  at(host: string, path: string): Promise<ServedChart[]>
  /** Whether the repository takes a chart from that host. */
  knows(host: string): Promise<boolean>
  /** For `lab status`. */
  counts(): Promise<{ real: number; placeholder: number; missing: string[]; crds: Record<CrdFidelity, number> }>
}

export interface ChartsOptions {
  /** Directory of real archives. */
  cache?: string
  /** The CRD that charts lack at the moment (fault `crd-missing`); an empty string is the last one of each chart. */
  withheld?: () => string | undefined
}

/**
 * The charts that the repository at `root` names. They are built on first use and kept; the repository is read again
 * when somebody asks for an address it doesn't know yet, because a lab's repository changes while the lab runs.
 */
export function createCharts(root: string, options: ChartsOptions = {}): Charts {
  const { cache = chartCache(), withheld = () => undefined } = options

  const built = new Map<string, Promise<ServedChart | undefined>>()
  const repository = createChartSources(root)
  let sources: Promise<ChartSource[]> | undefined
  const named = (again = false) => {
    if (!sources || again) sources = repository.read()
    return sources
  }
  const build = (source: ChartSource) => {
    const crd = withheld()
    const key = `${source.name}@${source.version} ${source.protocol}://${source.host}/${source.path} ${crd ?? '-'}`
    let chart = built.get(key)
    if (!chart) {
      chart = buildChart(source, { root, cache, withheld: crd, kinds: repository.kindsInUse() })
      built.set(key, chart)
    }
    return chart
  }

  return {
    async at(host, path) {
      const match = (source: ChartSource) => source.host === host && source.path === path
      let found = (await named()).filter(match)
      if (found.length === 0) found = (await named(true)).filter(match)
      const charts = await Promise.all(found.map(build))
      return charts.filter((chart) => chart !== undefined)
    },
    async knows(host) {
      const match = (source: ChartSource) => source.host === host
      return (await named()).some(match) || (await named(true)).some(match)
    },
    async counts() {
      const all = await named(true)
      const charts = await Promise.all(all.map(build))
      const served = charts.filter((chart) => chart !== undefined)
      const total = (fidelity: CrdFidelity) => served.reduce((sum, chart) => sum + chart.crds[fidelity], 0)
      return {
        real: served.filter((chart) => chart.real).length,
        placeholder: served.filter((chart) => !chart.real).length,
        missing: all
          .filter((_, index) => !charts[index])
          .map(({ name, version, file }) => `${name} ${version} (${file})`),
        crds: { derived: total('derived'), permissive: total('permissive') },
      }
    },
  }
}

interface Surroundings {
  root: string
  /** Directory of real archives. */
  cache: string
  withheld: string | undefined
  /** That the repository uses: their CRDs get a schema. */
  kinds: ReadonlySet<string>
}

async function buildChart(
  source: ChartSource,
  { root, cache, withheld, kinds }: Surroundings,
): Promise<ServedChart | undefined> {
  // Whose CRD is withheld is a placeholder even where the real one is cached: nobody repacks a real chart.
  const real = withheld === undefined ? await realArchive(source, cache) : undefined
  if (real) {
    const metadata = { apiVersion: 'v2', name: source.name, version: source.version }
    return { source, archive: real, digest: sha256(real), metadata, real: true, crds: { derived: 0, permissive: 0 } }
  }
  const record = await readChartRecord(source, root)
  if (!record) return undefined
  const names = (record.crds ?? []).flatMap((each) => each.names)
  const missing = withheld === '' ? names.at(-1) : withheld
  const crds = await standInCrds(
    names.filter((name) => name !== missing),
    kinds,
  )
  const archive = placeholderArchive(record, new Map(crds.map(({ name, manifest }) => [name, manifest])))
  return {
    source,
    archive,
    digest: sha256(archive),
    metadata: chartMetadata(record),
    real: false,
    crds: {
      derived: crds.filter(({ fidelity }) => fidelity === 'derived').length,
      permissive: crds.filter(({ fidelity }) => fidelity === 'permissive').length,
    },
  }
}

async function realArchive(chart: ChartReference, cache: string): Promise<Buffer | undefined> {
  const bare = chart.version.replace(/^v/, '')
  for (const version of [chart.version, bare, `v${bare}`]) {
    const archive = await readFile(join(cache, `${chart.name}-${version}.tgz`)).catch(() => undefined)
    if (archive) return archive
  }
  return undefined
}

export const sha256 = (bytes: string | Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
