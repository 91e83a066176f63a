/** What backups are made of, as the cluster shows it: claims, what VolSync copies of them, databases and their base backups. */
import { UnreachableError } from '../errors.ts'
import type { KubeObject, KubePort, ObjectRef, Result } from '../types.ts'

export const volsyncVersion = 'volsync.backube/v1alpha1'
const cnpgVersion = 'postgresql.cnpg.io/v1'

export const backupKinds = {
  claims: { apiVersion: 'v1', kind: 'PersistentVolumeClaim' },
  volumes: { apiVersion: 'v1', kind: 'PersistentVolume' },
  namespaces: { apiVersion: 'v1', kind: 'Namespace' },
  sources: { apiVersion: volsyncVersion, kind: 'ReplicationSource' },
  destinations: { apiVersion: volsyncVersion, kind: 'ReplicationDestination' },
  databases: { apiVersion: cnpgVersion, kind: 'Cluster' },
  schedules: { apiVersion: cnpgVersion, kind: 'ScheduledBackup' },
  backups: { apiVersion: cnpgVersion, kind: 'Backup' },
} as const satisfies Record<string, ObjectRef>

export type BackupKind = keyof typeof backupKinds
export type BackupFacts = Record<BackupKind, KubeObject[]>

/**
 * All of it, side by side. A kind that is not served has no objects.
 * @param names what is read; all kinds without it
 * @throws UnreachableError when the cluster does not tell: a backup that is not seen is not one that is missing
 */
export async function readBackups(
  kube: KubePort,
  cluster: string,
  signal: AbortSignal,
  names = Object.keys(backupKinds) as BackupKind[],
): Promise<BackupFacts> {
  const read = await Promise.all(
    (Object.keys(backupKinds) as BackupKind[]).map(async (name) => {
      if (!names.includes(name)) return [name, []] as const
      return [name, objectsOf(await kube.list(backupKinds[name], signal), cluster)] as const
    }),
  )
  return Object.fromEntries(read) as unknown as BackupFacts
}

export function objectsOf(listed: Result<KubeObject[]>, cluster: string): KubeObject[] {
  if (listed.ok) return listed.value
  if (listed.why === 'not-found') return []
  throw new UnreachableError(`the backups of ${cluster} can't be read`, {
    output: listed.detail,
    next: `k8sops doctor --cluster ${cluster}`,
  })
}

export const placeOf = ({ metadata }: Pick<KubeObject, 'metadata'>): string => `${metadata.namespace}/${metadata.name}`
