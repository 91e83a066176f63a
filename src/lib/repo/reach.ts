/** Which files a Kustomization is made of: its path, and what kustomize reaches from there. */
import { posix } from 'node:path'
import { normalPath } from './build.ts'
import type { SourceFile } from './source-files.ts'

const kustomizationNames = ['kustomization.yaml', 'kustomization.yml', 'Kustomization']

/** Files by path, relative to the root. */
export type Files = ReadonlyMap<string, SourceFile>

interface Reach {
  path: string
  components?: string[]
}

/** Every file that building `path` reads; a directory without kustomization.yaml counts with all manifests below it. */
export function reachedFiles(files: Files, spec: Reach): Set<string> {
  const reached = new Set<string>()
  const directories = new Set<string>()
  const visit = (path: string): void => {
    if (files.has(path)) return void reached.add(path)
    if (directories.has(path)) return
    directories.add(path)
    const own = kustomizationNames.map((name) => posix.join(path, name)).find((name) => files.has(name))
    if (!own) return
    reached.add(own)
    for (const reference of referencesIn(files.get(own) as SourceFile))
      visit(posix.normalize(posix.join(path, reference)))
  }
  const path = normalPath(spec.path)
  const hasOwn = kustomizationNames.some((name) => files.has(posix.join(path, name)))
  if (hasOwn) visit(path)
  else for (const file of files.keys()) if (file.startsWith(`${path}/`) && /\.ya?ml$/.test(file)) reached.add(file)
  for (const component of spec.components ?? []) visit(posix.normalize(posix.join(path, component)))
  return reached
}

/** Strings of these keys are no paths. */
const noPaths = new Set(['patch', 'literals', 'apiVersion', 'kind', 'name', 'namespace', 'value'])

/** Paths that a kustomization.yaml names, wherever in it: resources, components, patches, generators' files (`key=path`). */
function referencesIn(file: SourceFile): string[] {
  const strings = (value: unknown, key: string): string[] => {
    if (typeof value === 'string')
      return noPaths.has(key) || value.includes('\n') ? [] : [value.replace(/^[^=/]+=/, '')]
    if (Array.isArray(value)) return value.flatMap((item) => strings(item, key))
    if (typeof value !== 'object' || value === null) return []
    return Object.entries(value).flatMap(([name, below]) => strings(below, name))
  }
  return file.documents().flatMap((document) => strings(document, ''))
}
