/** `k8sops backup status`: what is backed up, how old that is against its own schedule, and what nobody backs up. Pure. */
import { backupKey, backupReasonKey } from '../repo/backup-keys.ts'
import { recordKey } from '../tools/drill-record.args.ts'
import { restoreKeys } from '../tools/kubectl-volsync.args.ts'
import type { Json, KubeObject } from '../types.ts'
import { type BackupFacts, placeOf } from './backup-facts.ts'
import type { DrillRecord } from './drill-objects.ts'

export const backupRunbook = 'docs/runbooks/volsync.md'

/**
 * `waiting`: the first backup is not due yet. `overdue`: the schedule has asked since, and nothing came of it. `resting`: nothing runs
 * it (paused, no schedule, a manual trigger in its place). `exempt`: declared as not to be protected.
 */
export type BackupState = 'ok' | 'waiting' | 'exempt' | 'overdue' | 'failed' | 'resting' | 'unprotected'

export interface BackupRow {
  kind: 'volume' | 'database'
  namespace: string
  name: string
  state: BackupState
  /** RFC 3339; when the last backup that succeeded was through. */
  lastSuccess: string | null
  schedule: string | null
  /** RFC 3339; when the schedule asks for the next one after that. */
  due: string | null
  durationSec: number | null
  size: string | null
  /** RFC 3339; null: never proven. */
  lastRestore: string | null
  /** How long the last drill took until the application was Ready; null: never measured. */
  restoreSec: number | null
  detail: string
  next: string | null
}

/** See `nextRun` in lib/tools/cron.ts. Milliseconds since 1970. */
export type NextRun = (schedule: string, after: number) => number | undefined

export interface StatusOptions {
  /** Of restore drills, by `namespace.name`. */
  drills?: Map<string, DrillRecord>
  now: number
  nextRun: NextRun
  /** How long after it was due a backup may still be on its way (ms); at least twice as long as the last one took. */
  graceMs: number
}

/** What is not well makes the exit code 3. */
export const isWell = ({ state }: BackupRow): boolean => ['ok', 'waiting', 'exempt'].includes(state)

export function backupRows(facts: BackupFacts, options: StatusOptions): BackupRow[] {
  const claims = facts.claims.filter((claim) => !isHelper(claim))
  const sourcesOf = Map.groupBy(facts.sources, (source) => claimOf(source))
  const copied = new Set(sourcesOf.keys())
  const volumes = facts.sources.map((source) =>
    sourceRow(
      source,
      facts.claims.find((claim) => placeOf(claim) === claimOf(source)),
      options,
    ),
  )
  const uncopied = claims.filter((claim) => !copied.has(placeOf(claim))).map((claim) => claimRow(claim, facts))
  const databases = facts.databases.map((database) => databaseRow(database, facts, options))
  return [...[...volumes, ...uncopied].toSorted(byPlace), ...databases.toSorted(byPlace)]
}

const byPlace = (left: BackupRow, right: BackupRow): number =>
  `${left.namespace}/${left.name}`.localeCompare(`${right.namespace}/${right.name}`)

/** `namespace/name` of the claim that a source copies. */
const claimOf = ({ metadata, spec }: KubeObject): string => `${metadata.namespace}/${String(spec?.sourcePVC ?? '')}`

/** VolSync's own caches and temporary volumes, and the instances of a database, whose backup is the database's. */
function isHelper({ metadata }: KubeObject): boolean {
  const labels = metadata.labels ?? {}
  return labels['app.kubernetes.io/created-by'] === 'volsync' || labels['cnpg.io/cluster'] !== undefined
}

const sizeOf = (claim: KubeObject | undefined): string | null => {
  const capacity = claim?.status?.capacity as { storage?: string } | undefined
  const requested = claim?.spec?.resources as { requests?: { storage?: string } } | undefined
  return capacity?.storage ?? requested?.requests?.storage ?? null
}

function claimRow(claim: KubeObject, facts: BackupFacts): BackupRow {
  const { namespace = '', name } = claim.metadata
  const exempt = exemption(claim, facts)
  return {
    kind: 'volume',
    namespace,
    name,
    state: exempt === undefined ? 'unprotected' : 'exempt',
    size: sizeOf(claim),
    lastSuccess: null,
    schedule: null,
    due: null,
    durationSec: null,
    lastRestore: null,
    restoreSec: null,
    detail: exempt ?? 'no ReplicationSource copies it',
    next:
      exempt === undefined
        ? `include the component volsync, or declare it: annotation ${backupKey}: none, with ${backupReasonKey}`
        : null,
  }
}

/** Why a claim need not be backed up: somebody declared it, or it lies on one node's disk, which only holds what can be lost (ADR 0026). */
function exemption(claim: KubeObject, { namespaces, volumes }: BackupFacts): string | undefined {
  const namespace = namespaces.find(({ metadata }) => metadata.name === claim.metadata.namespace)
  for (const { metadata } of [claim, ...(namespace ? [namespace] : [])]) {
    // Without a reason it is no declaration (validate says the same of what is in Git).
    const reason = metadata.annotations?.[backupReasonKey]
    if (metadata.annotations?.[backupKey] === 'none' && reason) return reason
  }
  const volume = volumes.find(({ metadata }) => metadata.name === claim.spec?.volumeName)
  if (volume?.spec?.local === undefined && volume?.spec?.hostPath === undefined) return undefined
  return 'on the disk of one node: what replicates itself or can be lost'
}

interface SyncStatus {
  lastSyncTime?: string
  lastSyncDuration?: string
  lastManualSync?: string
  latestMoverStatus?: { result?: string; logs?: string }
}

function sourceRow(source: KubeObject, claim: KubeObject | undefined, options: StatusOptions): BackupRow {
  const { namespace = '', name, creationTimestamp, annotations } = source.metadata
  const spec = (source.spec ?? {}) as { paused?: boolean; trigger?: { schedule?: string; manual?: string } }
  const { lastSyncTime, lastSyncDuration, lastManualSync, latestMoverStatus } = (source.status ?? {}) as SyncStatus
  const { schedule, manual } = spec.trigger ?? {}
  const drill = options.drills?.get(recordKey(placeOf(source)))
  const durationSec = goSeconds(lastSyncDuration)
  const timing = { lastSuccess: lastSyncTime, created: creationTimestamp, schedule, durationSec }
  const { due, late } = dueOf(timing, options)
  const facts = {
    kind: 'volume' as const,
    namespace,
    name: claim?.metadata.name ?? String(source.spec?.sourcePVC ?? name),
    lastSuccess: lastSyncTime ?? null,
    schedule: schedule ?? null,
    due,
    durationSec,
    size: sizeOf(claim),
    lastRestore: laterOf(annotations?.[restoreKeys.at], drill?.result === 'ok' ? drill.at : undefined),
    restoreSec: drill?.result === 'ok' ? drill.rtoSec : null,
  }
  const app = `${namespace}/${name}`
  const save = `k8sops volsync snapshot ${app}`
  const say = (state: BackupState, detail: string, next: string | null = null) => ({ ...facts, state, detail, next })
  if (!claim) return say('failed', `ReplicationSource ${app} copies a claim that is not there`, 'kubectl get pvc -A')
  if (spec.paused === true) return say('resting', 'paused (spec.paused)', save)
  if (latestMoverStatus?.result === 'Failed')
    return say('failed', `the mover failed: ${lastLine(latestMoverStatus.logs)}`, 'k8sops volsync list')
  if (drill?.result === 'failed' && timeOf(facts.lastRestore ?? undefined) < timeOf(drill.at))
    return say('failed', `the drill of ${drill.at} has not proven it: ${drill.detail}`, `k8sops backup verify ${app}`)
  if (manual !== undefined && manual === lastManualSync && schedule !== undefined)
    return say('resting', 'a manual trigger stands in the place of its schedule', save)
  if (due === null) return say('resting', schedule ? `its schedule is none: ${schedule}` : 'it has no schedule', save)
  if (late) return say('overdue', lateText(lastSyncTime, due, options.now), save)
  return lastSyncTime ? say('ok', '') : say('waiting', `the first one is due ${due}`)
}

function databaseRow(database: KubeObject, facts: BackupFacts, options: StatusOptions): BackupRow {
  const { namespace = '', name, creationTimestamp, annotations } = database.metadata
  const isOf = ({ metadata, spec }: KubeObject) =>
    metadata.namespace === namespace && (spec?.cluster as { name?: string } | undefined)?.name === name
  const drill = options.drills?.get(recordKey(placeOf(database)))
  const schedules = facts.schedules.filter(isOf)
  const active = schedules.find(({ spec }) => spec?.suspend !== true)
  const tried = facts.backups
    .filter(isOf)
    .map(({ status }) => (status ?? {}) as { phase?: string; startedAt?: string; stoppedAt?: string; error?: string })
    .toSorted((left, right) => timeOf(left.startedAt) - timeOf(right.startedAt))
  const last = tried.findLast(({ phase }) => phase === 'completed')
  const failed = tried.findLast(({ phase }) => phase === 'failed' || phase === 'walArchivingFailing')
  const schedule = active?.spec?.schedule as string | undefined
  const durationSec = last ? (timeOf(last.stoppedAt) - timeOf(last.startedAt)) / 1000 : null
  // The schedule asked when it began, and the next one is the first after that.
  const { due, late } = dueOf(
    { lastSuccess: last?.startedAt, created: creationTimestamp, schedule, durationSec },
    options,
  )
  const row = {
    kind: 'database' as const,
    namespace,
    name,
    lastSuccess: last?.stoppedAt ?? null,
    schedule: schedule ?? null,
    due,
    durationSec,
    size: (database.spec?.storage as { size?: string } | undefined)?.size ?? null,
    lastRestore: laterOf(annotations?.[restoreKeys.at], drill?.at),
    restoreSec: drill?.rtoSec ?? null,
  }
  const say = (state: BackupState, detail: string, next: string | null = null) => ({ ...row, state, detail, next })
  const look = `kubectl -n ${namespace} get backups.postgresql.cnpg.io,scheduledbackups.postgresql.cnpg.io`
  const save = `k8sops cnpg backup ${namespace}/${name}`
  const exempt = annotations?.[backupKey] === 'none' ? annotations[backupReasonKey] : undefined
  if (exempt !== undefined) return say('exempt', exempt)
  if (schedules.length === 0) return say('unprotected', 'no ScheduledBackup is of it', 'include the component cnpg')
  if (!active) return say('resting', 'its ScheduledBackup is suspended', save)
  if (failed && timeOf(failed.startedAt) > timeOf(last?.startedAt))
    return say('failed', `the last base backup failed: ${failed.error ?? 'no reason given'}`, look)
  if (due === null) return say('resting', `its schedule is none: ${schedule ?? ''}`, look)
  if (late) return say('overdue', lateText(last?.stoppedAt, due, options.now), save)
  return last ? say('ok', '') : say('waiting', `the first one is due ${due}`)
}

interface Timing {
  lastSuccess: string | undefined
  created: string | undefined
  schedule: string | undefined
  durationSec: number | null
}

/**
 * Due is when the schedule first asks after the last success (after it was made, when there is none); late what is not there a grace after
 * that. A backup that takes hours may be on its way for as long: twice its last duration.
 */
export function dueOf(
  { lastSuccess, created, schedule, durationSec }: Timing,
  { now, nextRun, graceMs }: StatusOptions,
): { due: string | null; late: boolean } {
  const since = timeOf(lastSuccess ?? created)
  const due = schedule === undefined ? undefined : nextRun(schedule, since)
  if (due === undefined) return { due: null, late: false }
  const grace = Math.max(graceMs, 2000 * (durationSec ?? 0))
  return { due: `${new Date(due).toISOString().slice(0, 19)}Z`, late: now > due + grace }
}

const lateText = (lastSuccess: string | undefined, due: string, now: number): string => {
  const hours = Math.floor((now - Date.parse(due)) / 3_600_000)
  return `${lastSuccess ? `the last one is of ${lastSuccess}` : 'there never was one'}, the next was due ${hours} h ago`
}

const laterOf = (left: string | undefined, right: string | undefined): string | null =>
  (timeOf(left) >= timeOf(right) ? left : right) ?? null

/** A time that is not there is one before all others. */
const timeOf = (iso: string | undefined): number => {
  const at = Date.parse(iso ?? '')
  return Number.isNaN(at) ? 0 : at
}

/** Go prints durations as `1h2m3.5s`, `850ms`; metav1.Duration does the same. */
export function goSeconds(text: string | undefined): number | null {
  if (text === undefined || !/^(\d+(\.\d+)?(h|ms|m|s))+$/.test(text)) return null
  const units: Record<string, number> = { h: 3600, m: 60, s: 1, ms: 0.001 }
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(h|ms|m|s)/g)]
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (units[unit] ?? 0), 0)
}

/** What a mover said last; VolSync keeps only the lines that matter of its log. */
export const lastLine = (logs: string | undefined): string =>
  (logs ?? '').trimEnd().split('\n').at(-1)?.trim() || 'it said nothing'

export const backupRowFields = (cluster: string, row: BackupRow): { [key: string]: Json } => ({ cluster, ...row })
