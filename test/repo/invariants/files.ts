/** Invariants over the text of files: names, comments, what may stand where. */
import { basename, dirname, posix } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { type Invariant, isOperated, isShared, type RepositoryView, type SourceFile } from './view.ts'

const isYaml = ({ path }: SourceFile) => /\.ya?ml$/.test(path)
const isEncrypted = ({ path }: SourceFile) => path.endsWith('.sops.yaml')

interface Named {
  apiVersion?: string
  kind?: string
  metadata?: { name?: string }
}

/** The Kubernetes objects of a file; something else in a document (a Talos patch, a JSON patch) is none. */
function objectsOf(file: SourceFile): Named[] {
  return parseAllDocuments(file.text, { logLevel: 'silent' })
    .map((document) => document.toJS() as Named | null)
    .filter((object): object is Named => Boolean(object?.apiVersion && object.kind))
}

export const yamlExtension: Invariant = ({ files }) =>
  files.filter((file) => isOperated(file) && /\.yml$/.test(file.path)).map(({ path }) => `${path}: ends in .yml`)

/** Talos patches are fragments of several documents, for which there is no schema. */
export const schemaComment: Invariant = ({ files }) =>
  files
    .filter((file) => isOperated(file) && isYaml(file) && !isEncrypted(file) && !file.path.startsWith('talos/patches/'))
    .filter(({ text }) => !/^# yaml-language-server: \$schema=\S+\n/.test(text))
    .map(({ path }) => `${path}: the first line is no schema comment`)

/** Names that say more than their kind would. Everything else is called after its kind. */
const ownNames = /^kubernetes\/clusters\/[^/]+\/(cluster-settings|flux\/(infrastructure|apps))\.yaml$/

export const fileNames: Invariant = ({ files }) =>
  files
    .filter(
      (file) => file.path.startsWith('kubernetes/') && isYaml(file) && !isEncrypted(file) && !ownNames.test(file.path),
    )
    .flatMap((file) => {
      const objects = objectsOf(file)
      const kinds = [...new Set(objects.map(expectedName))]
      const [kind] = kinds
      if (kind === undefined) return [`${file.path}: holds no Kubernetes object`]
      if (kinds.length > 1) return [`${file.path}: holds ${kinds.join(' and ')}`]
      const name = basename(file.path, '.yaml')
      // A patch of a kind may stand beside it as `<kind>-<what>.yaml`, several objects as `<kind>s.yaml`.
      const allowed = objects.length > 1 ? [`${kind}s`] : [kind]
      const prefix = `${objects[0]?.kind?.toLowerCase()}-`
      if (allowed.includes(name) || name.startsWith(prefix)) return []
      return [`${file.path}: should be ${allowed[0]}.yaml`]
    })

const expectedName = ({ apiVersion = '', kind = '' }: Named) => {
  if (kind === 'Kustomization' && apiVersion.startsWith('kustomize.toolkit.fluxcd.io/')) return 'ks'
  return kind === 'Component' ? 'kustomization' : kind.toLowerCase()
}

/** `cilium/ks.yaml` declares Kustomization cilium, `networking/namespace.yaml` Namespace networking. */
export const directoryIsName: Invariant = ({ files }) =>
  files
    .filter(({ path }) => /^kubernetes\/.*\/(ks|namespace)\.yaml$/.test(path))
    .flatMap((file) => {
      const directory = basename(dirname(file.path))
      const names = objectsOf(file).map(({ metadata }) => metadata?.name)
      // A component may bring several Kustomizations; one of them has its name.
      return names.includes(directory) ? [] : [`${file.path}: declares ${names.join(', ')}, not ${directory}`]
    })

/** A cluster's addresses, networks, domain and paths stand in its own files only. */
export const sharedNamesNoCluster: Invariant = ({ files, clusters }) => {
  const facts = clusters.flatMap(({ name, settings }) => [
    `clusters/${name}`,
    ...Object.values(settings).filter((value) => value.length > 5 && /[./]/.test(value)),
  ])
  const shared = files.filter((file) => isShared(file) || /^bootstrap\/helmfile\.d\//.test(file.path))
  return shared.flatMap(({ path, text }) =>
    [...new Set(facts)]
      .filter((fact) => isFactOfOne(fact, clusters) && text.includes(fact))
      .map((fact) => `${path}: names ${fact}`),
  )
}

/** What all clusters have in common (an S3 endpoint) says nothing about one of them. */
function isFactOfOne(fact: string, clusters: RepositoryView['clusters']): boolean {
  return clusters.length < 2 || !clusters.every(({ settings }) => Object.values(settings).includes(fact))
}

/** Marks belong where loadRepository sees them, or nobody would ever be asked. */
export const confirmMarksAreSeen: Invariant = ({ files }) =>
  files
    .filter((file) => isOperated(file) && !/(talconfig|cluster-settings)\.yaml$/.test(file.path))
    .filter(({ text }) => /(^|\s)#\s*CONFIRM:/m.test(text))
    .map(({ path }) => `${path}: CONFIRM stands in talconfig.yaml and cluster-settings.yaml only`)

/** Pieces that applications may take and none has to; each is rendered by test/repo/components.test.ts. */
const optIn = /^kubernetes\/apps\/components\//

/** Every file under kubernetes/ is reached from some cluster; every Talos patch from some talconfig. */
export const noOrphans: Invariant = ({ files, clusters }) => {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const reached = new Set<string>()
  const visit = (path: string) => {
    if (reached.has(path)) return
    const own = ['kustomization.yaml', 'kustomization.yml']
      .map((name) => posix.join(path, name))
      .find((name) => byPath.has(name))
    reached.add(path)
    if (!own) return
    reached.add(own)
    for (const reference of references(byPath.get(own) as SourceFile))
      visit(posix.normalize(posix.join(path, reference)))
  }
  for (const { rendered } of clusters) {
    for (const { kustomization } of rendered) {
      const path = posix.normalize(kustomization.spec.path)
      visit(path)
      for (const component of kustomization.spec.components ?? []) visit(posix.normalize(posix.join(path, component)))
    }
  }
  const patches = files.filter(({ path }) => /^talos\/.*talconfig\.yaml$/.test(path)).flatMap(talosPatches)
  const wanted = files.filter(({ path }) => path.startsWith('kubernetes/') || path.startsWith('talos/patches/'))
  return wanted
    .filter(({ path }) => !reached.has(path) && !patches.includes(path) && !optIn.test(path))
    .map(({ path }) => `${path}: nothing uses it`)
}

/** Paths that a kustomization.yaml names, wherever in it: resources, components, patches, generators' files. */
function references(file: SourceFile): string[] {
  const strings = (value: unknown, key: string): string[] => {
    if (typeof value === 'string') return ['patch', 'literals'].includes(key) ? [] : [value.replace(/^[^=/]+=/, '')]
    if (Array.isArray(value)) return value.flatMap((item) => strings(item, key))
    return value && typeof value === 'object'
      ? Object.entries(value).flatMap(([name, below]) => strings(below, name))
      : []
  }
  return parseAllDocuments(file.text).flatMap((document) => strings(document.toJS(), ''))
}

const talosPatches = ({ path, text }: SourceFile): string[] =>
  [...text.matchAll(/"?@([^"\s]+)"?/g)].map((match) => posix.normalize(posix.join(dirname(path), match[1] ?? '')))

/** Components without a runbook, and those listed as such although they have one. */
export const runbooks =
  (pending: string[]): Invariant =>
  ({ files }) => {
    const paths = new Set(files.map(({ path }) => path))
    const components = [...paths]
      .filter((path) => /^kubernetes\/(infrastructure|apps)\/.*\/ks\.yaml$/.test(path))
      .map((path) => basename(dirname(path)))
    const has = (component: string) => paths.has(`docs/runbooks/${component}.md`)
    return [
      ...components
        .filter((component) => !has(component) && !pending.includes(component))
        .map((component) => `docs/runbooks/${component}.md: is missing`),
      ...pending.filter(has).map((component) => `docs/runbooks/${component}.md: is there, take it off the list`),
      ...pending
        .filter((component) => !components.includes(component))
        .map((component) => `${component}: is no component, take it off the list`),
    ]
  }
