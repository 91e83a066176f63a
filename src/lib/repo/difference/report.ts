/** Everything that a change means for every cluster at once. */
import { nameOf } from '../flux.ts'
import { imagesOf } from '../rules/pins.ts'
import { identity } from '../rules/rule.ts'
import { isNeverPruned } from '../rules/storage.ts'
import type { ClusterView, RepositoryView } from '../rules/view.ts'
import { type Danger, dangersOf, recipientDangers } from './dangers.ts'
import { type ClusterDifference, compareClusters } from './objects.ts'

export interface ImageChange {
  before?: string
  after?: string
}

export interface ClusterReport extends ClusterDifference {
  images: ImageChange[]
  /** Workloads whose pods are replaced: `Kind ns/name`, or a release that was not rendered and whose values changed. */
  restarts: string[]
  /** Objects that Flux would delete: those in Git with prune enabled. */
  deletions: {
    object: string
    apiVersion: string
    kind: string
    namespace?: string
    name: string
    protected: boolean
  }[]
}

export interface DifferenceReport {
  base: string
  head: string
  clusters: ClusterReport[]
  dangers: Danger[]
}

export interface Side extends Pick<RepositoryView, 'files' | 'clusters'> {
  name: string
}

export function differenceReport(base: Side, head: Side): DifferenceReport {
  const pairs = head.clusters.map((after) => {
    const before = base.clusters.find(({ name }) => name === after.name)
    return { before, after, difference: compareClusters(before, after) }
  })
  return {
    base: base.name,
    head: head.name,
    clusters: pairs.map(({ before, after, difference }) => ({
      ...difference,
      // What is not compared is not gone.
      images: imageChanges(before, after).filter(({ after: now }) => now || difference.unknown.length === 0),
      restarts: restartsOf(before, after, difference),
      deletions: deletionsOf(difference),
    })),
    dangers: [
      ...pairs.flatMap(({ after, difference }) => dangersOf(difference, after)),
      ...recipientDangers(base, head),
    ],
  }
}

export const isEmpty = ({ clusters, dangers }: DifferenceReport): boolean =>
  dangers.length === 0 &&
  clusters.every(({ owners, unknown, restarts }) => owners.length + unknown.length + restarts.length === 0)

/** `host/name` -> tag; an image that only moved its tag is one change. */
function imageChanges(before: ClusterView | undefined, after: ClusterView): ImageChange[] {
  const byName = (cluster: ClusterView | undefined) =>
    Map.groupBy(new Set((cluster ? imagesOf(cluster) : []).map(({ image }) => image)), (image) =>
      image.replace(/(@sha256:.*|:[^/:]+)$/, ''),
    )
  const [old, now] = [byName(before), byName(after)]
  return [...new Set([...old.keys(), ...now.keys()])].sort().flatMap((name): ImageChange[] => {
    const gone = (old.get(name) ?? []).filter((image) => !now.get(name)?.includes(image))
    const come = (now.get(name) ?? []).filter((image) => !old.get(name)?.includes(image))
    const length = Math.max(gone.length, come.length)
    return Array.from({ length }, (_, index) => ({
      ...(gone[index] ? { before: gone[index] } : {}),
      ...(come[index] ? { after: come[index] } : {}),
    }))
  })
}

const workloads = new Set(['Deployment', 'StatefulSet', 'DaemonSet'])

function restartsOf(before: ClusterView | undefined, after: ClusterView, { owners }: ClusterDifference): string[] {
  const replaced = owners.flatMap(({ changes }) =>
    changes.flatMap((change) => {
      if (change.kind !== 'changed' || !workloads.has(change.after.kind)) return []
      const ofTemplate = change.fields.some(({ path }) => path[0] === 'spec' && path[1] === 'template')
      return ofTemplate ? [identity(change.after)] : []
    }),
  )
  // Of a chart that could not be rendered only its input is known.
  const input = ({ releases }: ClusterView) =>
    new Map(
      releases
        .filter(({ rendered }) => !rendered)
        .map(({ release }) => [nameOf(release), JSON.stringify([release.chart, release.version, release.values])]),
    )
  const [old, now] = [before ? input(before) : new Map<string, string>(), input(after)]
  const perhaps = [...now].filter(([name, text]) => old.has(name) && old.get(name) !== text)
  return [...replaced, ...perhaps.map(([name]) => `whatever HelmRelease ${name} runs (chart not rendered)`)]
}

/** By Kustomizations: what a chart no longer makes is Helm's to delete, and counts as well. */
function deletionsOf({ owners }: ClusterDifference): ClusterReport['deletions'] {
  return owners.flatMap(({ changes }) =>
    changes.flatMap((change) => {
      if (change.kind !== 'removed') return []
      const { before } = change
      const { apiVersion, kind, namespace, name } = before
      return [
        {
          object: identity(before),
          apiVersion,
          kind,
          ...(namespace ? { namespace } : {}),
          name,
          protected: isNeverPruned(before),
        },
      ]
    }),
  )
}
