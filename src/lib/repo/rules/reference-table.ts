/** Who names whom, by kind and field; the names are facts of each API. */

export interface Reference {
  /** `Kind` or `Kind.group` of who refers. */
  from: string
  /** Kinds that it may refer to. */
  to: string[]
  /** Where the name stands; a `*` goes through a list. */
  path: string
  /** Beside the name: the field with the kind, when it decides among `to`. */
  kind?: string
  /** What that field is when it is left out. */
  usual?: string
}

export const references: readonly Reference[] = [
  { from: 'HTTPRoute', to: ['Gateway'], path: 'spec.parentRefs.*.name' },
  { from: 'GRPCRoute', to: ['Gateway'], path: 'spec.parentRefs.*.name' },
  { from: 'TLSRoute', to: ['Gateway'], path: 'spec.parentRefs.*.name' },
  { from: 'TCPRoute', to: ['Gateway'], path: 'spec.parentRefs.*.name' },
  { from: 'Gateway', to: ['GatewayClass'], path: 'spec.gatewayClassName' },
  { from: 'GatewayClass', to: ['EnvoyProxy'], path: 'spec.parametersRef.name', kind: 'kind' },
  {
    from: 'ExternalSecret',
    to: ['ClusterSecretStore', 'SecretStore'],
    path: 'spec.secretStoreRef.name',
    kind: 'kind',
    usual: 'SecretStore',
  },
  { from: 'Certificate', to: ['Issuer', 'ClusterIssuer'], path: 'spec.issuerRef.name', kind: 'kind', usual: 'Issuer' },
  {
    from: 'Kustomization.kustomize.toolkit.fluxcd.io',
    to: ['GitRepository', 'OCIRepository', 'Bucket'],
    path: 'spec.sourceRef.name',
    kind: 'kind',
  },
  { from: 'ScheduledBackup', to: ['Cluster'], path: 'spec.cluster.name' },
  { from: 'Cluster.postgresql.cnpg.io', to: ['ObjectStore'], path: 'spec.plugins.*.parameters.barmanObjectName' },
  { from: 'Database', to: ['Cluster'], path: 'spec.cluster.name' },
  { from: 'ReplicationSource', to: ['PersistentVolumeClaim'], path: 'spec.sourcePVC' },
  {
    from: 'CiliumBGPClusterConfig',
    to: ['CiliumBGPPeerConfig'],
    path: 'spec.bgpInstances.*.peers.*.peerConfigRef.name',
  },
  {
    from: 'Receiver',
    to: ['GitRepository', 'OCIRepository', 'HelmRepository', 'Kustomization', 'HelmRelease'],
    path: 'spec.resources.*.name',
    kind: 'kind',
  },
  { from: 'Alert', to: ['Provider'], path: 'spec.providerRef.name' },
  { from: 'PersistentVolumeClaim', to: ['StorageClass'], path: 'spec.storageClassName' },
  {
    from: 'StatefulSet',
    to: ['StorageClass'],
    path: 'spec.volumeClaimTemplates.*.spec.storageClassName',
  },
  { from: 'Cluster.postgresql.cnpg.io', to: ['StorageClass'], path: 'spec.storage.storageClass' },
  { from: 'Cluster.postgresql.cnpg.io', to: ['StorageClass'], path: 'spec.walStorage.storageClass' },
  ...['ReplicationSource', 'ReplicationDestination'].flatMap((from): Reference[] => [
    { from, to: ['StorageClass'], path: 'spec.restic.storageClassName' },
    { from, to: ['StorageClass'], path: 'spec.restic.cacheStorageClassName' },
    { from, to: ['VolumeSnapshotClass'], path: 'spec.restic.volumeSnapshotClassName' },
  ]),
  { from: 'HTTPRoute', to: ['Service'], path: 'spec.rules.*.backendRefs.*.name', kind: 'kind', usual: 'Service' },
  { from: 'RoleBinding', to: ['Role', 'ClusterRole'], path: 'roleRef.name', kind: 'kind' },
  { from: 'ClusterRoleBinding', to: ['ClusterRole'], path: 'roleRef.name', kind: 'kind' },
  ...['RoleBinding', 'ClusterRoleBinding'].map(
    (from): Reference => ({ from, to: ['ServiceAccount'], path: 'subjects.*.name', kind: 'kind' }),
  ),
  ...['Deployment', 'StatefulSet', 'DaemonSet', 'Job'].map(
    (from): Reference => ({ from, to: ['ServiceAccount'], path: 'spec.template.spec.serviceAccountName' }),
  ),
  { from: 'CronJob', to: ['ServiceAccount'], path: 'spec.jobTemplate.spec.template.spec.serviceAccountName' },
  {
    from: 'VMUser',
    to: ['VMSingle', 'VMAgent', 'VMAlert', 'VMAlertmanager', 'VLSingle'],
    path: 'spec.targetRefs.*.crd.name',
    kind: 'kind',
  },
  { from: 'BackendTrafficPolicy', to: ['Gateway', 'HTTPRoute'], path: 'spec.targetRefs.*.name', kind: 'kind' },
  { from: 'ClientTrafficPolicy', to: ['Gateway'], path: 'spec.targetRefs.*.name', kind: 'kind' },
  { from: 'SecurityPolicy', to: ['Gateway', 'HTTPRoute'], path: 'spec.targetRefs.*.name', kind: 'kind' },
]

/** Made by the controllers themselves, before any manifest. */
export const alwaysThere: Record<string, RegExp> = {
  GitRepository: /^flux-system$/,
  OCIRepository: /^flux-system$/,
  Kustomization: /^flux-system$/,
  ServiceAccount: /^default$/,
  ClusterRole: /^(view|edit|admin|cluster-admin|system:.*)$/,
}
