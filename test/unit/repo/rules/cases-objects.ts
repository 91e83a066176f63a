// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** For each rule about what Flux would apply the smallest thing that breaks it, what is said of it, and what is allowed. */
import type { Case } from './cases-files.ts'
import { ks, object, release } from './view.ts'

const file = 'kubernetes/infrastructure/x/app/x.yaml'
const flux = 'kubernetes/infrastructure/x/ks.yaml'
const helm = 'helm.toolkit.fluxcd.io/v2'
const join = (...documents: string[]) => documents.join('---\n')
const namespace = (name: string, rest = '') => `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ${name}\n${rest}`
const indented = (text: string, by = 2) => text.replace(/^(?=.)/gm, ' '.repeat(by))

/** One file that breaks the rule at a line, and one that does not. */
const one = (text: string, line: number, message: string, sound: string, clusters?: Case['clusters']): Case => ({
  breaks: { [file]: text },
  says: [`${file}:${line}: ${message}`],
  sound: { [file]: sound },
  ...(clusters ? { clusters } : {}),
})

const gateway = (listeners: string) =>
  object('gateway.networking.k8s.io/v1', 'Gateway', 'gw', `spec:\n  listeners:\n${indented(listeners, 4)}`)
const route = (rest: string, name = 'r') =>
  object('gateway.networking.k8s.io/v1', 'HTTPRoute', name, `spec:\n${indented(rest)}`)
const https = '- {name: https, protocol: HTTPS}\n'
const http = '- {name: http, protocol: HTTP}\n'
const redirect = route(
  'parentRefs:\n  - {name: gw, sectionName: http}\nrules:\n  - filters:\n      - {type: RequestRedirect, requestRedirect: {scheme: https, statusCode: 301}}\n',
  'redirect',
)
const pod = (container: string) =>
  object(
    'apps/v1',
    'Deployment',
    'd',
    `spec:\n  template:\n    spec:\n      containers:\n        - name: c\n${indented(container, 10)}`,
  )
const complete = 'image: ghcr.io/a/b:1.2.3\nresources:\n  requests: {cpu: 1m, memory: 1Mi}\n  limits: {memory: 1Mi}\n'
const cnp = (spec: string, kind = 'CiliumNetworkPolicy') =>
  object('cilium.io/v2', kind, 'p', `spec:\n${indented(spec)}`)
const deny = cnp(
  'endpointSelector: {}\nenableDefaultDeny: {ingress: true, egress: true}\negress: [{}]\n',
  'CiliumClusterwideNetworkPolicy',
)
const remediated =
  'spec:\n  install: {remediation: {retries: 3}}\n  upgrade: {strategy: {name: RetryOnFailure}}\n  driftDetection: {mode: enabled}\n'
const pvc = (rest: string) => object('v1', 'PersistentVolumeClaim', 'data', rest)
const cnpg = (name = 'pg') =>
  object(
    'postgresql.cnpg.io/v1',
    'Cluster',
    name,
    'spec:\n  plugins:\n    - name: barman-cloud.cloudnative-pg.io\n      isWALArchiver: true\n      parameters: {barmanObjectName: store}\n',
  )
const scheduled = (schedule = '0 0 3 * * *') =>
  object(
    'postgresql.cnpg.io/v1',
    'ScheduledBackup',
    'daily',
    `spec:\n  schedule: "${schedule}"\n  cluster: {name: pg}\n`,
  )
const store = (keep = '30d', checksum = 'when_required') =>
  object(
    'barmancloud.cnpg.io/v1',
    'ObjectStore',
    'store',
    `spec:\n  retentionPolicy: ${keep}\n  configuration:\n    endpointURL: https://x.r2.cloudflarestorage.com\n    wal: {compression: bzip2}\n    data: {compression: bzip2}\n  instanceSidecarConfiguration:\n    env:\n      - {name: AWS_REQUEST_CHECKSUM_CALCULATION, value: ${checksum}}\n      - {name: AWS_RESPONSE_CHECKSUM_VALIDATION, value: when_required}\n`,
  )
const source = (schedule: string, daily = 7) =>
  object(
    'volsync.backube/v1alpha1',
    'ReplicationSource',
    'data',
    `spec:\n  sourcePVC: data\n  trigger: {schedule: "${schedule}"}\n  restic:\n    retain: {hourly: 24, daily: ${daily}}\n`,
  )
const cilium = (type: string) => release('cilium', '1.19.3', `encryption:\n  enabled: true\n  type: ${type}\n`)

const cache = `apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: cache
  namespace: ns
  annotations:
    k8sops.dev/backup: none
    k8sops.dev/backup-reason: It is filled again
spec: {}
`

const osd = (requests: string) =>
  object(
    'ceph.rook.io/v1',
    'CephCluster',
    'c',
    `spec: {resources: {osd: {requests: ${requests}, limits: {memory: 4Gi}}}}\n`,
  )

export const objectCases: Record<string, Case> = {
  'schema-valid': {
    breaks: {
      [file]: join(
        object('v1', 'Service', 's', 'spec:\n  type: ClusterIp\n  ports:\n    - port: "80"\n      portName: x\n'),
        object('cilium.io/v2', 'CiliumLoadBalancerIPPool', 'p', 'spec:\n  blocks: {cidr: 10.0.0.0/8}\n'),
        object('v1', 'ReplicationController', 'r', 'spec:\n  template:\n    spec:\n      containers: [{image: a}]\n'),
      ),
    },
    says: [
      `${file}:7: Service ns/s: type: "ClusterIp" is no ClusterIP, ExternalName, LoadBalancer, NodePort`,
      `${file}:9: Service ns/s: port: "80" is no integer`,
      `${file}:10: Service ns/s: portName is no field of it`,
      `${file}:18: CiliumLoadBalancerIPPool ns/p: blocks is no list`,
      `${file}:28: ReplicationController ns/r: name is missing`,
    ],
    sound: { [file]: object('v1', 'Service', 's', 'spec:\n  type: ClusterIP\n  ports:\n    - port: 80\n') },
  },
  'chart-source-exists': one(
    object(helm, 'HelmRelease', 'x', 'spec:\n  chartRef:\n    kind: OCIRepository\n    name: nope\n'),
    2,
    'HelmRelease ns/x: chartRef: OCIRepository ns/nope is not in the repository',
    release('cilium', '1.19.3', 'MTU: 9000\n'),
  ),
  'namespace-exists': one(
    object('v1', 'ConfigMap', 'x'),
    5,
    'ConfigMap ns/x: namespace ns is not made',
    join(namespace('ns'), object('v1', 'ConfigMap', 'x')),
  ),
  'one-path-one-consumer': {
    breaks: { [flux]: join(ks('x', 'a'), ks('z', 'a')) },
    says: [`${flux}:17: Kustomization flux-system/z: ./a is applied by x, too`],
    sound: { [flux]: join(ks('x', 'a'), ks('z', 'b')) },
  },
  'one-object-one-owner': {
    breaks: {
      [flux]: join(ks('x', 'kubernetes/infrastructure/x/app'), ks('z', 'kubernetes/infrastructure/y')),
      [file]: object('v1', 'ConfigMap', 'x'),
      'kubernetes/infrastructure/y/c.yaml': object('v1', 'ConfigMap', 'x'),
    },
    says: ['kubernetes/infrastructure/y/c.yaml:1: ConfigMap ns/x: is applied by Kustomizations x and z'],
    sound: { [file]: object('v1', 'ConfigMap', 'x') },
  },
  'reference-exists': one(
    join(gateway(https), route('parentRefs:\n  - name: other\n')),
    17,
    'HTTPRoute ns/r: refers to Gateway other, which is not there',
    join(gateway(https), route('parentRefs:\n  - name: gw\n')),
  ),
  'dependency-exists': {
    breaks: { [flux]: ks('x', 'a', '  dependsOn:\n    - name: z\n') },
    says: [`${flux}:10: Kustomization flux-system/x: dependsOn flux-system/z, which this cluster does not have`],
    sound: { [flux]: join(ks('x', 'a', '  dependsOn:\n    - name: z\n'), ks('z', 'b')) },
  },
  'dependency-acyclic': {
    breaks: { [flux]: ks('x', 'a', '  dependsOn:\n    - name: x\n') },
    says: [`${flux}:4: Kustomization flux-system/x: dependsOn cycle: flux-system/x -> flux-system/x`],
    sound: { [flux]: ks('x', 'a') },
  },
  'dependency-depth': {
    breaks: {
      [flux]: join(
        ...[0, 1, 2, 3, 4, 5, 6, 7].map((n) =>
          ks(`k${n}`, `p${n}`, n < 7 ? `  dependsOn:\n    - name: k${n + 1}\n` : ''),
        ),
      ),
    },
    says: [
      `${flux}:10: Kustomization flux-system/k0: dependsOn is 7 deep (at most 6): ${[0, 1, 2, 3, 4, 5, 6, 7].map((n) => `flux-system/k${n}`).join(' -> ')}`,
    ],
    sound: { [flux]: ks('x', 'a') },
  },
  'crd-before-resource': {
    breaks: {
      [flux]: join(ks('x', 'kubernetes/infrastructure/x/app'), ks('cm', 'kubernetes/infrastructure/cm')),
      [file]: object('cert-manager.io/v1', 'ClusterIssuer', 'i'),
      'kubernetes/infrastructure/cm/r.yaml': release('cert-manager', 'v1.20.2', 'crds:\n  enabled: true\n'),
    },
    says: [
      `${file}:1: ClusterIssuer ns/i: Kustomization x does not depend on cm, which brings the CRDs of cert-manager.io`,
    ],
    sound: {
      [flux]: join(
        ks('x', 'kubernetes/infrastructure/x/app', '  dependsOn:\n    - name: cm\n'),
        ks('cm', 'kubernetes/infrastructure/cm'),
      ),
      [file]: object('cert-manager.io/v1', 'ClusterIssuer', 'i'),
      'kubernetes/infrastructure/cm/r.yaml': release('cert-manager', 'v1.20.2', 'crds:\n  enabled: true\n'),
    },
  },
  'readiness-known': {
    breaks: {
      [flux]: ks('x', 'kubernetes/infrastructure/x/app'),
      [file]: object('ceph.rook.io/v1', 'CephCluster', 'c'),
    },
    says: [`${flux}:6: Kustomization flux-system/x: CephCluster has no healthCheckExprs`],
    sound: {
      [flux]: ks(
        'x',
        'kubernetes/infrastructure/x/app',
        '  healthCheckExprs:\n    - {apiVersion: ceph.rook.io/v1, kind: CephCluster, current: "true"}\n',
      ),
      [file]: object('ceph.rook.io/v1', 'CephCluster', 'c'),
    },
  },
  'chart-pinned': one(
    release('x', '1.x', 'a: 1\n'),
    6,
    'HelmRelease ns/x: chart version 1.x is not exact',
    release('x', '1.2.3', 'a: 1\n'),
  ),
  'source-pinned': one(
    object('source.toolkit.fluxcd.io/v1', 'OCIRepository', 'x', 'spec:\n  url: oci://a/b\n  ref:\n    tag: latest\n'),
    8,
    'OCIRepository ns/x: has neither an exact tag nor a digest',
    object('source.toolkit.fluxcd.io/v1', 'OCIRepository', 'x', 'spec:\n  url: oci://a/b\n  ref:\n    tag: 1.2.3\n'),
  ),
  'image-pinned': one(
    pod('image: ghcr.io/a/b:latest\n'),
    11,
    'Deployment ns/d: image ghcr.io/a/b:latest is not pinned',
    pod(`image: ghcr.io/a/b@sha256:${'a'.repeat(64)}\n`),
  ),
  'trusted-registry': one(
    pod('image: docker.io/some/body:1.2.3\n'),
    11,
    'Deployment ns/d: image docker.io/some/body:1.2.3 is of none of the trusted registries',
    pod('image: quay.io/a/b:1.2.3\n'),
  ),
  'no-cluster-admin': one(
    'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata:\n  name: x\nroleRef:\n  name: cluster-admin\n',
    6,
    'ClusterRoleBinding x: binds cluster-admin',
    'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata:\n  name: x\nroleRef:\n  name: view\n',
  ),
  'no-wildcard-role': one(
    'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: x\nrules:\n  - apiGroups: [""]\n    resources: [pods]\n    verbs: ["*"]\n',
    8,
    'ClusterRole x: rule 0 grants every one of verbs',
    'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: x\nrules:\n  - apiGroups: [""]\n    resources: [pods]\n    verbs: [get]\n',
  ),
  'namespace-quota': one(
    namespace('ns'),
    4,
    'Namespace ns: has no ResourceQuota',
    join(namespace('ns'), object('v1', 'ResourceQuota', 'q'), namespace('kube-system')),
  ),
  'namespace-limit-range': one(
    namespace('ns'),
    4,
    'Namespace ns: has no LimitRange',
    join(namespace('ns'), object('v1', 'LimitRange', 'l')),
  ),
  'namespace-pod-security': one(
    namespace('ns', '  labels:\n    pod-security.kubernetes.io/enforce: privileged\n'),
    6,
    'Namespace ns: enforces privileged without a comment that says why',
    namespace(
      'ns',
      '  labels:\n    # The agents mount host paths.\n    pod-security.kubernetes.io/enforce: privileged\n',
    ),
  ),
  'priority-class': one(
    pod('image: a:1\n').replace('    spec:\n', '    spec:\n      priorityClassName: nope\n'),
    9,
    'Deployment ns/d: priorityClassName nope is not there',
    join(
      pod('image: a:1\n').replace('    spec:\n', '    spec:\n      priorityClassName: application\n'),
      'apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata:\n  name: application\nvalue: 1000\n',
      // What yields to everybody else.
      'apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata:\n  name: preemptible\nvalue: -100\n',
    ),
  ),
  'default-deny': {
    breaks: { [file]: cnp('endpointSelector: {}\ningress: [{}]\n', 'CiliumClusterwideNetworkPolicy') },
    says: [
      'kubernetes/clusters/infra/infrastructure/kustomization.yaml:1: no CiliumClusterwideNetworkPolicy denies ingress and egress by default',
    ],
    sound: { [file]: deny },
  },
  'policy-peers-exist': one(
    cnp(
      'endpointSelector: {}\ningress:\n  - fromEndpoints:\n      - matchLabels:\n          k8s:io.kubernetes.pod.namespace: nope\n',
    ),
    11,
    'CiliumNetworkPolicy ns/p: namespace nope is not there',
    join(
      cnp(
        'endpointSelector: {}\ningress:\n  - fromEndpoints:\n      - matchLabels:\n          k8s:io.kubernetes.pod.namespace: ns\n',
      ),
      namespace('ns'),
    ),
  ),
  'store-reference-has-namespace': one(
    object(
      'external-secrets.io/v1',
      'ClusterSecretStore',
      'x',
      'spec:\n  provider:\n    onepassword:\n      auth:\n        tokenSecretRef:\n          name: t\n',
    ),
    10,
    'ClusterSecretStore ns/x: tokenSecretRef names no namespace',
    object(
      'external-secrets.io/v1',
      'ClusterSecretStore',
      'x',
      'spec:\n  provider:\n    onepassword:\n      auth:\n        tokenSecretRef:\n          name: t\n          namespace: n\n',
    ),
  ),
  'policy-not-open': one(
    cnp('endpointSelector: {}\negress:\n  - toEntities:\n      - world\n'),
    10,
    'CiliumNetworkPolicy ns/p: egress rule 0 allows the world without ports',
    join(
      cnp('endpointSelector: {}\negress:\n  - toEntities: [world]\n    toPorts: [{ports: [{port: "443"}]}]\n'),
      deny,
    ),
  ),
  'policy-selects': one(
    cnp('ingress: [{}]\n'),
    6,
    'CiliumNetworkPolicy ns/p: selects nothing: neither endpointSelector nor nodeSelector',
    cnp('endpointSelector: {}\ningress: [{}]\n'),
  ),
  'chart-known': one(
    release('unheard-of', '1.2.3', 'a: 1\n'),
    7,
    'HelmRelease ns/unheard-of: nothing is known about chart unheard-of 1.2.3 (lab/charts/unheard-of-1.2.3.json is missing)',
    release('cilium', '1.19.3', 'MTU: 9000\n'),
  ),
  'chart-value-exists': one(
    release('cilium', '1.19.3', 'mtu: 9000\n'),
    11,
    'HelmRelease ns/cilium: chart cilium 1.19.3 has no value mtu, helm would ignore it',
    release('cilium', '1.19.3', 'MTU: 9000\n'),
  ),
  'release-remediates': one(
    object(helm, 'HelmRelease', 'x', 'spec:\n  install: {strategy: {name: RetryOnFailure}}\n  upgrade: {crds: Skip}\n'),
    8,
    'HelmRelease ns/x: upgrade has no remediation',
    object(helm, 'HelmRelease', 'x', remediated),
  ),
  'release-corrects-drift': one(
    object(helm, 'HelmRelease', 'x', 'spec:\n  driftDetection:\n    mode: warn\n'),
    7,
    'HelmRelease ns/x: has no drift detection',
    object(helm, 'HelmRelease', 'x', remediated),
  ),
  'container-resources': {
    breaks: { [file]: join(pod('image: a:1\n'), osd('{memory: 2Gi}')) },
    says: [
      `${file}:10: Deployment ns/d: container c lacks requests or a memory limit`,
      `${file}:18: CephCluster ns/c: lacks requests or a memory limit`,
    ],
    sound: { [file]: join(pod(complete), osd('{cpu: 1, memory: 2Gi}')) },
  },
  'route-in-domain': one(
    route('hostnames:\n  - x.example.org\n  - x.example.com\n'),
    9,
    'HTTPRoute ns/r: x.example.com is not in example.org',
    route('hostnames:\n  - x.example.org\n'),
    { infra: { CLUSTER_DOMAIN: 'example.org' } },
  ),
  'route-over-tls': one(
    join(gateway(https + http), route('parentRefs:\n  - name: gw\n')),
    18,
    'HTTPRoute ns/r: is served in plain HTTP by Gateway gw (no sectionName)',
    join(gateway(https + http), route('parentRefs:\n  - name: gw\n    sectionName: https\n'), redirect),
  ),
  'gateway-redirects': one(
    gateway(http),
    7,
    'Gateway ns/gw: listens for HTTP and nothing redirects it for good',
    join(gateway(http), redirect),
  ),
  'prune-disabled': one(
    namespace('ns'),
    3,
    'Namespace ns: has no annotation kustomize.toolkit.fluxcd.io/prune: disabled',
    namespace('ns', '  annotations:\n    kustomize.toolkit.fluxcd.io/prune: disabled\n'),
  ),
  'storage-replicas': one(
    object('ceph.rook.io/v1', 'CephBlockPool', 'p', 'spec:\n  failureDomain: host\n  replicated:\n    size: 2\n'),
    9,
    'CephBlockPool ns/p: keeps 2 replicas, not 3',
    object('ceph.rook.io/v1', 'CephBlockPool', 'p', 'spec:\n  failureDomain: host\n  replicated:\n    size: 3\n'),
  ),
  'storage-thin': one(
    'apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata:\n  name: x\nparameters:\n  thickProvision: "true"\n',
    6,
    'StorageClass x: provisions thick volumes',
    'apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata:\n  name: x\nparameters:\n  thickProvision: "false"\n',
  ),
  'stateful-has-backup': one(
    pvc('spec: {}\n'),
    1,
    'PersistentVolumeClaim ns/data: has no ReplicationSource',
    join(pvc('spec: {}\n'), source('0 */8 * * *'), cnpg(), scheduled(), cache),
  ),
  'volsync-schedule': {
    breaks: { [file]: source('0 3 * * *', 3) },
    says: [
      `${file}:8: ReplicationSource ns/data: schedule 0 3 * * * is not every eight hours`,
      `${file}:10: ReplicationSource ns/data: keeps 3 daily snapshots, not 7`,
    ],
    sound: { [file]: source('15 */8 * * *') },
  },
  'cnpg-backup': {
    breaks: {
      [file]: join(
        object('postgresql.cnpg.io/v1', 'Cluster', 'pg', 'spec:\n  instances: 3\n'),
        store('7d'),
        scheduled('0 0 3 * * 0'),
      ),
    },
    says: [
      `${file}:6: Cluster ns/pg: has no plugin barman-cloud.cloudnative-pg.io with isWALArchiver`,
      `${file}:15: ObjectStore ns/store: retentionPolicy is 7d, less than 30d`,
      `${file}:31: ScheduledBackup ns/daily: schedule 0 0 3 * * 0 is not every day`,
    ],
    sound: { [file]: join(cnpg(), store(), scheduled()) },
  },
  'r2-checksums': one(
    store('30d', 'always'),
    13,
    'ObjectStore ns/store: AWS_REQUEST_CHECKSUM_CALCULATION is not when_required',
    store(),
  ),
  'source-interval': one(
    object('source.toolkit.fluxcd.io/v1', 'GitRepository', 'x', 'spec:\n  interval: 5m\n'),
    7,
    'GitRepository ns/x: interval is 5m, more than 1m',
    object('source.toolkit.fluxcd.io/v1', 'GitRepository', 'x', 'spec:\n  interval: 1m\n'),
  ),
  'kustomization-interval': {
    breaks: { [flux]: ks('x', 'a', '  retryInterval: 1m\n  timeout: 5m\n').replace('5m', '1h') },
    says: [`${flux}:7: Kustomization flux-system/x: interval is 1h, more than 5m`],
    sound: { [flux]: ks('x', 'a', '  retryInterval: 1m\n  timeout: 5m\n') },
  },
  'secret-refresh': one(
    object('external-secrets.io/v1', 'ExternalSecret', 'x', 'spec:\n  refreshInterval: 1h\n'),
    7,
    'ExternalSecret ns/x: refreshInterval is 1h, more than 5m',
    object('external-secrets.io/v1', 'ExternalSecret', 'x', 'spec:\n  refreshInterval: 5m\n'),
  ),
  'certificate-renewal': one(
    object('cert-manager.io/v1', 'Certificate', 'x', 'spec:\n  renewBefore: 360h\n'),
    7,
    'Certificate ns/x: renewBefore is 360h, less than 720h',
    object('cert-manager.io/v1', 'Certificate', 'x', 'spec:\n  renewBefore: 720h\n'),
  ),
  'dns-interval': one(
    release('external-dns', '1.20.0', 'interval: 5m\ntriggerLoopOnEvent: true\n'),
    11,
    'HelmRelease ns/external-dns: interval is 5m, more than 1m',
    release('external-dns', '1.20.0', 'interval: 1m\ntriggerLoopOnEvent: true\n'),
  ),
  'pod-traffic-encrypted': one(
    cilium('ipsec'),
    11,
    'HelmRelease ns/cilium: encryption is not WireGuard',
    cilium('wireguard'),
  ),
  'remote-write-tls': one(
    release('x', '1.2.3', 'remoteWrite:\n  - url: http://metrics.example.org/write\n'),
    12,
    'HelmRelease ns/x: http://metrics.example.org/write is not TLS',
    release(
      'x',
      '1.2.3',
      'remoteWrite:\n  - url: https://metrics.example.org/write\n  - url: http://vmsingle:8428/write\n',
    ),
  ),
  'secret-store-retries': one(
    object('external-secrets.io/v1', 'ClusterSecretStore', 'x', 'spec:\n  provider: {}\n'),
    6,
    'ClusterSecretStore ns/x: has no retrySettings.maxRetries',
    object('external-secrets.io/v1', 'ClusterSecretStore', 'x', 'spec:\n  retrySettings: {maxRetries: 5}\n'),
  ),
  'no-prometheus-or-loki': one(
    release('loki', '6.0.0', 'a: 1\n'),
    6,
    'HelmRelease ns/loki: chart loki',
    release('cilium', '1.19.3', 'MTU: 9000\n'),
  ),
}
