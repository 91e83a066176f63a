/** Which backups a drill proves, and what with. Pure. */
import { GateError, UsageError } from '../errors.ts'
import { bytesOf } from '../repo/fields.ts'
import { drillKeys, recordKey } from '../tools/drill-record.args.ts'
import { restoreKeys, type Workload } from '../tools/kubectl-volsync.args.ts'
import type { KubeObject } from '../types.ts'
import { placeOf } from './backup-facts.ts'
import { backupRunbook } from './backup-status.ts'
import type { DrillOf } from './drill.ts'
import type { DrillRecord } from './drill-objects.ts'
import { chosenSource, sourceView, usesClaim, workloadView } from './volsync-view.ts'

/** On a ReplicationSource: a command for a shell, where the application alone can't become Ready (it needs its database); `readiness` is none. */
export const drillCheckKey = 'k8sops.dev/drill-check'

export interface DrillFacts {
  sources: KubeObject[]
  claims: KubeObject[]
  workloads: KubeObject[]
  records: Map<string, DrillRecord>
}

/** When a backup was proven last (ms): by a drill, or by a restore in place whose application was Ready. 0: never. */
export function provenAt(source: KubeObject, records: Map<string, DrillRecord>): number {
  const drill = records.get(recordKey(placeOf(source)))
  const times = [source.metadata.annotations?.[restoreKeys.at], drill?.result === 'ok' ? drill.at : undefined]
  return Math.max(0, ...times.map((time) => Date.parse(time ?? '') || 0))
}

export interface Chosen {
  drills: DrillOf[]
  /** Of all that were to choose from, what can't be proven by a drill, one line each. */
  unprovable: string[]
}

/**
 * One by name, or so many whose proof is oldest; those that were never saved have nothing to prove, and those that can't be proven must not keep others
 * from being tried, week after week.
 * @throws UsageError for a name and a number, or neither; GateError for one by name that can't be proven
 */
export function chosenDrills(facts: DrillFacts, app: string | undefined, stalest: number | undefined): Chosen {
  if ((app === undefined) === (stalest === undefined))
    throw new UsageError('which backup? Name one, or --stalest N', { next: 'k8sops backup status' })
  if (app !== undefined) {
    const source = chosenSource(facts.sources, app)
    const drill = drillOf(source, facts)
    if (typeof drill !== 'string') return { drills: [drill], unprovable: [] }
    throw new GateError(`the backup of ${placeOf(source)} can't be proven: ${drill}`, {
      next: `k8sops volsync restore ${placeOf(source)} --to NAMESPACE, and look at it by hand`,
      runbook: backupRunbook,
    })
  }
  const tried = facts.sources
    .filter(({ status }) => status?.lastSyncTime !== undefined)
    .toSorted(
      (left, right) =>
        provenAt(left, facts.records) - provenAt(right, facts.records) || placeOf(left).localeCompare(placeOf(right)),
    )
    .map((source) => ({ source, drill: drillOf(source, facts) }))
  return {
    drills: tried.flatMap(({ drill }) => (typeof drill === 'string' ? [] : [drill])).slice(0, stalest),
    unprovable: tried.flatMap(({ source, drill }) =>
      typeof drill === 'string' ? [`${placeOf(source)}: ${drill}`] : [],
    ),
  }
}

/** @returns why not, for one that a drill can't prove */
function drillOf(source: KubeObject, { claims, workloads }: DrillFacts): DrillOf | string {
  const view = sourceView(source)
  const inSame = (one: KubeObject) => one.metadata.namespace === view.namespace
  const claim = claims.find((one) => inSame(one) && one.metadata.name === view.claim)
  const user = workloads.find((one) => inSame(one) && usesClaim(one, view.claim))
  const size = (claim?.status?.capacity as { storage?: string } | undefined)?.storage
  if (!user) return 'no workload mounts its claim'
  if (!size) return 'its claim is not bound'
  const declared = source.metadata.annotations?.[drillCheckKey]
  const check = declared === 'readiness' ? undefined : declared
  const newest = newestOf(view.lastLogs)
  return {
    source: view,
    workload: workloadView(user.kind as Workload['kind'], user),
    size,
    ...(check ? { check } : {}),
    ...(newest ? { newest } : {}),
  }
}

const units: Record<string, number> = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 }

/** What restic says of a snapshot when it is taken (0.18: `processed 12 files, 1.205 GiB in 0:04`, `snapshot 3f9c1a2b saved`). */
export function newestOf(logs: string | undefined): { snapshot: string; bytes: number } | undefined {
  const [, snapshot] = /^snapshot ([0-9a-f]{8}) saved$/m.exec(logs ?? '') ?? []
  const [, count, unit = ''] = /^processed \d+ files, ([\d.]+) ([KMGT]?i?B) in /m.exec(logs ?? '') ?? []
  const factor = units[unit]
  return snapshot && count && factor ? { snapshot, bytes: Math.round(Number(count) * factor) } : undefined
}

/** Namespaces that drills have left. */
export const strayDrills = (namespaces: KubeObject[]): string[] =>
  namespaces
    .filter(({ metadata }) => metadata.labels?.[drillKeys.label] === 'true')
    .map(({ metadata }) => metadata.name)

/**
 * How long a restore of that backup takes, as its last drill has measured it; in proportion where the volume is now larger than what was restored then.
 * @param size of the claim, `20Gi`
 * @param otherwise where it was never measured: seconds for so many bytes
 */
export function measuredSeconds(
  record: DrillRecord | undefined,
  size: string | undefined,
  otherwise: (bytes: number) => number,
): number | undefined {
  if (record?.result === 'ok' && record.restoreSec !== null) return Math.max(1, record.restoreSec)
  const bytes = bytesOf(size)
  return bytes === undefined ? undefined : otherwise(bytes)
}
