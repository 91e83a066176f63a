/** Reads a real chart: what it takes and makes, and what is left to say once the values of a new release are in it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Helm } from '../tools/helm.ts'
import type { KubeObject } from '../types.ts'
import { probe, probedChart, probeValues, type UnpackedChart } from './chart-probe.ts'
import { valueKeys } from './chart-value-keys.ts'
import { type Fields, isFields, textAt } from './fields.ts'
import { parseManifest, splitDocuments } from './manifests.ts'
import type { KnownChart } from './new-release.ts'

export interface ChartQuestion {
  /** `oci://host/path/chart`. */
  url: string
  /** The newest without it. */
  version: string | undefined
  kubernetesVersion: string
}

export interface ReadChart {
  chart: UnpackedChart
  /** What it makes; undefined when it does not render with its own values. */
  known: KnownChart | undefined
  /** Why it does not. */
  refusal: string | undefined
  /** @throws ToolError when it does not render with these values */
  render: (release: string, namespace: string, values: Fields) => Promise<KubeObject[]>
}

/**
 * Has the chart unpacked for as long as `use` takes.
 * @throws ToolError when it can't be had
 */
export async function withChart<T>(
  helm: Helm,
  { url, version, kubernetesVersion }: ChartQuestion,
  use: (read: ReadChart) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'k8sops-chart-'))
  try {
    const at = await helm.pull(url, version, directory)
    const render = async (release: string, namespace: string, values: Fields) => {
      const file = join(directory, 'values.json')
      await writeFile(file, JSON.stringify(values))
      const stream = await helm.template({ chart: at, release, namespace, kubernetesVersion, values: file })
      return splitDocuments(stream).map((text) => parseManifest(text) as KubeObject)
    }
    const chart = await unpacked(at, url)
    return await use({ chart, render, ...(await probed(chart, render)) })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function probed(
  chart: UnpackedChart,
  render: ReadChart['render'],
): Promise<Pick<ReadChart, 'known' | 'refusal'>> {
  try {
    const objects = await render(probe.release, probe.namespace, probeValues(chart))
    return { known: probedChart(chart, objects), refusal: undefined }
  } catch (error) {
    return { known: undefined, refusal: error instanceof Error ? error.message : String(error) }
  }
}

async function unpacked(directory: string, url: string): Promise<UnpackedChart> {
  const read = async (file: string): Promise<unknown> =>
    parseManifest(await readFile(join(directory, file), 'utf8').catch(() => ''))
  const [metadata, defaults, keys] = await Promise.all([read('Chart.yaml'), read('values.yaml'), valueKeys(directory)])
  const version = textAt(metadata, 'version') ?? ''
  return {
    name: textAt(metadata, 'name') ?? '',
    version,
    appVersion: textAt(metadata, 'appVersion') ?? version,
    url,
    defaults: isFields(defaults) ? defaults : {},
    keys,
  }
}
