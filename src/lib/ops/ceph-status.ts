/**
 * What `ceph status` shows: Ceph's health as Rook last saw it, its OSDs as pods, and what only metrics tell. What nobody told is unknown,
 * with the reason. Pure; src/commands/ceph/observe.ts reads.
 */
import type { Json, KubeObject, ObjectRef, Result } from '../types.ts'
import { restingNodes } from './ceph-maintenance.ts'
import { holderText } from './hold.ts'
import { type Sample, slopePerDay } from './report.ts'
import { trendQuestions } from './report-questions.ts'
import { bytesText } from './status-facts.ts'

export const cephKinds = {
  clusters: { apiVersion: 'ceph.rook.io/v1', kind: 'CephCluster' },
  osds: { apiVersion: 'apps/v1', kind: 'Deployment', labelSelector: 'app=rook-ceph-osd' },
  nodes: { apiVersion: 'v1', kind: 'Node' },
} as const satisfies Record<string, ObjectRef>

export type CephKind = keyof typeof cephKinds
export const cephKindNames = Object.keys(cephKinds) as CephKind[]

/** Sums over pools and daemons, as Ceph's manager exports them. */
export const cephQuestions = {
  pgs: 'sum(ceph_pg_total)',
  active: 'sum(ceph_pg_active)',
  clean: 'sum(ceph_pg_clean)',
  degraded: 'sum(ceph_pg_degraded)',
  osdsIn: 'sum(ceph_osd_in)',
} as const

export type CephQuestion = keyof typeof cephQuestions

/** The capacity's way over the last days. */
export const capacityDays = 7
export const capacityQuestion = trendQuestions.find(({ id }) => id === 'ceph')?.expression ?? ''

export interface CephMetrics {
  /** Those that were answered with a number. */
  values: Partial<Record<CephQuestion, number>>
  /** Used part of all bytes. */
  used: Sample['points']
}

/** What one look at the CephCluster told of its capacity. */
export interface CapacityRead {
  /** Seconds since 1970: when Rook had asked Ceph. */
  at: number
  bytesUsed: number
  bytesTotal: number
}

export interface CephFacts extends Partial<Record<CephKind, Result<KubeObject[]>>> {
  metrics?: Result<CephMetrics>
  /** The first look of this watch. */
  before?: CapacityRead
}

export interface CephRow {
  cluster: string
  name: 'health' | 'osds' | 'pgs' | 'capacity' | 'slow-ops' | 'maintenance'
  state: 'ok' | 'fail' | 'unknown'
  summary: string
  reasons: string[]
  next: string | null
  facts: { [key: string]: Json }
}

interface CephReport {
  health?: string
  details?: Record<string, { severity?: string; message?: string }>
  lastChecked?: string
  lastChanged?: string
  capacity?: { bytesUsed?: number; bytesTotal?: number; lastUpdated?: string }
}

/** Rook looks once a minute (seconds); the gate ceph-healthy has the same limit. */
const staleSec = 180
/** Below it a rate between two looks says nothing (seconds). */
const leastApartSec = 600
/** Where Ceph warns by itself (mon_osd_nearfull_ratio). */
const nearFull = 0.85

/** @param expected CephClusters by k8sops.yaml @param now milliseconds since 1970 */
export function cephRows(cluster: string, facts: CephFacts, expected: number, now: number): CephRow[] {
  const { clusters } = facts
  if (!clusters?.ok && !(clusters?.why === 'not-found' && expected === 0))
    return [row(cluster, 'health', unknown(`CephClusters can't be read: ${clusters?.detail ?? 'not answered yet'}`))]
  const [found] = clusters.ok ? clusters.value : []
  if (!found && expected === 0) return []
  if (!found) return [row(cluster, 'health', failed([`there is no CephCluster, and k8sops.yaml expects ${expected}`]))]
  const ceph = (found.status?.ceph ?? {}) as CephReport
  return [
    row(cluster, 'health', healthOf(found, ceph, now)),
    row(cluster, 'osds', osdsOf(facts)),
    row(cluster, 'pgs', placementOf(ceph, facts.metrics)),
    row(cluster, 'capacity', capacityOf(found, facts)),
    row(cluster, 'slow-ops', slowOpsOf(ceph, now)),
    row(cluster, 'maintenance', maintenanceOf(facts, now)),
  ]
}

export const capacityRead = (found: KubeObject | undefined): CapacityRead | undefined => {
  const { capacity, lastChecked } = (found?.status?.ceph ?? {}) as CephReport
  const at = Date.parse(capacity?.lastUpdated ?? lastChecked ?? '') / 1000
  const { bytesUsed, bytesTotal } = capacity ?? {}
  if (!Number.isFinite(at) || bytesUsed === undefined || !bytesTotal) return undefined
  return { at, bytesUsed, bytesTotal }
}

type Told = Pick<CephRow, 'state' | 'summary' | 'reasons' | 'facts'>

const row = (cluster: string, name: CephRow['name'], told: Told): CephRow => ({
  cluster,
  name,
  ...told,
  next: told.state === 'ok' ? null : next[name],
})

const next: Record<CephRow['name'], string> = {
  health: 'kubectl -n rook-ceph exec deployment/rook-ceph-tools -- ceph health detail',
  osds: 'kubectl -n rook-ceph get pods -l app=rook-ceph-osd -o wide',
  pgs: "k8sops metrics query 'sum(ceph_pg_total)'",
  capacity: 'docs/runbooks/rook-ceph-cluster.md: add a disk, or delete',
  'slow-ops': 'kubectl -n rook-ceph exec deployment/rook-ceph-tools -- ceph osd perf',
  maintenance: 'k8sops holds list',
}

const ok = (summary: string, facts: Told['facts'] = {}): Told => ({ state: 'ok', summary, reasons: [], facts })
const unknown = (why: string, facts: Told['facts'] = {}): Told => ({
  state: 'unknown',
  summary: `unknown: ${why}`,
  reasons: [why],
  facts,
})
function failed(reasons: string[], facts: Told['facts'] = {}): Told {
  const others = reasons.length > 1 ? ` (and ${reasons.length - 1} more)` : ''
  return { state: 'fail', summary: `${reasons[0]}${others}`, reasons, facts }
}

function healthOf({ status }: KubeObject, ceph: CephReport, now: number): Told {
  const { health, details = {}, lastChecked } = ceph
  const checks = Object.entries(details).map(([key, { severity = '', message = '' }]) => ({ key, severity, message }))
  const facts = { health: health ?? null, checks, lastChecked: lastChecked ?? null, since: ceph.lastChanged ?? null }
  if (health === undefined)
    return unknown(`Rook has not asked Ceph yet (${String(status?.message ?? 'no status')})`, facts)
  const ageSec = (now - Date.parse(lastChecked ?? '')) / 1000
  if (!(Math.abs(ageSec) <= staleSec)) {
    const age = Number.isNaN(ageSec) ? 'at an unknown time' : `${Math.round(ageSec)} s ago`
    return unknown(`Rook asked Ceph ${age}, and it was ${health} then; its operator or the monitors are away`, facts)
  }
  if (health === 'HEALTH_OK') return ok(health, facts)
  const reasons = checks.map(({ key, message }) => `${health} ${key}: ${message}`)
  return failed(reasons.length > 0 ? reasons : [`${health}, without a reason`], facts)
}

/** Up as pods, and in as Ceph counts them. */
function osdsOf({ osds, metrics }: CephFacts): Told {
  if (!osds?.ok) return unknown(osds?.detail ?? 'not answered yet')
  const all = osds.value.map(({ metadata, status }) => ({
    id: metadata.labels?.['ceph-osd-id'] ?? metadata.name,
    host: metadata.labels?.['topology-location-host'] ?? '',
    up: Number(status?.readyReplicas ?? 0) > 0,
  }))
  const down = all.filter(({ up }) => !up)
  const inMap = metrics?.ok ? metrics.value.values.osdsIn : undefined
  const facts = { osds: all.length, up: all.length - down.length, in: inMap ?? null, down: down.map(({ id }) => id) }
  if (all.length === 0) return failed(['there is no OSD'], facts)
  if (down.length > 0)
    return failed(
      down.map(({ id, host }) => `osd.${id} on ${host} is down`),
      facts,
    )
  const told = inMap === undefined ? '' : `, ${inMap} in`
  return ok(`${all.length} up${told}`, facts)
}

/** Health checks name what ails them; how many there are only metrics tell. */
function placementOf({ details = {} }: CephReport, metrics: CephFacts['metrics']): Told {
  const checks = Object.entries(details).filter(([key]) => key.startsWith('PG_'))
  const { pgs, active, clean, degraded } = metrics?.ok ? metrics.value.values : {}
  const facts = { total: pgs ?? null, active: active ?? null, clean: clean ?? null, degraded: degraded ?? null }
  if (checks.length > 0)
    return failed(
      checks.map(([key, { message = '' }]) => `${key}: ${message}`),
      facts,
    )
  if (pgs === undefined || clean === undefined)
    return unknown(metrics && !metrics.ok ? metrics.detail : 'no series of ceph_pg_total and ceph_pg_clean', facts)
  if (clean < pgs) return failed([`${pgs - clean} of ${pgs} are not clean`], facts)
  return ok(`${pgs}, all of them clean`, facts)
}

function capacityOf(found: KubeObject, { metrics, before }: CephFacts): Told {
  const read = capacityRead(found)
  if (!read) return unknown('the CephCluster does not tell its capacity')
  const { bytesUsed, bytesTotal } = read
  const ratio = Number((found.spec?.storage as { nearFullRatio?: number } | undefined)?.nearFullRatio ?? nearFull)
  const part = bytesUsed / bytesTotal
  const fills = fillTime(metrics?.ok ? metrics.value.used : [], before, read, ratio)
  const why = metrics && !metrics.ok ? `; ${metrics.detail}` : ''
  const facts = {
    bytesUsed,
    bytesTotal,
    limit: ratio,
    perDay: fills?.perDay ?? null,
    daysLeft: fills?.daysLeft ?? null,
  }
  const base = `${Math.round(part * 100)} % of ${bytesText(bytesTotal)}`
  const when = fills
    ? fillText(fills, ratio)
    : `when it fills is unknown: neither metrics of a day nor two looks ${leastApartSec / 60} min apart${why}`
  if (part >= ratio) return failed([`${base} used, at least ${Math.round(ratio * 100)} %`], facts)
  return ok(`${base}, ${when}`, facts)
}

interface Filling {
  /** Part of all bytes. */
  perDay: number
  /** Null when it does not rise, or leads there only after two years. */
  daysLeft: number | null
}

/** By a straight line through a day of metrics or more; else between two looks; undefined when there is neither. */
function fillTime(
  points: Sample['points'],
  before: CapacityRead | undefined,
  read: CapacityRead,
  limit: number,
): Filling | undefined {
  const known = points.filter(([, value]) => Number.isFinite(value))
  const spanSec = (known.at(-1)?.[0] ?? 0) - (known[0]?.[0] ?? 0)
  const looks: Sample['points'] =
    before && before.bytesTotal === read.bytesTotal && read.at - before.at >= leastApartSec
      ? [before, read].map(({ at, bytesUsed, bytesTotal }) => [at, bytesUsed / bytesTotal])
      : []
  const perDay = slopePerDay(spanSec >= 86_400 ? known : looks)
  if (perDay === null) return undefined
  const days = perDay > 0 ? (limit - read.bytesUsed / read.bytesTotal) / perDay : Number.POSITIVE_INFINITY
  return { perDay, daysLeft: days > 730 ? null : Math.max(0, Math.round(days)) }
}

function fillText({ perDay, daysLeft }: Filling, limit: number): string {
  const step = `${Number((Math.abs(perDay) * 100).toFixed(2))} % a day`
  if (daysLeft !== null) return `rises ${step}: ${Math.round(limit * 100)} % in ${daysLeft} days`
  return Math.abs(perDay) < 0.0005 ? 'steady' : perDay > 0 ? `rises ${step}` : `falls ${step}`
}

/** Ceph raises SLOW_OPS as soon as there is one; without it, and with a fresh look, there is none. */
function slowOpsOf({ health, details = {}, lastChecked }: CephReport, now: number): Told {
  const message = details.SLOW_OPS?.message
  if (message !== undefined)
    return failed([message], { slowOps: Number(/^(\d+) slow ops/.exec(message)?.[1] ?? Number.NaN) || null })
  const fresh = Math.abs(now - Date.parse(lastChecked ?? '')) <= staleSec * 1000
  return health !== undefined && fresh ? ok('none', { slowOps: 0 }) : unknown('Ceph was not asked of late')
}

function maintenanceOf({ nodes }: CephFacts, now: number): Told {
  if (!nodes?.ok) return unknown(nodes?.detail ?? 'not answered yet')
  const resting = restingNodes(nodes.value)
  const text = resting.map(({ node, hold }) => `${node}: ${holderText(hold, now)}`)
  return ok(text.join('; ') || 'none', { nodes: resting.map(({ node, hold }) => ({ node, until: hold.until })) })
}
