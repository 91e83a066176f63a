/** What Flux would do at once if something was resumed now: commits that it has not applied, charts that it has not installed. */
import type { Git } from '../config/source.ts'
import { reachedFiles } from '../repo/reach.ts'
import { readSourceFiles, type SourceFile } from '../repo/source-files.ts'
import { commitOf, type FluxView, idOf, nameOf, shortRevision } from './flux-view.ts'

export interface Outstanding {
  kind: string
  name: string
  from: string | null
  to: string | null
  /** `3f9c1a2 Raise the memory limit`, newest first: those that touch the files which it is built from. */
  commits: string[]
  /** What is not known, and why. */
  note: string | null
}

/** @param views the sources of the objects, at least */
export async function outstandingOf(
  git: Git,
  root: string,
  objects: FluxView[],
  views: FluxView[],
): Promise<Outstanding[]> {
  const byId = new Map(views.map((view) => [idOf(view), view]))
  // All manifests of the repository, which nobody asks for where nothing new has come.
  let files: Map<string, SourceFile> | undefined
  return Promise.all(
    objects.map(async (view): Promise<Outstanding> => {
      const source = view.source ? byId.get(idOf(view.source)) : undefined
      const [from, to] = [view.revision, source?.revision ?? null]
      const head = { kind: view.kind, name: nameOf(view), from, to }
      if (view.kind !== 'Kustomization') return { ...head, commits: [], note: null }
      const [old, next] = [commitOf(from), commitOf(to)]
      if (!next || !old || old === next) return { ...head, commits: [], note: null }
      files ??= new Map(readSourceFiles(root).map((file) => [file.path, file]))
      const paths = [...reachedFiles(files, { path: view.path ?? '' })]
      const log = await git(['log', '--format=%h %s', '-n', '20', `${old}..${next}`, '--', ...paths])
      if (log.exitCode !== 0) return { ...head, commits: [], note: 'git does not know these commits here: git fetch' }
      return { ...head, commits: log.stdout.split('\n').filter(Boolean), note: null }
    }),
  )
}

/** One line each, and the commits below it. */
export function outstandingLines(outstanding: Outstanding[]): string[] {
  return outstanding.flatMap(({ kind, name, from, to, commits, note }) => {
    const [old, next] = [shortRevision(from), shortRevision(to)]
    if (to === null || old === next) return [`${kind} ${name}: nothing new; what was changed by hand is put back`]
    const change = `${kind} ${name}: ${old || 'nothing'} -> ${next}`
    if (kind !== 'Kustomization') return [`${change}, unless its Kustomization changes it first`]
    if (note) return [`${change} (${note})`]
    if (commits.length === 0) return [`${change}, of which no commit touches its files`]
    return [`${change}:`, ...commits.map((commit) => `  ${commit}`)]
  })
}
