/** Which files a change can affect: those that changed, what is built with them, and whatever names an object that they declare. */

import { reachedFiles } from './reach.ts'
import { changedFiles, git } from './revision.ts'
import type { RepositoryView } from './rules/view.ts'
import { declaredIn, sourceFile } from './source-files.ts'

/** @returns whether a file can be affected, or undefined when everything can (the rules' own inputs changed) */
export async function affectedSince(
  view: RepositoryView,
  commit: string,
): Promise<((file: string) => boolean) | undefined> {
  const changed = new Set(await changedFiles(view.root, commit))
  if ([...changed].some((path) => /^(k8sops|\.sops)\.yaml$|\/(cluster-settings|talconfig)\.yaml$/.test(path)))
    return undefined
  const affected = new Set(changed)
  const byPath = new Map(view.files.map((file) => [file.path, file]))
  for (const { rendered } of view.clusters) {
    for (const { kustomization } of rendered) {
      const reached = reachedFiles(byPath, kustomization.spec)
      // A file that is gone is reached by nobody any more; its directory tells whose it was.
      const directory = `${kustomization.spec.path.replace(/^\.\//, '')}/`
      if (![...changed].some((path) => reached.has(path) || path.startsWith(directory))) continue
      for (const path of reached) affected.add(path)
      if (kustomization.file) affected.add(kustomization.file)
    }
  }
  const names = await namesIn(view, commit, changed)
  const mentions =
    names.size > 0 ? new RegExp(`(?<![\\w-])(${[...names].map(literal).join('|')})(?![\\w-])`) : undefined
  for (const { path, text } of view.files) if (mentions?.test(text)) affected.add(path)
  return (file) => affected.has(file)
}

const literal = (text: string) => text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** Objects of the changed files, as they are and as they were. */
async function namesIn(
  { root, files }: RepositoryView,
  commit: string,
  changed: ReadonlySet<string>,
): Promise<Set<string>> {
  const now = files.filter(({ path }) => changed.has(path))
  const before = [...changed]
    .filter((path) => path.startsWith('kubernetes/'))
    .map(async (path) => sourceFile(path, await git(root, ['show', `${commit}:./${path}`]).catch(() => '')))
  const all = [...now, ...(await Promise.all(before))].flatMap(declaredIn)
  return new Set(all.flatMap(({ name }) => (name ? [name] : [])))
}
