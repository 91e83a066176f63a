/** `cnpg status` and `cnpg backup`: PostgreSQL of a cluster as CloudNativePG sees it, and a base backup now. Pure. */
import { GateError, UsageError } from '../errors.ts'
import { backupNowArgs } from '../tools/filters.args.ts'
import { getScheduleArgs } from '../tools/kubectl-cnpg.args.ts'
import { reconcileKey } from '../tools/kubectl-hold.args.ts'
import { applyInArgs, restoreKeys } from '../tools/kubectl-volsync.args.ts'
import type { Basis, Json, KubeObject, Plan } from '../types.ts'
import { placeOf } from './backup-facts.ts'
import type { BackupRow } from './backup-status.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldPlace } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'

export const cnpgRunbook = 'docs/runbooks/postgres.md'

interface ClusterStatus {
  phase?: string
  instances?: number
  readyInstances?: number
  currentPrimary?: string
  targetPrimary?: string
  conditions?: { type: string; status: string; message?: string }[]
}

/** A row of `cnpg status`. @param backup of the same database */
export function databaseRow(
  cluster: string,
  database: KubeObject,
  backup: BackupRow | undefined,
): { [key: string]: Json } {
  const {
    phase,
    readyInstances = 0,
    currentPrimary,
    targetPrimary,
    conditions = [],
  } = (database.status ?? {}) as ClusterStatus
  const wanted = Number(database.spec?.instances ?? 1)
  const archiving = conditions.find(({ type }) => type === 'ContinuousArchiving')
  const problems = [
    ...(readyInstances < wanted ? [`${readyInstances} of ${wanted} instances are ready`] : []),
    ...(currentPrimary === undefined ? ['it has no primary'] : []),
    ...(currentPrimary !== targetPrimary ? [`it switches over to ${targetPrimary ?? 'another instance'}`] : []),
    ...(phase === 'Cluster in healthy state' ? [] : [phase ?? 'it says nothing of itself']),
    ...(isLeftAlone(database) ? ['Flux leaves it alone until Git names its archive (cnpg restore --settle)'] : []),
    ...(archiving?.status === 'False' ? [`WAL is not archived: ${archiving.message ?? 'no reason given'}`] : []),
  ]
  return {
    cluster,
    namespace: database.metadata.namespace ?? '',
    name: database.metadata.name,
    state: problems.length === 0 ? 'ok' : 'fail',
    instances: `${readyInstances}/${wanted}`,
    primary: currentPrimary ?? null,
    archiving: archiving ? archiving.status === 'True' : null,
    backup: backup?.state ?? null,
    lastBackup: backup?.lastSuccess ?? null,
    problems,
  }
}

/** A restore has made it, and Git has not caught up. */
const isLeftAlone = ({ metadata: { annotations = {} } }: KubeObject): boolean =>
  annotations[restoreKeys.by] !== undefined && annotations[reconcileKey] === 'disabled'

/** @throws UsageError for names that fit none, or several */
export function chosenCluster(databases: KubeObject[], name: string): KubeObject {
  const [database, ...others] = databases.filter((one) => one.metadata.name === name || placeOf(one) === name)
  if (!database)
    throw new UsageError(`the cluster has no PostgreSQL ${name}`, {
      next: `there are: ${databases.map(placeOf).join(', ')}`,
    })
  if (others.length > 0) throw new UsageError(`${name} is ambiguous`, { next: 'give it as NAMESPACE/NAME' })
  return database
}

/**
 * The database of that name, and the schedule that says how it is backed up.
 * @throws UsageError as chosenCluster does; GateError where there is no schedule to take the method from
 */
export function chosenDatabase(
  databases: KubeObject[],
  schedules: KubeObject[],
  name: string,
): { database: KubeObject; schedule: KubeObject } {
  const database = chosenCluster(databases, name)
  const schedule = schedules.find(
    ({ metadata, spec }) =>
      metadata.namespace === database.metadata.namespace &&
      (spec?.cluster as { name?: string } | undefined)?.name === database.metadata.name,
  )
  if (schedule) return { database, schedule }
  throw new GateError(`${placeOf(database)} has no ScheduledBackup, which says how it is backed up`, {
    next: 'include the component cnpg',
    runbook: cnpgRunbook,
  })
}

export interface BackupInput extends HoldPlace {
  database: { namespace: string; name: string }
  /** Name of its ScheduledBackup. */
  schedule: string
  /** Name of the Backup. */
  name: string
  limitSec: number
}

export function planBackup({ cluster, target, database, schedule, name, limitSec }: BackupInput, basis: Basis): Plan {
  const { namespace } = database
  const done = [check('cnpg-backed-up', { namespace, name })]
  const params = { database: `${namespace}/${database.name}`, backup: name }
  const head = { operation: 'cnpg.backup', cluster: cluster.name, params, scope: `database/${database.name}` }
  return planOf(head, basis, [
    {
      id: `${namespace}.${database.name}/backup`,
      title: `Make a base backup of ${namespace}/${database.name}`,
      unless: done,
      action: {
        kind: 'exec',
        pipeline: [
          getScheduleArgs(target.context, namespace, schedule),
          backupNowArgs(name),
          applyInArgs(target.context, namespace),
        ],
        retry: whileApiIsAway(cluster.endpoint),
      },
      verify: done,
      interrupt: 'now',
      timeoutSec: limitSec,
      runbook: cnpgRunbook,
    },
  ])
}

/**
 * The Backup that a schedule would make.
 * @throws Error when it is no ScheduledBackup
 */
export function backupOf(schedule: KubeObject, name: string): KubeObject {
  const { kind, apiVersion, metadata, spec = {} } = schedule
  if (kind !== 'ScheduledBackup') throw new Error(`not a ScheduledBackup: ${kind} ${metadata?.name}`)
  const taken = ['cluster', 'method', 'pluginConfiguration', 'target', 'online', 'onlineConfiguration']
  const entries = taken.filter((key) => spec[key] !== undefined).map((key) => [key, spec[key]])
  return {
    apiVersion,
    kind: 'Backup',
    metadata: { name, namespace: metadata.namespace ?? '' },
    spec: Object.fromEntries(entries) as { [key: string]: unknown },
  }
}
