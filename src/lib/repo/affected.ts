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

export interface Affected {
  /** Kustomizations that are built with what changed, wait for one of those, or name what changed: each finding about them. */
  kustomizations: ReadonlySet<string>
  /** Files that changed, or name what did: each finding in them. */
  files: ReadonlySet<string>
  /** What they are built with: findings in them that are about no Kustomization. */
  reached: ReadonlySet<string>
}

/** Of one cluster. @param kustomizations all that it has */
export function affectedBy(change: Change, kustomizations: readonly FluxKustomization[], files: Files): Affected {
  const reaches = new Map(kustomizations.map((one) => [one, reachOf(files, one.spec)]))
  const reachedBy = (one: FluxKustomization) => reaches.get(one)?.files ?? new Set<string>()
  const parents = new Set(kustomizations.map(({ parent }) => parent))
  /** Besides what changed: what a list has taken in or given up, or patches. */
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
  const changed = new Set([...built].map(nameOf))
  const given = [...built].flatMap((one) => [...reachedBy(one)].flatMap((path) => namesGiven(files.get(path))))
  const mentions = mentionOf(new Set([...namesOf(change, listed, files), ...given]))
  const mentioning = new Set([...files.values()].filter(({ text }) => mentions?.test(text)).map(({ path }) => path))
  const isMentioning = (one: FluxKustomization) =>
    [...reachedBy(one), ...(one.file === undefined ? [] : [one.file])].some((path) => mentioning.has(path))
  for (const one of kustomizations)
    if (isMentioning(one) || one.dependsOn.some((name) => changed.has(name))) built.add(one)
  return {
    kustomizations: new Set([...built].map(nameOf)),
    files: new Set([...change.files, ...listed, ...mentioning]),
    reached: new Set([...built].flatMap((one) => [...reachedBy(one), ...(one.file === undefined ? [] : [one.file])])),
  }
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

/** @param affected by cluster */
export function isAffected(affected: ReadonlyMap<string, Affected>): (finding: Finding) => boolean {
  const all = [...affected.values()]
  return ({ file, owners, cluster }) => {
    if (all.some(({ files }) => files.has(file))) return true
    const own = cluster === undefined ? all : all.filter((one) => one === affected.get(cluster))
    if (owners) return own.some(({ kustomizations }) => owners.some((name) => kustomizations.has(name)))
    return all.some(({ reached }) => reached.has(file))
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

const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
