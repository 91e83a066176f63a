/** Which files a Kustomization is made of: its path, and what kustomize reaches from there. */
import { posix } from 'node:path'
import { normalPath } from './build.ts'
import { dig } from './fields.ts'
import { once } from './once.ts'
import type { SourceFile } from './source-files.ts'

const kustomizationNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']

/** Files by path, relative to the root. */
export type Files = ReadonlyMap<string, SourceFile>

interface Reach {
  path: string
  components?: string[]
}

interface Reached {
  files: ReadonlySet<string>
  /** What is named and is not there: a file that was deleted, or has yet to come. */
  missing: ReadonlySet<string>
}

/** Every file that building `path` reads; a directory without kustomization.yaml counts with all manifests below it. */
export const reachedFiles = (files: Files, spec: Reach): ReadonlySet<string> => reachOf(files, spec).files

/** By path and components: several rules ask the same of every Kustomization, and clusters have the same paths. */
const knownOf = once((_: Files) => new Map<string, Reached>())

/** The same, and what is missing. */
export function reachOf(files: Files, { path, components = [] }: Reach): Reached {
  const known = knownOf(files)
  const key = JSON.stringify([path, ...components])
  const reached = known.get(key) ?? reach(files, { path, components })
  known.set(key, reached)
  return reached
}

function reach(files: Files, spec: Reach): Reached {
  const reached = new Set<string>()
  const missing = new Set<string>()
  const directories = new Set<string>()
  const visit = (path: string): void => {
    if (files.has(path)) return void reached.add(path)
    if (directories.has(path)) return
    directories.add(path)
    const own = kustomizationNames.map((name) => posix.join(path, name)).find((name) => files.has(name))
    if (!own) return void missing.add(path)
    reached.add(own)
    for (const reference of referencesIn(files.get(own) as SourceFile))
      visit(posix.normalize(posix.join(path, reference)))
  }
  const path = normalPath(spec.path)
  const hasOwn = kustomizationNames.some((name) => files.has(posix.join(path, name)))
  if (hasOwn) visit(path)
  else for (const file of files.keys()) if (file.startsWith(`${path}/`) && /\.ya?ml$/.test(file)) reached.add(file)
  for (const component of spec.components ?? []) visit(posix.normalize(posix.join(path, component)))
  return { files: reached, missing }
}

/** Files of the resources that a directory's kustomization.yaml lists, directories and theirs among them; neither patches nor components. */
export function resourcesBelow(files: Files, directory: string, found = new Set<string>()): Set<string> {
  const own = kustomizationNames.map((name) => posix.join(directory, name)).find((name) => files.has(name))
  const list = own === undefined ? undefined : dig(files.get(own)?.documents()[0], 'resources')
  for (const entry of Array.isArray(list) ? list : []) {
    const path = posix.normalize(posix.join(directory, String(entry)))
    if (found.has(path)) continue
    found.add(path)
    const inside = kustomizationNames.map((name) => posix.join(path, name)).find((name) => files.has(name))
    if (inside === undefined) continue
    found.add(inside)
    resourcesBelow(files, path, found)
  }
  return found
}

/** Strings of these keys are no paths. */
const noPaths = new Set(['patch', 'literals', 'apiVersion', 'kind', 'name', 'namespace', 'value'])

/**
 * Paths that a kustomization.yaml names, wherever in it: resources, components, patches, generators' files (`key=path`). A component's file is
 * asked for by everything that includes it.
 */
export const referencesIn = once((file: SourceFile): readonly string[] => {
  const strings = (value: unknown, key: string): string[] => {
    if (typeof value === 'string')
      return noPaths.has(key) || value.includes('\n') ? [] : [value.replace(/^[^=/]+=/, '')]
    if (Array.isArray(value)) return value.flatMap((item) => strings(item, key))
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([name, below]) => strings(below, name))
  }
  return file.documents().flatMap((document) => strings(document, ''))
})
