/**
 * Which charts a repository names, and where: OCIRepositories, and HelmRepositories with the HelmReleases and HelmCharts
 * that use them.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ChartReference } from './record.ts'

/** A chart at the address under which clients ask for it. */
export interface ChartSource extends ChartReference {
  /** `oci`: `/v2/<path>/...` of a registry; `http`: a Helm repository with an index.yaml. */
  protocol: 'oci' | 'http'
  /** The host that is dialled: `registry-1.docker.io` for docker.io. */
  host: string
  /** Registry repository (`cilium/charts/cilium`), or the path of the Helm repository (`/charts`). */
  path: string
  /** The file that names it, relative to the root. */
  file: string
}

interface Manifest {
  kind?: string
  metadata?: { name?: string; namespace?: string }
  spec?: {
    url?: string
    type?: string
    ref?: { tag?: string; semver?: string; digest?: string }
    /** Of a HelmRelease; a HelmChart has the chart's name here, and the rest beside it. */
    chart?: { spec?: ChartSpec } | string
    version?: string
    sourceRef?: ChartSpec['sourceRef']
  }
}

interface ChartSpec {
  chart?: string
  version?: string
  sourceRef?: { kind?: string; name?: string }
}

/** What one file says about charts. */
interface FileFacts {
  file: string
  /** Of the moment when it was read. */
  stamp: string
  /** Kinds of all its objects. */
  kinds: string[]
  /** Objects that name a chart or where charts are. */
  manifests: Manifest[]
}

export interface ChartSources {
  /** Looks at the files again; one that has not changed since is not read a second time. */
  read(): Promise<ChartSource[]>
  /** Kinds of the objects that the repository held at the last read. */
  kindsInUse(): ReadonlySet<string>
}

/**
 * Every YAML file below `kubernetes/` and `bootstrap/`. A file that isn't YAML is left to `validate`; a chart version with
 * a range or a variable can't be resolved here and is left out.
 */
export function createChartSources(root: string): ChartSources {
  let known = new Map<string, FileFacts>()
  return {
    async read() {
      const files = await readFiles(root, known)
      known = new Map(files.map((facts) => [facts.file, facts]))
      return sourcesOf(files.flatMap(({ file, manifests }) => manifests.map((manifest) => ({ manifest, file }))))
    },
    kindsInUse: () => new Set([...known.values()].flatMap(({ kinds }) => kinds)),
  }
}

function sourcesOf(manifests: { manifest: Manifest; file: string }[]): ChartSource[] {
  const sources: ChartSource[] = []
  const add = (url: string | undefined, chart: string | undefined, version: string | undefined, file: string) => {
    if (!url || !version || !URL.canParse(url)) return
    const { protocol, host, pathname } = new URL(url.replace(/^oci:/, 'oci+https:'))
    if (protocol === 'oci+https:') {
      const repository = `${pathname}${chart ? `/${chart}` : ''}`.replace(/\/+/g, '/').slice(1)
      const name = repository.split('/').at(-1) ?? ''
      sources.push({ name, version, protocol: 'oci', host: dialledHost(host), path: repository, file })
    } else if (chart) {
      sources.push({ name: chart, version, protocol: 'http', host, path: pathname.replace(/\/$/, ''), file })
    }
  }
  const repositories = manifests.filter(({ manifest }) => manifest.kind === 'HelmRepository')
  for (const { manifest, file } of manifests) {
    const { kind, spec } = manifest
    if (kind === 'OCIRepository') add(spec?.url, undefined, spec?.ref?.tag, file)
    const chart = chartOf(manifest)
    if (!chart) continue
    const repository = repositories.find(({ manifest: { metadata } }) => metadata?.name === chart.sourceRef?.name)
    add(repository?.manifest.spec?.url, chart.chart, chart.version, file)
  }
  return sources
}

function chartOf({ kind, spec }: Manifest): ChartSpec | undefined {
  if (kind === 'HelmRelease' && typeof spec?.chart === 'object') return spec.chart.spec
  if (kind !== 'HelmChart' || typeof spec?.chart !== 'string') return undefined
  const { chart, version, sourceRef } = spec
  return { chart, ...(version === undefined ? {} : { version }), ...(sourceRef ? { sourceRef } : {}) }
}

/** The kinds of the objects that a repository holds, read now. */
export async function kindsInUse(root: string): Promise<ReadonlySet<string>> {
  const repository = createChartSources(root)
  await repository.read()
  return repository.kindsInUse()
}

/** Docker Hub answers under another name than the one that images carry. */
export function dialledHost(host: string): string {
  return host === 'docker.io' ? 'registry-1.docker.io' : host
}

async function readFiles(root: string, known: ReadonlyMap<string, FileFacts>): Promise<FileFacts[]> {
  const { parseAllDocuments } = await import('yaml')
  const read = async (file: string): Promise<FileFacts> => {
    const path = join(root, file)
    const { mtimeMs, size, ino } = await stat(path)
    const before = known.get(file)
    const stamp = `${mtimeMs} ${size} ${ino}`
    if (before?.stamp === stamp) return before
    const text = await readFile(path, 'utf8')
    const kinds = [...new Set([...text.matchAll(/^kind: (\w+)/gm)].map(([, kind = '']) => kind))]
    // Most files name no chart; parsing them all would take a second on a large repository.
    const documents = kinds.some((kind) => namesCharts.has(kind)) ? parseAllDocuments(text) : []
    const sound = documents.filter(({ errors }) => errors.length === 0).map((document) => document.toJS() as unknown)
    return { file, stamp, kinds, manifests: sound.filter((manifest): manifest is Manifest => manifest !== null) }
  }
  const found: FileFacts[] = []
  for (const directory of ['kubernetes', 'bootstrap']) {
    const files = await readdir(join(root, directory), { recursive: true }).catch(() => [])
    for (const file of files.filter((name) => name.endsWith('.yaml')).sort()) {
      // One that went away meanwhile says nothing any more.
      const facts = await read(join(directory, file)).catch(() => undefined)
      if (facts) found.push(facts)
    }
  }
  return found
}

const namesCharts = new Set(['OCIRepository', 'HelmRepository', 'HelmRelease', 'HelmChart'])
