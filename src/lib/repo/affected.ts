// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/**
 * What a change can affect: the Kustomizations that are built with what changed, the files that name an object which it declares, and
 * nothing else. A finding is of interest when it is about one of them.
 */
import { posix } from 'node:path'
import { normalPath } from './build.ts'
import { isFields } from './fields.ts'
import { type FluxKustomization, nameOf } from './flux.ts'
import type { Finding } from './locate.ts'
import { type Files, reachOf, referencesIn, resourcesBelow } from './reach.ts'
import { namesGiven } from './relevance.ts'
import { changedFiles, git } from './revision.ts'
import { type Declared, declaredIn, type SourceFile, sourceFile } from './source-files.ts'
import { literal } from './words.ts'

export interface Change {
  /** Paths that differ, those that are gone included. */
  files: ReadonlySet<string>
  /** As they were; empty for what is new. */
  before: ReadonlyMap<string, SourceFile>
}

/** Facts that everything is made of, or judged by: a change of one can affect whatever there is. */
const everywhere = /^(k8sops|\.sops)\.yaml$|\/(cluster-settings|talconfig)\.yaml$|^lab\/(charts|crds)\//

export const affectsEverything = (changed: readonly string[]): boolean => changed.some((path) => everywhere.test(path))

/** @param changed as `changedFiles` gives them, of the same commit */
export async function changeSince(root: string, commit: string, changed?: readonly string[]): Promise<Change> {
  const files = new Set(changed ?? (await changedFiles(root, commit)))
  const before = [...files]
    .filter((path) => path.startsWith('kubernetes/'))
    .map(async (path) => {
      const text = await git(root, ['show', `${commit}:./${path}`]).catch(() => '')
      return [path, sourceFile(path, text)] as const
    })
  return { files, before: new Map(await Promise.all(before)) }
}

/** Of one cluster. */
export interface Affected {
  /** Kustomizations that are built with what changed, and files that changed or are those Kustomizations': each finding about them. */
  built: Group
  /** What waits for those, or names what changed: each finding that others than itself decide about. */
  related: Group
}

interface Group {
  kustomizations: ReadonlySet<string>
  files: ReadonlySet<string>
}

export interface BuiltWith {
  kustomizations: ReadonlySet<FluxKustomization>
  /** Besides what changed: what a list has taken in or given up, or patches. */
  listed: ReadonlySet<string>
}

/** The Kustomizations of one cluster that a change gives other objects. @param kustomizations all that it has */
export function builtWith(change: Change, kustomizations: readonly FluxKustomization[], files: Files): BuiltWith {
  const reaches = new Map(kustomizations.map((one) => [one, reachOf(files, one.spec)]))
  const parents = new Set(kustomizations.map(({ parent }) => parent))
  const listed = new Set([...change.files].flatMap((path) => entriesChanged(path, change, files)))
  const built = new Set<FluxKustomization>()
  for (const one of kustomizations) {
    const touched = touchedIn(one, reaches.get(one), change, files)
    if (touched.length === 0) continue
    if (!parents.has(nameOf(one))) built.add(one)
    else {
      const { itself, everyone, patched } = touchedBelow(one, touched, change, files)
      for (const path of patched) listed.add(path)
      if (itself) built.add(one)
      if (everyone) for (const own of below(one, kustomizations)) built.add(own)
    }
  }
  for (const one of kustomizations)
    if (one.file !== undefined && (change.files.has(one.file) || listed.has(one.file))) built.add(one)
  return { kustomizations: built, listed }
}

/** @param kustomizations all of the cluster */
export function affectedBy(change: Change, kustomizations: readonly FluxKustomization[], files: Files): Affected {
  const { kustomizations: built, listed } = builtWith(change, kustomizations, files)
  const reaches = new Map(kustomizations.map((one) => [one, filesOf(one, files)]))
  const reachedBy = (one: FluxKustomization) => reaches.get(one) ?? []
  const given = [...built].flatMap((one) => reachedBy(one).flatMap((path) => namesGiven(files.get(path))))
  const mentions = mentionOf(new Set([...namesOf(change, listed, files), ...given]))
  // A list that takes in `reloader/ks.yaml` says nothing about it.
  const said = ({ path, text }: SourceFile) => (listName.test(path) ? text.replaceAll(/^\s*- \S+$/gm, '') : text)
  const mentioning = new Set([...files.values()].filter((file) => mentions?.test(said(file))).map(({ path }) => path))
  const names = new Set([...built].map(nameOf))
  const related = kustomizations.filter(
    (one) => reachedBy(one).some((path) => mentioning.has(path)) || one.dependsOn.some((name) => names.has(name)),
  )
  return {
    built: { kustomizations: names, files: new Set([...change.files, ...listed, ...[...built].flatMap(reachedBy)]) },
    related: { kustomizations: new Set(related.map(nameOf)), files: mentioning },
  }
}

/** What it is built with, and where it is declared. */
const filesOf = (one: FluxKustomization, files: Files): string[] => [
  ...reachOf(files, one.spec).files,
  ...(one.file === undefined ? [] : [one.file]),
]

/** @param affected by cluster @returns whether a finding is of interest; `isLocal` as its rule says */
export function isAffected(
  change: Change,
  affected: ReadonlyMap<string, Affected>,
): (finding: Finding, isLocal: boolean) => boolean {
  const isOf = ({ file, owners, cluster }: Finding, group: keyof Affected) =>
    [...affected].some(
      ([name, { [group]: found }]) =>
        (cluster === undefined || cluster === name) &&
        (owners?.some((owner) => found.kustomizations.has(owner)) ?? found.files.has(file)),
    )
  return (finding, isLocal) =>
    change.files.has(finding.file) ||
    isOf(finding, 'built') ||
    (!isLocal &&
      ([...affected.values()].some(({ related }) => related.files.has(finding.file)) || isOf(finding, 'related')))
}

/** Changed files that building it reads, or read before they were deleted. */
function touchedIn(
  { spec }: FluxKustomization,
  reach: ReturnType<typeof reachOf> | undefined,
  { files: changed }: Change,
  files: Files,
): string[] {
  const directory = `${normalPath(spec.path)}/`
  // Of a directory without a kustomization.yaml nobody names a file that is gone.
  const isWhole = !files.has(`${directory}kustomization.yaml`)
  return [...changed].filter(
    (path) => reach?.files.has(path) || reach?.missing.has(path) || (isWhole && path.startsWith(directory)),
  )
}

/**
 * Of a Kustomization that contains others: a list affects what it takes in, an object beside them nobody else, the kustomization.yaml of a
 * directory what is in it; anything else may patch whatever there is.
 */
function touchedBelow({ spec }: FluxKustomization, touched: readonly string[], change: Change, files: Files) {
  const resources = resourcesBelow(files, normalPath(spec.path))
  const others = touched.filter((path) => !isList(path, change, files))
  return {
    itself: others.length > 0,
    everyone: others.some((path) => !resources.has(path)),
    patched: others
      .filter((path) => resources.has(path) && listName.test(path))
      .flatMap((path) => [...resourcesBelow(files, posix.dirname(path))]),
  }
}

/** The Kustomization itself, and whatever it leads to. */
const below = (top: FluxKustomization, all: readonly FluxKustomization[]): FluxKustomization[] => {
  const found = new Set([top])
  for (const one of found) for (const child of all) if (child.parent === nameOf(one)) found.add(child)
  return [...found]
}

const listName = /\/kustomization\.ya?ml$/

/** Whether all that it does to others is to list them: what is taken into the list is affected, and nobody else. */
function isList(path: string, { before }: Change, files: Files): boolean {
  const isKustomization = ({ kind, apiVersion }: Declared) =>
    kind === 'Kustomization' && apiVersion.startsWith('kustomize.toolkit.fluxcd.io/')
  const [old, now] = [before.get(path), files.get(path)]
  if (!listName.test(path)) {
    const declared = [old, now].flatMap((file) => (file ? declaredIn(file) : []))
    return declared.length > 0 && declared.every(isKustomization)
  }
  const others = (file: SourceFile | undefined) => {
    const document = file?.documents()[0]
    return JSON.stringify(isFields(document) ? { ...document, resources: [] } : { resources: [] })
  }
  return others(old) === others(now)
}

/** Files of what a kustomization.yaml has taken in or given up. */
function entriesChanged(path: string, { before }: Change, files: Files): string[] {
  if (!listName.test(path)) return []
  const named = (file: SourceFile | undefined) => (file ? referencesIn(file) : [])
  const [old, now] = [named(before.get(path)), named(files.get(path))]
  const different = [...old.filter((one) => !now.includes(one)), ...now.filter((one) => !old.includes(one))]
  return different.flatMap((entry) => {
    const target = posix.normalize(posix.join(posix.dirname(path), entry))
    return files.has(target) ? [target] : [...reachOf(files, { path: target }).files]
  })
}

/** Objects of the changed files, as they are and as they were, and of what lists took in or gave up. */
function namesOf({ files: changed, before }: Change, listed: ReadonlySet<string>, files: Files): Set<string> {
  const now = [...changed, ...listed].flatMap((path) => files.get(path) ?? [])
  const all = [...now, ...before.values()].flatMap(declaredIn)
  // A name that is made of a variable is another in each place; what refers to it stands beside it.
  return new Set(all.flatMap(({ name }) => (name && !name.includes('${') ? [name] : [])))
}

const mentionOf = (names: ReadonlySet<string>): RegExp | undefined =>
  names.size > 0 ? new RegExp(`(?<![\\w-])(${[...names].map(literal).join('|')})(?![\\w-])`) : undefined
