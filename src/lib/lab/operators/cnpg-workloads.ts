/** The pods, claims and budgets that CloudNativePG keeps for a Cluster (cloudnative-pg v1.28, pkg/specs). */
import type { KubeObject } from '../../types.ts'
import type { Manifest } from '../kube/writer.ts'
import { ownerReference } from './operator.ts'

export interface ClusterSpec {
  instances: number
  imageName?: string
  enablePDB?: boolean
  nodeMaintenanceWindow?: { inProgress?: boolean }
  affinity?: { enablePodAntiAffinity?: boolean; topologyKey?: string; podAntiAffinityType?: string }
  storage?: { size?: string; storageClass?: string }
  resources?: object
}

export type Role = 'primary' | 'replica'

const labelsOf = (cluster: string, name: string) => ({
  'cnpg.io/cluster': cluster,
  'cnpg.io/instanceName': name,
  'cnpg.io/podRole': 'instance',
})

/** Both labels: the second one is deprecated and still written. */
export const roleLabels = (role: Role) => ({ 'cnpg.io/instanceRole': role, role })

export function instanceClaim(cluster: KubeObject, name: string): Manifest {
  const { storage = {} } = cluster.spec as unknown as ClusterSpec
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name,
      namespace: cluster.metadata.namespace ?? '',
      labels: { ...labelsOf(cluster.metadata.name, name), 'cnpg.io/pvcRole': 'PG_DATA' },
      ownerReferences: [ownerReference(cluster as unknown as Manifest)],
    },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(storage.storageClass === undefined ? {} : { storageClassName: storage.storageClass }),
      resources: { requests: { storage: storage.size ?? '1Gi' } },
    },
  }
}

export function instancePod(cluster: KubeObject, name: string, role: Role): Manifest {
  const { affinity = {}, imageName, resources = {} } = cluster.spec as unknown as ClusterSpec
  const term = {
    labelSelector: { matchLabels: { 'cnpg.io/cluster': cluster.metadata.name, 'cnpg.io/podRole': 'instance' } },
    topologyKey: affinity.topologyKey ?? 'kubernetes.io/hostname',
  }
  const podAntiAffinity =
    affinity.podAntiAffinityType === 'required'
      ? { requiredDuringSchedulingIgnoredDuringExecution: [term] }
      : { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: term }] }
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: cluster.metadata.namespace ?? '',
      labels: { ...labelsOf(cluster.metadata.name, name), ...roleLabels(role) },
      ownerReferences: [ownerReference(cluster as unknown as Manifest)],
    },
    spec: {
      ...(affinity.enablePodAntiAffinity === false ? {} : { affinity: { podAntiAffinity } }),
      // What Pod Security `restricted` asks for, as the real one has it.
      securityContext: { runAsNonRoot: true, runAsUser: 26, fsGroup: 26, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'postgres',
          image: imageName ?? 'ghcr.io/cloudnative-pg/postgresql',
          resources,
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
          volumeMounts: [{ name: 'pgdata', mountPath: '/var/lib/postgresql/data' }],
        },
      ],
      volumes: [{ name: 'pgdata', persistentVolumeClaim: { claimName: name } }],
    },
  }
}

/** One budget that never lets the primary go, one that keeps all but one replica (specs/poddisruptionbudget.go). */
export function instanceBudgets(cluster: KubeObject): Manifest[] {
  const { instances, enablePDB = true, nodeMaintenanceWindow } = cluster.spec as unknown as ClusterSpec
  if (!enablePDB || nodeMaintenanceWindow?.inProgress) return []
  const budget = (name: string, role: Role, minAvailable: number): Manifest => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: {
      name,
      namespace: cluster.metadata.namespace ?? '',
      ownerReferences: [ownerReference(cluster as unknown as Manifest)],
    },
    spec: {
      minAvailable,
      selector: { matchLabels: { 'cnpg.io/cluster': cluster.metadata.name, 'cnpg.io/instanceRole': role } },
    },
  })
  const { name } = cluster.metadata
  return [budget(`${name}-primary`, 'primary', 1), ...(instances > 2 ? [budget(name, 'replica', instances - 2)] : [])]
}
