/** Applications: a base that clusters share, and on each cluster an overlay with its line in the list. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { YAMLSeq } from 'yaml'
import { ConfigError, UsageError } from '../errors.ts'
import { layout } from './layout.ts'
import { isSeq, parseDocument } from './yaml.ts'

export interface Application {
  name: string
  /** kubernetes/apps/base/<name>, if it is there. */
  base: string | undefined
  overlays: Overlay[]
}

export interface Overlay {
  cluster: string
  namespace: string
  /** kubernetes/clusters/<cluster>/apps/<namespace>/<name> */
  directory: string
  /** Its line stands in the cluster's list, so Flux runs it. */
  enabled: boolean
}

/** @param clusters by name */
export function readApplications(root: string, clusters: string[]): Application[] {
  const found = new Map<string, Application>()
  const named = (name: string) => {
    const application = found.get(name) ?? { name, base: undefined, overlays: [] }
    found.set(name, application)
    return application
  }
  for (const name of directoriesIn(root, layout.appBases)) named(name).base = `${layout.appBases}/${name}`
  for (const cluster of clusters) {
    const listed = listOf(readFileSync(join(root, layout.appList(cluster)), 'utf8'), layout.appList(cluster))
    const enabled = new Set(listed.items.map(String))
    for (const namespace of directoriesIn(root, layout.clusterApps(cluster)))
      for (const name of directoriesIn(root, `${layout.clusterApps(cluster)}/${namespace}`)) {
        const directory = `${layout.clusterApps(cluster)}/${namespace}/${name}`
        named(name).overlays.push({ cluster, namespace, directory, enabled: enabled.has(`${namespace}/${name}`) })
      }
  }
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** What one of these clusters runs; `entry` is its line in the list. */
export const enabledOverlays = (root: string, clusters: string[], cluster: string): { app: string; entry: string }[] =>
  readApplications(root, clusters).flatMap(({ name, overlays }) =>
    overlays
      .filter((overlay) => overlay.cluster === cluster && overlay.enabled)
      .map(({ namespace }) => ({ app: name, entry: `${namespace}/${name}` })),
  )

const directoriesIn = (root: string, path: string): string[] =>
  existsSync(join(root, path))
    ? readdirSync(join(root, path), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => name)
    : []

/**
 * The list with one more line, where the alphabet has it; its comments are kept.
 * @param entry `<namespace>/<name>`
 * @throws ConfigError when the file has no list
 */
export function withListed(text: string, file: string, entry: string): string {
  const { document, items } = listOf(text, file)
  if (items.some((item) => String(item) === entry)) return text
  const behind = items.findIndex((item) => String(item) > entry)
  items.splice(behind < 0 ? items.length : behind, 0, document.createNode(entry))
  return document.toString({ lineWidth: 0 })
}

/** @throws UsageError when the line is not there */
export function withoutListed(text: string, file: string, entry: string): string {
  const { document, items } = listOf(text, file)
  const index = items.findIndex((item) => String(item) === entry)
  if (index < 0) throw new UsageError(`${file} has no line ${entry}`)
  items.splice(index, 1)
  return document.toString({ lineWidth: 0 })
}

function listOf(text: string, file: string) {
  const document = parseDocument(text)
  const list = document.get('resources')
  if (document.errors[0]) throw new ConfigError(`${file}: ${document.errors[0].message}`)
  if (!isSeq(list)) throw new ConfigError(`${file} has no list of resources`)
  return { document, items: (list as YAMLSeq).items as { toString: () => string }[] }
}
