/**
 * The facts about a chart that its placeholder is built from: `lab/charts/<chart>-<version>.json`. Facts only, taken
 * once from the real chart: which value keys it reads, which workloads, services and CRDs it creates under which names.
 * A placeholder stands in for a chart whose registry can't be reached; it never counts as validation of that chart.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { keysOf } from '../../repo/chart-facts.ts'
import type { Json } from '../../types.ts'

/**
 * Strings may hold tokens: `{fullname}` (the usual Helm rule, with fullnameOverride and nameOverride), `{release}`,
 * `{namespace}`, `{value:a.b}`, `{value:a.b:-other}` (`fullname` as the other means that name) and `{if:a.b}`, the full
 * name if that value is true and nothing if not. A string that is nothing but `{object:a.b}` is replaced by the whole
 * value. In an object with `each`, `{each:a.b}` and `{object:each:a.b}` are taken from the list's element.
 */
export interface ChartRecord {
  name: string
  version: string
  appVersion: string
  /** Where the real one is: `oci://host/path/name`, or the HTTPS address of a Helm repository. */
  url: string
  /** Where these facts were read: repository and tag. */
  source: string
  /** Every value key that the chart reads, dotted; a trailing `.*` is a map that takes any key, `\.` a dot of the key itself. */
  values: string[]
  /** Default values, only those that the fields below refer to. */
  defaults?: { [key: string]: Json }
  serviceAccounts?: { name: string; when?: string[] }[]
  workloads: Workload[]
  services?: Service[]
  /** Other objects that somebody reads, such as a FluxInstance; `each` is the path of a list that gets one for every element. */
  objects?: (({ [key: string]: Json } & { apiVersion: string; kind: string }) & { when?: string[]; each?: string })[]
  crds?: ChartCrds[]
}

export interface Workload {
  kind: 'Deployment' | 'DaemonSet' | 'StatefulSet'
  name: string
  /** Value paths that must be true; `!path` must be false, `path=text` and `path!=text` compare. */
  when?: string[]
  replicas?: number
  /** Path of the value that overrides `replicas`. */
  replicasValue?: string
  /** Labels of the pods; the selector is made of all of them. */
  labels: Record<string, string>
  serviceAccount?: string
  hostNetwork?: boolean
  /** Host directories that it mounts, which a namespace's Pod Security level may forbid. */
  hostPaths?: string[]
  priorityClassName?: string
  priorityClassNameValue?: string
  /** Meets Pod Security `restricted` as the real chart sets it. */
  restricted?: boolean
  tolerations?: { [key: string]: string }[]
  tolerationsValue?: string
  /** Has an anti-affinity that puts each replica on a node of its own. */
  spreadOverNodes?: boolean
  containers: Container[]
  /** Serves an admission webhook; the lab registers none but under the fault `webhook-timeout`. */
  serves?: 'webhook'
}

export interface Container {
  name: string
  image: string
  /** Path of the value with requests and limits. */
  resourcesValue?: string
  ports?: { name: string; port: number; protocol?: 'UDP'; hostPort?: number; hostPortValue?: string }[]
  /** Capabilities that it adds, which a namespace's Pod Security level may forbid. */
  capabilities?: string[]
}

export interface Service {
  name: string
  when?: string[]
  selector: Record<string, string>
  headless?: boolean
  /** Path of the value that fixes the cluster IP. */
  clusterIpValue?: string
  ports: { name: string; port: number; targetPort: number | string; protocol?: 'UDP' }[]
}

export interface ChartCrds {
  /** `crds`: Helm installs them before anything else and never touches them again; `templates`: like any object. */
  placement: 'crds' | 'templates'
  when?: string[]
  /** Helm leaves them alone when the release is uninstalled. */
  keep?: boolean
  /** `<plural>.<group>`; their facts are in lab/crds/<group>.json. */
  names: string[]
}

/** A chart as the repository names it. */
export interface ChartReference {
  name: string
  version: string
}

/** The tool's own `lab/` directory (stages, records, tables). */
export function labDataDir(): string {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const candidate = join(dir, 'lab')
    if (existsSync(join(candidate, 'crds'))) return candidate
    if (dir === dirname(dir)) throw new Error('k8sops is incomplete: its lab/ directory is missing. Reinstall it.')
  }
}

/**
 * The record of a chart, from the operated repository first and k8sops's own `lab/charts` second; undefined when there
 * is none. A version is found with and without its leading `v`, because registries hold many charts under both tags.
 * Throws on a record that isn't JSON.
 */
export async function readChartRecord(chart: ChartReference, root?: string): Promise<ChartRecord | undefined> {
  const bare = chart.version.replace(/^v/, '')
  const directories = [...(root ? [join(root, 'lab/charts')] : []), join(labDataDir(), 'charts')]
  for (const directory of directories) {
    for (const version of [chart.version, bare, `v${bare}`]) {
      const file = join(directory, `${chart.name}-${version}.json`)
      const text = await readFile(file, 'utf8').catch(() => undefined)
      if (text !== undefined) return JSON.parse(text) as ChartRecord
    }
  }
  return undefined
}

export interface KeyTree {
  /** Takes any key. */
  open: boolean
  children: Map<string, KeyTree>
}

/** The value keys as a tree. A leaf has no children and isn't open: it takes anything but a map. */
export function keyTree(paths: string[]): KeyTree {
  const root: KeyTree = { open: false, children: new Map() }
  for (const path of paths) {
    let node = root
    for (const key of keysOf(path)) {
      if (key === '*') {
        node.open = true
        break
      }
      let child = node.children.get(key)
      if (!child) {
        child = { open: false, children: new Map() }
        node.children.set(key, child)
      }
      node = child
    }
  }
  return root
}
