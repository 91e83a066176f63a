/**
 * The Clusters that a restore of PostgreSQL makes: one beside the database, which proves that its archive can be recovered, and the one that then
 * takes its place under its name. CloudNativePG recovers only into a new Cluster (1.30, docs/src/recovery.md). Pure.
 */
import { GateError } from '../errors.ts'
import { backupKey, backupReasonKey } from '../repo/backup-keys.ts'
import { drillRecords, recordKey } from '../tools/drill-record.args.ts'
import { reconcileKey } from '../tools/kubectl-hold.args.ts'
import { restoreKeys } from '../tools/kubectl-volsync.args.ts'
import type { KubeObject } from '../types.ts'
import { placeOf } from './backup-facts.ts'
import { cnpgRunbook } from './cnpg.ts'
import type { DrillRecord } from './drill-objects.ts'

export const barmanPlugin = 'barman-cloud.cloudnative-pg.io'

/** On the Cluster beside: what it was made from (JSON), so that whoever comes after a crash can make the one that takes its place. */
export const recoveryOfKey = 'k8sops.dev/recovery-of'

/** Which archive is read, until when, and which one is written from then on. */
export interface Recovery {
  /** Id of the restore. */
  token: string
  /** Directory of the archive in the ObjectStore that is read (the plugin's `serverName`). */
  from: string
  /** That of the new Cluster. Never the one that is read: two histories in one archive can't be told apart. */
  archive: string
  /** RFC 3339; to the end of the archive without it. */
  at?: string
}

interface Plugin {
  name: string
  isWALArchiver?: boolean
  parameters?: { barmanObjectName?: string; serverName?: string }
}

/** Name of the Cluster that is recovered beside a database. */
export const rehearsalName = (name: string): string => `${name}-restore`

/**
 * Where a database archives its WAL.
 * @throws GateError for one that is not archived by the plugin: there is nothing to recover from
 */
export function archiveOf(database: KubeObject): { store: string; serverName: string } {
  const plugins = (database.spec?.plugins ?? []) as Plugin[]
  const archiver = plugins.find(({ name, isWALArchiver }) => name === barmanPlugin && isWALArchiver === true)
  const store = archiver?.parameters?.barmanObjectName
  if (!store)
    throw new GateError(
      `${placeOf(database)} is not archived by ${barmanPlugin}: there is nothing to recover it from`,
      {
        next: `kubectl -n ${database.metadata.namespace} get clusters.postgresql.cnpg.io ${database.metadata.name} -o yaml`,
        runbook: cnpgRunbook,
      },
    )
  return { store, serverName: archiver.parameters?.serverName ?? database.metadata.name }
}

/** What a Cluster is, without what the API server and its operator have written on it. */
interface Original {
  labels: Record<string, string>
  annotations: Record<string, string>
  spec: { [key: string]: unknown }
}

/**
 * One instance beside the database. It archives nowhere, so whatever becomes of it, no archive is touched.
 * @param database as `kubectl get -o json` prints it
 * @throws Error when it is no Cluster of CloudNativePG
 */
export function rehearsalOf(database: KubeObject, recovery: Recovery): KubeObject {
  const original = originalOf(database)
  const { namespace = '', name } = database.metadata
  // What waits for standbys would wait for ever.
  const {
    plugins: _,
    minSyncReplicas: __,
    maxSyncReplicas: ___,
    ...spec
  } = recovered(database, original.spec, recovery)
  return {
    apiVersion: database.apiVersion,
    kind: 'Cluster',
    metadata: {
      name: rehearsalName(name),
      namespace,
      annotations: {
        [restoreKeys.by]: recovery.token,
        [recoveryOfKey]: JSON.stringify({ ...original, recovery }),
        [backupKey]: 'none',
        [backupReasonKey]: `recovered beside ${name}, and deleted when the restore ends`,
      },
    },
    spec: { ...spec, instances: 1 },
  }
}

/**
 * The Cluster that takes the place of the one that is gone. Flux leaves it alone until Git names its archive: what Git has would let it write into
 * the one that it was recovered from.
 * @param rehearsal as `kubectl get -o json` prints it
 * @throws Error when it is not what `rehearsalOf` has made
 */
export function successorOf(rehearsal: KubeObject, name: string): KubeObject {
  const { labels, annotations, spec, recovery } = noteOf(rehearsal)
  const { namespace = '' } = rehearsal.metadata
  return {
    apiVersion: rehearsal.apiVersion,
    kind: 'Cluster',
    metadata: {
      name,
      namespace,
      labels,
      annotations: { ...annotations, [restoreKeys.by]: recovery.token, [reconcileKey]: 'disabled' },
    },
    spec: recovered({ ...rehearsal, metadata: { name, namespace }, spec }, spec, recovery),
  }
}

/**
 * The Cluster that a database begins as in a new cluster: recovered, under its own name, and before Flux could make an empty one. As after any
 * recovery, Flux leaves it alone until Git names its archive.
 * @param declared as Git has it
 * @throws Error when it is no Cluster of CloudNativePG
 */
export const beginningOf = (declared: KubeObject, recovery: Recovery): KubeObject =>
  successorOf(rehearsalOf(declared, recovery), declared.metadata.name)

/** What stands on a Cluster that a restore has made beside a database. */
export function recoveryOf(rehearsal: KubeObject): Recovery {
  return noteOf(rehearsal).recovery
}

function noteOf({ metadata }: KubeObject): Original & { recovery: Recovery } {
  const text = metadata?.annotations?.[recoveryOfKey]
  if (text === undefined)
    throw new Error(`Cluster ${metadata?.name} was not made by a restore: it has no ${recoveryOfKey}`)
  return JSON.parse(text) as Original & { recovery: Recovery }
}

const own = /^(kubectl\.kubernetes\.io\/last-applied|k8sops\.dev\/|cnpg\.io\/|lab\.k8sops\.dev\/)/

function originalOf({ kind, apiVersion, metadata, spec }: KubeObject): Original {
  if (kind !== 'Cluster' || !apiVersion.startsWith('postgresql.cnpg.io/') || !spec)
    throw new Error(`not a Cluster of CloudNativePG: ${kind} ${metadata?.name}`)
  const annotations = Object.entries(metadata.annotations ?? {}).filter(
    ([key]) => !own.test(key) && key !== reconcileKey,
  )
  return { labels: metadata.labels ?? {}, annotations: Object.fromEntries(annotations), spec }
}

/** One way to begin is allowed, and the operator has written `initdb` where nothing stood. */
function recovered(database: KubeObject, spec: Original['spec'], { from, archive, at }: Recovery): Original['spec'] {
  const { store } = archiveOf({ ...database, spec })
  const plugins = (spec.plugins as Plugin[]).map((plugin) =>
    plugin.name === barmanPlugin ? { ...plugin, parameters: { ...plugin.parameters, serverName: archive } } : plugin,
  )
  const others = ((spec.externalClusters ?? []) as { name: string }[]).filter(({ name }) => name !== source)
  return {
    ...spec,
    plugins,
    bootstrap: { recovery: { source, ...(at === undefined ? {} : { recoveryTarget: { targetTime: at } }) } },
    externalClusters: [
      ...others,
      { name: source, plugin: { name: barmanPlugin, parameters: { barmanObjectName: store, serverName: from } } },
    ],
  }
}

/** What the archive is called in the new Cluster. */
const source = 'archive'

interface RecoveryWindow {
  firstRecoverabilityPoint?: string
  lastSuccessfulBackupTime?: string
}

/**
 * Why that archive can't be recovered to that time, as far as the plugin knows (its ObjectStore's `status.serverRecoveryWindow`); undefined when
 * nothing speaks against it.
 */
export function unrecoverable(store: KubeObject | undefined, from: string, at: string | undefined): string | undefined {
  const windows = (store?.status?.serverRecoveryWindow ?? {}) as Record<string, RecoveryWindow>
  const { firstRecoverabilityPoint: first, lastSuccessfulBackupTime: last } = windows[from] ?? {}
  if (!store) return 'its ObjectStore is not there'
  if (!first || !last) return `ObjectStore ${placeOf(store)} knows of no base backup of server ${from}`
  if (at !== undefined && Date.parse(at) < Date.parse(first))
    return `the oldest state that can be recovered is that of ${first}`
  return undefined
}

/** Of a restore that began at that time: `postgres-20261130t110000z`. */
export const archiveName = (database: string, at: Date): string =>
  `${database}-${at
    .toISOString()
    .replace(/[-:]|\.\d+/g, '')
    .toLowerCase()}`

/**
 * What a recovery has taken, as an object with one key beside the results of restore drills.
 * @param clusters the List with the Cluster beside the database, and the one that has taken its place
 * @param at when the restore began (RFC 3339)
 * @throws Error when one of them is not there, or not Ready yet
 */
export function recoveryRecord(clusters: { items: KubeObject[] }, name: string, at: string): object {
  const taken = (wanted: string): number => {
    const found = clusters.items.find(({ metadata }) => metadata.name === wanted)
    const conditions = (found?.status?.conditions ?? []) as {
      type: string
      status: string
      lastTransitionTime?: string
    }[]
    const ready = conditions.find(({ type, status }) => type === 'Ready' && status === 'True')?.lastTransitionTime
    if (!found || !ready) throw new Error(`Cluster ${wanted} is not Ready`)
    return Math.max(0, Math.round((Date.parse(ready) - Date.parse(found.metadata.creationTimestamp ?? '')) / 1000))
  }
  const beside = rehearsalName(name)
  const restoreSec = taken(beside)
  const rehearsal = clusters.items.find(({ metadata }) => metadata.name === beside) as KubeObject
  const { token, from, at: until } = recoveryOf(rehearsal)
  const record: DrillRecord = {
    token,
    at,
    result: 'ok',
    detail: `recovered from ${from} to ${until ?? 'its end'}`,
    snapshot: null,
    bytes: null,
    restoreSec,
    readySec: null,
    rtoSec: taken(name),
  }
  const app = `${rehearsal.metadata.namespace}/${name}`
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...drillRecords },
    data: { [recordKey(app)]: JSON.stringify(record) },
  }
}
