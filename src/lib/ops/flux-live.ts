/** Whether a commit is live: every Kustomization has applied it, or one that contains it, and is Ready. Pure. */
import type { FluxRow, FluxView } from './flux-view.ts'
import { commitOf, nameOf, shortRevision } from './flux-view.ts'

/**
 * One row for each Kustomization that is made from git.
 * @param contains whether a commit that runs contains the one that is waited for; undefined when git does not know it here
 */
export function liveRows(
  cluster: string,
  views: FluxView[],
  contains: (commit: string) => boolean | undefined,
): FluxRow[] {
  return views
    .filter(({ kind, source }) => kind === 'Kustomization' && source?.kind === 'GitRepository')
    .map((view) => {
      const commit = commitOf(view.revision)
      const has = commit === undefined ? false : contains(commit)
      return {
        cluster,
        name: nameOf(view),
        revision: view.revision,
        live: has === true && view.state === 'ready',
        // It will never get there by waiting.
        held: view.suspended,
        waitingFor: reasonFor(view, has),
      }
    })
}

function reasonFor(view: FluxView, has: boolean | undefined): string | null {
  if (has === true && view.state === 'ready') return null
  if (view.suspended) return 'it is suspended'
  if (has === undefined) return `git does not know ${shortRevision(view.revision)} here: git fetch`
  if (view.state === 'failed' || view.state === 'waiting') return view.message ?? view.state
  return has ? 'it is not Ready yet' : `it runs ${shortRevision(view.revision) || 'nothing yet'}`
}
