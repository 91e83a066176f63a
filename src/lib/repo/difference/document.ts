/** A difference as plain data: what -o json prints, and what every other form is made from. No secret is in it. */
import { dotted } from '../../config/schema.ts'
import { identity } from '../rules/rule.ts'
import type { LiveDeletions } from './live.ts'
import type { Change } from './objects.ts'
import type { ClusterReport, DifferenceReport, ImageChange } from './report.ts'

export interface FieldText {
  path: string
  before?: string
  after?: string
}

export interface ObjectText {
  change: Change['kind']
  object: string
  fields: FieldText[]
}

export interface ClusterText {
  cluster: string
  added: number
  changed: number
  removed: number
  owners: { owner: string; objects: ObjectText[] }[]
  unknown: { owner: string; reason: string }[]
  images: ImageChange[]
  restarts: string[]
  deletions: Omit<LiveDeletions, 'cluster'>
}

export interface DifferenceText {
  base: string
  head: string
  clusters: ClusterText[]
  dangers: { id: string; cluster: string; object: string; detail: string }[]
}

/** One line of a value, at most so long. */
const shown = 160

/** @param live by cluster */
export function differenceText(
  { base, head, clusters, dangers }: DifferenceReport,
  live: LiveDeletions[],
): DifferenceText {
  return {
    base,
    head,
    clusters: clusters.map((report) =>
      clusterText(
        report,
        live.find(({ cluster }) => cluster === report.cluster),
      ),
    ),
    dangers: dangers.map(({ id, cluster, object, detail }) => ({ id, cluster, object, detail })),
  }
}

function clusterText(
  { cluster, owners, unknown, images, restarts }: ClusterReport,
  live: LiveDeletions | undefined,
): ClusterText {
  const count = (kind: Change['kind']) =>
    owners.flatMap(({ changes }) => changes).filter((change) => change.kind === kind).length
  const { cluster: _, ...deletions } = live ?? { cluster, wouldDelete: [], stays: [] }
  return {
    cluster,
    added: count('added'),
    changed: count('changed'),
    removed: count('removed'),
    owners: owners.map(({ owner, changes }) => ({ owner, objects: changes.map(objectText) })),
    unknown,
    images,
    restarts,
    deletions,
  }
}

function objectText(change: Change): ObjectText {
  const one = change.kind === 'removed' ? change.before : change.after
  const fields = change.kind === 'changed' ? change.fields : []
  const isSecret = one.kind === 'Secret'
  const text = (value: unknown, path: string) => {
    if (isSecret && /^(data|stringData)\b/.test(path)) return '(secret)'
    const line = typeof value === 'string' ? value : JSON.stringify(value)
    return line.length > shown ? `${line.slice(0, shown)}…` : line
  }
  return {
    change: change.kind,
    object: identity(one),
    fields: fields.map((field) => {
      const path = dotted(field.path)
      return {
        path,
        ...('before' in field ? { before: text(field.before, path) } : {}),
        ...('after' in field ? { after: text(field.after, path) } : {}),
      }
    }),
  }
}
