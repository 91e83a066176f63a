/** Who names whom, by kind and field; the names are facts of each API. */

export interface Reference {
  /** `Kind` or `Kind.group` of who refers. */
  from: string
  /** Kinds that it may refer to. */
  to: string[]
  /** Where the name stands; a `*` goes through a list, `\\.` is a dot of the key itself. */
  path: string
  /** Beside the name: the field with the kind, when it decides among `to`. */
  kind?: string
  /** What that field is when it is left out. */
  usual?: string
  /** Whoever refers may be in another namespace than what it names. */
  anywhere?: true
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
  ...['Database', 'DatabaseRole', 'Pooler', 'Publication', 'Subscription'].map(
    (word): Reference => ({ from: `${word}.postgresql.cnpg.io`, to: ['Cluster'], path: 'spec.cluster.name' }),
  ),
  ...['KafkaTopic', 'KafkaUser', 'KafkaNodePool'].map(
    (word): Reference => ({
      from: `${word}.kafka.strimzi.io`,
      to: ['Kafka'],
      path: 'metadata.labels.strimzi\\.io/cluster',
      // The topic and user operators watch another namespace than the broker's.
      anywhere: true,
    }),
  ),
  ...['spec.storage.class', 'spec.storage.volumes.*.class'].map(
    (path): Reference => ({ from: 'KafkaNodePool.kafka.strimzi.io', to: ['StorageClass'], path }),
  ),
  { from: 'KeycloakRealmImport', to: ['Keycloak'], path: 'spec.keycloakCRName' },
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
  {
    from: 'Alert',
    to: ['GitRepository', 'OCIRepository', 'HelmRepository', 'HelmChart', 'Bucket', 'Kustomization', 'HelmRelease'],
    path: 'spec.eventSources.*.name',
    kind: 'kind',
  },
  ...['ReplicationSource', 'ReplicationDestination'].map(
    (from): Reference => ({ from, to: ['VolumeSnapshotClass'], path: 'spec.restic.volumeSnapshotClassName' }),
  ),
  {
    from: 'PersistentVolumeClaim',
    to: ['ReplicationDestination', 'VolumeSnapshot', 'PersistentVolumeClaim'],
    path: 'spec.dataSourceRef.name',
    kind: 'kind',
  },
  ...['template', 'jobTemplate.spec.template']
    .map((template) => `spec.${template}.spec.volumes.*.persistentVolumeClaim.claimName`)
    .flatMap((path) =>
      ['Deployment', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob'].map(
        (from): Reference => ({ from, to: ['PersistentVolumeClaim'], path }),
      ),
    ),
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
  ...['Validating', 'Mutating'].map(
    (word): Reference => ({
      from: `${word}AdmissionPolicyBinding`,
      to: [`${word}AdmissionPolicy`],
      path: 'spec.policyName',
    }),
  ),
]

/** What names a StorageClass, in whichever object or values it stands. */
export const namesStorageClass = /^(s|cacheS)torageClass(Name)?$/

/** Made by the controllers themselves, before any manifest. */
export const alwaysThere: Record<string, RegExp> = {
  GitRepository: /^flux-system$/,
  OCIRepository: /^flux-system$/,
  Kustomization: /^flux-system$/,
  ServiceAccount: /^default$/,
  ClusterRole: /^(view|edit|admin|cluster-admin|system:.*)$/,
}
