/** What a deletion in Git means in the cluster as it is: an object that is not there, or is protected there, stays as it is. */
import type { KubePort } from '../../types.ts'
import type { ClusterReport } from './report.ts'

export interface LiveDeletions {
  cluster: string
  /** Not reachable: then `wouldDelete` is what Git says. */
  unreachable?: string
  wouldDelete: string[]
  /** Each with why nothing happens to it. */
  stays: { object: string; reason: string }[]
}

const prune = 'kustomize.toolkit.fluxcd.io/prune'

/** Reads each object that would go. @param kube of that cluster; undefined when nobody asked for the live state */
export async function liveDeletions(
  report: ClusterReport,
  kube: KubePort | undefined,
  signal?: AbortSignal,
): Promise<LiveDeletions> {
  const result: LiveDeletions = { cluster: report.cluster, wouldDelete: [], stays: [] }
  for (const deletion of report.deletions) {
    const { object, apiVersion, kind, namespace, name } = deletion
    if (deletion.protected) {
      result.stays.push({ object, reason: 'prune disabled' })
      continue
    }
    const found = kube
      ? await kube.list({ apiVersion, kind, name, ...(namespace ? { namespace } : {}) }, signal)
      : undefined
    if (found && !found.ok && found.why !== 'not-found') result.unreachable = found.detail
    if (found && (found.ok ? found.value.length === 0 : found.why === 'not-found')) {
      result.stays.push({ object, reason: 'is not in the cluster' })
    } else if (found?.ok && found.value.some(({ metadata }) => metadata.annotations?.[prune] === 'disabled')) {
      result.stays.push({ object, reason: 'prune disabled in the cluster' })
    } else result.wouldDelete.push(object)
  }
  return result
}
