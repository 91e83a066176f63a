/** What of a cluster is not in Git, and comes back from its backups: databases and volumes, as Git declares them. Pure. */
import { bytesOf } from '../repo/fields.ts'
import { type FluxKustomization, nameOf } from '../repo/flux.ts'
import type { RenderedKustomization } from '../repo/render.ts'
import type { Place } from '../tools/kubectl-volsync.args.ts'
import type { KubeObject } from '../types.ts'
import { archiveOf, barmanPlugin } from './cnpg-recovery.ts'

export interface DeclaredDatabase extends Place {
  /** Flux Kustomization that brings it, `namespace/name`. */
  kustomization: string
  /** `serverName` of the archive that Git names; null for one that is archived nowhere. */
  archive: string | null
  /** Name of its ScheduledBackup, which says how base backups are made. */
  schedule: string | null
  /** Of each instance's volume: what it may hold at most. */
  bytes: number
}

/** A volume that is filled by a ReplicationDestination when it is made. */
export interface DeclaredVolume extends Place {
  kustomization: string
  /** Name of the ReplicationDestination. */
  destination: string
  /** Its manual trigger. */
  trigger: string
  bytes: number
}

export interface Contents {
  /** All of them, those that others depend on first. */
  kustomizations: string[]
  databases: DeclaredDatabase[]
  volumes: DeclaredVolume[]
  /** The Kustomizations that bring the databases' namespaces. */
  namespaceOwners: string[]
  /** Names of all Namespaces that those bring. */
  namespaces: string[]
  /** Where backups are, as ObjectStores name it. */
  endpoints: string[]
}

/** Databases and volumes in the order in which Flux makes what uses them. */
export function contentsOf(rendered: RenderedKustomization[]): Contents {
  const inOrder = byDependency(rendered)
  const objects = inOrder.flatMap(({ kustomization, manifests }) =>
    manifests
      .filter(({ kind }) => kinds.has(kind))
      .map((one) => ({ kustomization: nameOf(kustomization), object: one.object() })),
  )
  const of = (kind: string, group: string) =>
    objects.filter(({ object }) => object.kind === kind && object.apiVersion.startsWith(group))
  const schedules = of('ScheduledBackup', 'postgresql.cnpg.io/').map(({ object }) => object)
  const databases = of('Cluster', 'postgresql.cnpg.io/').map(({ object, kustomization }) =>
    databaseOf(object, kustomization, schedules),
  )
  const destinations = of('ReplicationDestination', 'volsync.backube/').map(({ object }) => object)
  const volumes = of('PersistentVolumeClaim', 'v1').flatMap(({ object, kustomization }) =>
    volumeOf(object, kustomization, destinations),
  )
  const homes = new Set(databases.map(({ namespace }) => namespace))
  const namespaces = of('Namespace', 'v1')
  const namespaceOwners = [
    ...new Set(namespaces.filter(({ object }) => homes.has(object.metadata.name)).map((one) => one.kustomization)),
  ]
  const endpoints = of('ObjectStore', 'barmancloud.cnpg.io/').flatMap(({ object }) => {
    const { endpointURL } = (object.spec?.configuration ?? {}) as { endpointURL?: string }
    return endpointURL === undefined ? [] : [endpointURL]
  })
  return {
    databases,
    volumes,
    namespaceOwners,
    endpoints: [...new Set(endpoints)],
    kustomizations: inOrder.map(({ kustomization }) => nameOf(kustomization)),
    namespaces: namespaces
      .filter(({ kustomization }) => namespaceOwners.includes(kustomization))
      .map(({ object }) => object.metadata.name),
  }
}

const kinds = new Set([
  'Cluster',
  'ScheduledBackup',
  'ObjectStore',
  'ReplicationDestination',
  'PersistentVolumeClaim',
  'Namespace',
])

function byDependency(rendered: RenderedKustomization[]): RenderedKustomization[] {
  const byName = new Map(rendered.map(({ kustomization }) => [nameOf(kustomization), kustomization]))
  const depths = new Map<string, number>()
  const depthOf = (one: FluxKustomization): number => {
    const name = nameOf(one)
    const known = depths.get(name)
    if (known !== undefined) return known
    // Of a cycle, which validate finds, nobody waits for the other here.
    depths.set(name, 0)
    const below = one.dependsOn.flatMap((other) => byName.get(other) ?? [])
    const depth = Math.max(-1, ...below.map(depthOf)) + 1
    depths.set(name, depth)
    return depth
  }
  return rendered.toSorted(
    (left, right) =>
      depthOf(left.kustomization) - depthOf(right.kustomization) ||
      nameOf(left.kustomization).localeCompare(nameOf(right.kustomization)),
  )
}

function databaseOf(database: KubeObject, kustomization: string, schedules: KubeObject[]): DeclaredDatabase {
  const { namespace = '', name } = database.metadata
  const plugins = (database.spec?.plugins ?? []) as { name: string; isWALArchiver?: boolean }[]
  const isArchived = plugins.some((plugin) => plugin.name === barmanPlugin && plugin.isWALArchiver === true)
  const schedule = schedules.find(
    ({ metadata, spec }) =>
      metadata.namespace === namespace && (spec?.cluster as { name?: string } | undefined)?.name === name,
  )
  return {
    namespace,
    name,
    kustomization,
    archive: isArchived ? archiveOf(database).serverName : null,
    schedule: schedule?.metadata.name ?? null,
    bytes: bytesOf((database.spec?.storage as { size?: string } | undefined)?.size) ?? 0,
  }
}

function volumeOf(claim: KubeObject, kustomization: string, destinations: KubeObject[]): DeclaredVolume[] {
  const { namespace = '', name } = claim.metadata
  const from = claim.spec?.dataSourceRef as { kind?: string; name?: string } | undefined
  const destination = destinations.find(
    ({ metadata }) =>
      from?.kind === 'ReplicationDestination' && metadata.namespace === namespace && metadata.name === from.name,
  )
  const { manual } = (destination?.spec?.trigger ?? {}) as { manual?: string }
  if (!destination || manual === undefined) return []
  const { requests } = (claim.spec?.resources ?? {}) as { requests?: { storage?: string } }
  const bytes = bytesOf(requests?.storage) ?? 0
  return [{ namespace, name, kustomization, destination: destination.metadata.name, trigger: manual, bytes }]
}
