/**
 * What the barman-cloud plugin would find in its buckets: which archives have base backups, and whether a new Cluster may recover from one and write
 * into another. No data: a Cluster says in an annotation what it would hold.
 */
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { now } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'
import { ownerReference, readObject } from './operator.ts'

/** On a Cluster: `new`, or which archive it was recovered from and until when. */
export const databaseContentKey = 'lab.k8sops.dev/content'

const storeVersion = 'barmancloud.cnpg.io/v1'

interface Plugin {
  isWALArchiver?: boolean
  parameters?: { barmanObjectName?: string; serverName?: string }
}

interface Archive {
  store: string
  serverName: string
}

interface Spec {
  plugins?: Plugin[]
  bootstrap?: { recovery?: { source?: string; recoveryTarget?: { targetTime?: string } } }
  externalClusters?: { name: string; plugin?: Plugin }[]
}

interface Window {
  firstRecoverabilityPoint: string
  lastSuccessfulBackupTime: string
}

export interface Archives {
  /** A base backup of the Cluster is complete: its ObjectStore says so, as the plugin's does (0.13, `status.serverRecoveryWindow`). */
  saved(cluster: KubeObject, startedAt: string): Promise<void>
  /**
   * What its first instance would hold.
   * @returns what its recovery or its first archiving would say when it fails
   */
  first(cluster: KubeObject): Promise<{ content: string } | { failure: string }>
}

export function createArchives(lab: Lab, view: ClusterView): Archives {
  const storeOf = ({ metadata }: KubeObject, name: string) =>
    readObject(view, { apiVersion: storeVersion, kind: 'ObjectStore', namespace: metadata.namespace ?? '', name })

  const windowOf = async (cluster: KubeObject, { store, serverName }: Archive): Promise<Window | undefined> => {
    const object = await storeOf(cluster, store)
    const windows = object?.status?.serverRecoveryWindow as Record<string, Window> | undefined
    return (
      windows?.[serverName] ?? (lab.faults.active('earlier-backups') && isEarlier(serverName) ? earlier() : undefined)
    )
  }

  return {
    async saved(cluster, startedAt) {
      const archive = writtenBy(cluster)
      const store = archive && (await storeOf(cluster, archive.store))
      if (!store) return
      const known = await windowOf(cluster, archive)
      const window = {
        firstRecoverabilityPoint: known?.firstRecoverabilityPoint ?? startedAt,
        lastSuccessfulBackupTime: now(),
      }
      await view.writer().patchStatus(store, { serverRecoveryWindow: { [archive.serverName]: window } })
    },

    async first(cluster) {
      const spec = cluster.spec as Spec
      const written = writtenBy(cluster)
      // The plugin's check of a new Cluster's archive (0.13, barman-cloud-check-wal-archive).
      if (written && (await windowOf(cluster, written)))
        return {
          failure: `unexpected failure: WAL archive check failed for server ${written.serverName}: Expected empty archive`,
        }
      const source = spec.bootstrap?.recovery?.source
      if (source === undefined) return { content: 'new' }
      const plugin = spec.externalClusters?.find(({ name }) => name === source)?.plugin
      const read = plugin && archiveOf(plugin, source)
      const window = read && (await windowOf(cluster, read))
      const at = spec.bootstrap?.recovery?.recoveryTarget?.targetTime
      const lost = lab.faults.active('archive-lost')
      if (
        !read ||
        !window ||
        lost ||
        (at !== undefined && Date.parse(at) < Date.parse(window.firstRecoverabilityPoint))
      )
        return { failure: lost?.params?.message ?? 'no target backup found' }
      return { content: `${read.serverName} until ${at ?? 'its end'}` }
    },
  }
}

/** An archive that a restore has begun is of this cluster's time. */
const isEarlier = (serverName: string): boolean => !/-\d{8}t\d{6}z$/.test(serverName)

const hours = 3_600_000
/** Of a cluster that was there until an hour ago. */
const earlier = (): Window => ({
  firstRecoverabilityPoint: new Date(Date.now() - 30 * 24 * hours).toISOString(),
  lastSuccessfulBackupTime: new Date(Date.now() - hours).toISOString(),
})

function writtenBy({ metadata, spec }: KubeObject): Archive | undefined {
  const plugin = (spec as Spec).plugins?.find(({ isWALArchiver }) => isWALArchiver === true)
  return plugin && archiveOf(plugin, metadata.name)
}

function archiveOf({ parameters = {} }: Plugin, cluster: string): Archive | undefined {
  const { barmanObjectName, serverName = cluster } = parameters
  return barmanObjectName === undefined ? undefined : { store: barmanObjectName, serverName }
}

/** The pod of a recovery Job that has failed, with its labels (cloudnative-pg 1.30, pkg/specs/jobs.go). */
export function failedRecovery(cluster: KubeObject): Manifest {
  const { name, namespace = '' } = cluster.metadata
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: `${name}-1-full-recovery`,
      namespace,
      labels: { 'cnpg.io/cluster': name, 'cnpg.io/instanceName': `${name}-1`, 'cnpg.io/jobRole': 'full-recovery' },
      ownerReferences: [ownerReference(cluster as unknown as Manifest)],
    },
    spec: {
      restartPolicy: 'Never',
      // Never scheduled: nothing would run in it, and its end is written by whoever makes it.
      schedulerName: 'none',
      securityContext: { runAsNonRoot: true, runAsUser: 26, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'full-recovery',
          image: String((cluster.spec as { imageName?: string }).imageName ?? 'ghcr.io/cloudnative-pg/postgresql'),
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
        },
      ],
    },
  }
}

export const failedStatus = (message: string) => ({
  phase: 'Failed',
  containerStatuses: [
    {
      name: 'full-recovery',
      image: '',
      imageID: '',
      ready: false,
      restartCount: 0,
      state: { terminated: { exitCode: 1, reason: 'Error', message } },
    },
  ],
})
