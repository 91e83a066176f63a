/** Flux of all clusters in one table: what is well, what is not, what is old, what is held. Pure. */
import type { Json } from '../types.ts'
import type { GitPosition } from './flux-observe.ts'
import { commitOf, type FluxRow, type FluxView, idOf, nameOf, shortRevision } from './flux-view.ts'
import { holderText, isExpired } from './hold.ts'

export interface ClusterFlux {
  cluster: string
  follows: string
  views: FluxView[]
  git: GitPosition
}

export interface StatusFilter {
  /** Names of applications; empty: everything. */
  apps: string[]
  failed: boolean
  suspended: boolean
  stale: boolean
}

/** NFR1: what was pushed is applied within five minutes. */
const arrivesWithinMs = 5 * 60_000

/** @param now milliseconds since 1970 */
export function statusRows(clusters: ClusterFlux[], filter: StatusFilter, now: number): FluxRow[] {
  return clusters.flatMap((one) => {
    const byId = new Map(one.views.map((view) => [idOf(view), view]))
    const wanted = filter.apps.length > 0 ? viewsOfApps(one.views, filter.apps) : one.views
    return wanted
      .map((view) => statusRow(one, view, byId, now))
      .filter((row) => {
        const asked = [filter.failed, filter.suspended, filter.stale].some(Boolean)
        if (!asked) return true
        return (
          (filter.failed && isUnwell(row)) ||
          (filter.suspended && row.suspended === true) ||
          (filter.stale && row.stale !== null)
        )
      })
  })
}

/** What makes `flux status` end with 3. A suspended object is as somebody wants it to be. */
export const isUnwell = (row: FluxRow): boolean =>
  row.suspended !== true && (row.state === 'failed' || row.state === 'waiting')

function statusRow(one: ClusterFlux, view: FluxView, byId: Map<string, FluxView>, now: number): FluxRow {
  const commit = commitOf(view.revision)
  const distance = commit === undefined ? undefined : one.git.distances.get(commit)
  const { hold } = view
  return {
    cluster: one.cluster,
    kind: view.kind,
    namespace: view.namespace,
    name: view.name,
    state: view.state,
    suspended: view.suspended,
    reason: view.reason,
    message: view.message,
    since: view.since,
    revision: view.revision,
    attempted: view.attempted,
    behind: distance?.behind ?? null,
    ahead: distance?.ahead ?? null,
    stale: staleReason(view, byId, distance?.behind ?? 0, now),
    remediation: view.remediation,
    hold: hold ? { ...hold, expired: isExpired(hold, now) } : null,
    suspendedBy: view.suspendedBy,
    heldBy: heldBy(view, now),
    owner: view.owner,
  }
}

/** Who holds it, or that nobody said so. */
export function heldBy(view: FluxView, now: number): string | null {
  if (!view.suspended) return null
  if (view.hold) return holderText(view.hold, now)
  if (view.suspendInGit === true) return 'Git'
  const since = view.suspendedBy?.time ? ` since ${view.suspendedBy.time.slice(0, 16)}Z` : ''
  return `unowned (${view.suspendedBy?.manager ?? 'somebody'}${since})`
}

/** Why what runs is older than it should be; null when it is not, or when it is meant to be. */
function staleReason(view: FluxView, byId: Map<string, FluxView>, behind: number, now: number): string | null {
  if (view.suspended) return null
  if (view.kind === 'GitRepository') return behind > 0 ? `${behind} commits behind git` : null
  if (view.kind !== 'Kustomization' || !view.source) return null
  const source = byId.get(idOf(view.source))
  if (!source) return `${view.source.kind} ${nameOf(view.source)} is not there`
  if (source.suspended) return `its source is suspended`
  const late = source.updatedAt !== null && now - Date.parse(source.updatedAt) > arrivesWithinMs
  if (source.revision !== null && source.revision !== view.revision && late)
    return `has not applied ${shortRevision(source.revision)}, which its source has had since ${source.updatedAt}`
  return behind > 0 && late ? `${behind} commits behind git` : null
}

/** An application's Kustomization, its HelmReleases and what they are made from. */
export function viewsOfApps(views: FluxView[], apps: string[]): FluxView[] {
  const named = (view: FluxView) => apps.some((app) => app === view.name || app === nameOf(view))
  const direct = new Set(views.filter((view) => view.kind !== 'HelmChart' && named(view)).map(idOf))
  for (const view of views)
    if (view.kind === 'Kustomization' && named(view))
      for (const applied of view.applied) if (applied.kind === 'HelmRelease') direct.add(idOf(applied))
  for (const view of views)
    if (view.kind === 'HelmRelease' && direct.has(idOf(view)) && view.source) direct.add(idOf(view.source))
  return views.filter((view) => direct.has(idOf(view)))
}

/** `main@3f9c1a2 (2 behind)` */
export function revisionText(row: FluxRow): string {
  const at = shortRevision(row.revision as string | null)
  const apart = (['behind', 'ahead'] as const).flatMap((way) => (row[way] ? [`${row[way]} ${way}`] : []))
  return apart.length > 0 ? `${at} (${apart.join(', ')})` : at
}

/** `4m`, `3h`, `12d`. */
export function ageText(iso: Json | undefined, now: number): string {
  const seconds = Math.max(0, Math.round((now - Date.parse(String(iso ?? ''))) / 1000))
  if (Number.isNaN(seconds)) return ''
  if (seconds < 120) return `${seconds}s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`
  return `${Math.floor(seconds / 86_400)}d`
}
