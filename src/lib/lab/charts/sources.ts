/**
 * Which charts a repository names, and where: OCIRepositories, and HelmRepositories with the HelmReleases and HelmCharts
 * that use them.
 */
import { readdir, readFile } from 'node:fs/promises'
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

/**
 * Reads every YAML file below `kubernetes/` and `bootstrap/`. A file that isn't YAML is left to `validate`; a chart
 * version with a range or a variable can't be resolved here and is left out.
 */
export async function chartSources(root: string): Promise<ChartSource[]> {
  const manifests = await readManifests(root)
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

/** The kinds of the objects that the repository holds. */
export async function kindsInUse(root: string): Promise<Set<string>> {
  const kinds = new Set<string>()
  for (const { text } of await readFiles(root)) {
    for (const [, kind = ''] of text.matchAll(/^kind: (\w+)/gm)) kinds.add(kind)
  }
  return kinds
}

/** Docker Hub answers under another name than the one that images carry. */
export function dialledHost(host: string): string {
  return host === 'docker.io' ? 'registry-1.docker.io' : host
}

async function readManifests(root: string): Promise<{ manifest: Manifest; file: string }[]> {
  const { parseAllDocuments } = await import('yaml')
  const manifests: { manifest: Manifest; file: string }[] = []
  for (const { file, text } of await readFiles(root)) {
    // Most files name no chart; parsing them all would take a second on a large repository.
    if (!/^kind: (OCIRepository|HelmRepository|HelmRelease|HelmChart)\b/m.test(text)) continue
    for (const document of parseAllDocuments(text)) {
      if (document.errors.length > 0) continue
      const manifest = document.toJS() as Manifest | null
      if (manifest) manifests.push({ manifest, file })
    }
  }
  return manifests
}

async function readFiles(root: string): Promise<{ file: string; text: string }[]> {
  const found: { file: string; text: string }[] = []
  for (const directory of ['kubernetes', 'bootstrap']) {
    const files = await readdir(join(root, directory), { recursive: true }).catch(() => [])
    for (const file of files.filter((name) => name.endsWith('.yaml')).sort()) {
      const path = join(directory, file)
      found.push({ file: path, text: await readFile(join(root, path), 'utf8').catch(() => '') })
    }
  }
  return found
}
