// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** As cases-objects.ts, for rules about what one object needs of others: order, quotas, secrets, labels. */
import type { Case } from './cases-files.ts'
import { ks, object, release } from './view.ts'

const file = 'kubernetes/infrastructure/x/app/x.yaml'
const flux = 'kubernetes/infrastructure/x/ks.yaml'
const other = 'kubernetes/infrastructure/y/app/y.yaml'
const join = (...documents: string[]) => documents.join('---\n')
const namespace = (labels = '') =>
  `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ns\n  labels:\n    a: b\n${labels}`

/** One file that breaks the rule at a line, and one that does not. */
const one = (text: string, line: number, message: string, sound: string, path = file): Case => ({
  breaks: { [path]: text },
  says: [`${path}:${line}: ${message}`],
  sound: { [path]: sound },
})

const quota = (hard: string) => object('v1', 'ResourceQuota', 'q', `spec:\n  hard:\n    ${hard}\n`)
const workload = (replicas: number, more = '') =>
  object(
    'apps/v1',
    'Deployment',
    'd',
    `spec:\n  replicas: ${replicas}\n  template:\n    spec:\n${more}      containers:\n        - name: c\n          resources: {requests: {cpu: 100m, memory: 1Gi}, limits: {memory: 1Gi}}\n`,
  )
const external = (key = 'token', target = '') =>
  object(
    'external-secrets.io/v1',
    'ExternalSecret',
    's',
    `spec:\n  target:\n    name: s\n${target}  data:\n    - secretKey: ${key}\n      remoteRef: {key: item, property: field}\n`,
  )
const reader = (key: string) =>
  object(
    'apps/v1',
    'Deployment',
    'd',
    `spec:\n  template:\n    spec:\n      containers:\n        - name: c\n          env:\n            - {name: A, valueFrom: {secretKeyRef: {name: s, key: ${key}}}}\n`,
  )
const certificate = (name: string) => object('cert-manager.io/v1', 'Certificate', 'c', `spec:\n  secretName: ${name}\n`)
const authority = (name: string) => object('cert-manager.io/v1', 'Issuer', 'i', `spec:\n  ca: {secretName: ${name}}\n`)
const template = (text: string) => `    template:\n      data:\n        x: '${text}'\n`
const deny = object(
  'cilium.io/v2',
  'CiliumClusterwideNetworkPolicy',
  'default-deny',
  'spec:\n  endpointSelector: {}\n  egress: [{}]\n  ingress: [{}]\n',
)
const spread = (key: string) =>
  workload(
    1,
    `      topologySpreadConstraints:\n        - {topologyKey: ${key}, maxSkew: 1, whenUnsatisfiable: DoNotSchedule}\n`,
  )
const store = object('external-secrets.io/v1', 'ClusterSecretStore', 'store', 'spec: {}\n').replace(
  '  namespace: ns\n',
  '',
)
const stored = object(
  'external-secrets.io/v1',
  'ExternalSecret',
  's',
  'spec:\n  secretStoreRef:\n    kind: ClusterSecretStore\n    name: store\n',
)
const crd = (properties: string) =>
  `apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: xs.example.org\nspec:\n  versions:\n    - name: v1\n      schema:\n        openAPIV3Schema:\n          type: object\n          ${properties}\n`
const targeted = (target: string, published: string) =>
  object(
    'gateway.networking.k8s.io/v1',
    'Gateway',
    'g',
    `  annotations: {external-dns.alpha.kubernetes.io/target: ${target}}\nspec:\n  infrastructure:\n    annotations: {external-dns.alpha.kubernetes.io/hostname: ${published}}\n`,
  )
const restricted = '    pod-security.kubernetes.io/enforce: restricted\n'
const [x, y] = ['kubernetes/infrastructure/x/app', 'kubernetes/infrastructure/y/app']
const controller = 'kubernetes/infrastructure/controllers/ns/metrics-server/app/x.yaml'
const server = (values: string) => release('metrics-server', '3.13.0', values)
const component = 'kubernetes/apps/components/c/x.yaml'
const documented = '| vault | item | field |\n|---|---|---|\n| k8s | item | `field` |\n'

const settings = (clusters: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(clusters).map(([name, data]) => [
      `kubernetes/clusters/${name}/cluster-settings.yaml`,
      object('v1', 'ConfigMap', 'cluster-settings', `data:\n  ${data}\n`),
    ]),
  )

export const relationCases: Record<string, Case> = {
  'referred-before-referrer': {
    breaks: { [flux]: join(ks('x', x), ks('base', y)), [file]: stored, [other]: store },
    says: [
      `${file}:9: ExternalSecret ns/s: Kustomization x does not depend on base, which has ClusterSecretStore store`,
    ],
    sound: {
      [flux]: join(ks('x', x, '  dependsOn:\n    - name: base\n'), ks('base', y)),
      [file]: stored,
      [other]: store,
    },
  },
  'readiness-stated': {
    breaks: {
      [flux]: join(
        ks('x', x),
        ks('base', y, '  wait: false\n'),
        ks('z', 'z', '  wait: true\n  dependsOn: [{name: base}]\n'),
      ),
    },
    says: [
      `${flux}:6: Kustomization flux-system/x: does not say whether it waits`,
      `${flux}:18: Kustomization flux-system/base: does not wait, and others depend on it`,
    ],
    sound: {
      [flux]: join(
        ks('x', x, '  wait: false\n'),
        ks('base', y, '  wait: true\n'),
        ks('z', 'z', '  wait: true\n  dependsOn: [{name: base}]\n'),
      ),
    },
  },
  'quota-sound': {
    breaks: {
      [file]: join(
        quota('{pods: 8Gi, limits.memory: "4", requests.cpu: 1Gi}'),
        quota('{limits.memory: 1Gi, requests.memory: 2Gi}'),
      ),
    },
    says: [
      `${file}:7: ResourceQuota ns/q: limits.memory 1Gi is less than requests.memory 2Gi`,
      `${file}:8: ResourceQuota ns/q: pods: 8Gi is no whole number`,
      `${file}:8: ResourceQuota ns/q: limits.memory: 4 is no size`,
      `${file}:8: ResourceQuota ns/q: requests.cpu: 1Gi is no number of cores`,
    ],
    sound: { [file]: quota('{pods: "8", limits.memory: 4Gi, requests.memory: 2Gi, requests.cpu: "1"}') },
  },
  'quota-holds': one(
    join(quota('{pods: "2", limits.memory: 4Gi}'), workload(3)),
    8,
    'ResourceQuota ns/q: pods: 2 is less than what is known to run there asks for',
    join(quota('{pods: "3", limits.memory: 4Gi}'), workload(3)),
  ),
  'secret-is-taken': {
    breaks: {
      [file]: join(external('key'), reader('token')),
      [other]: join(external('a').replaceAll(' s\n', ' t\n'), certificate('t-tls')),
    },
    says: [
      `${file}:9: ExternalSecret ns/s: nothing takes key from Secret s`,
      `${other}:7: ExternalSecret ns/t: nothing takes from Secret t`,
      `${other}:19: Certificate ns/c: nothing takes from Secret t-tls`,
    ],
    sound: { [file]: join(external('token'), reader('token'), certificate('c-tls'), authority('c-tls')) },
  },
  'secret-template-complete': {
    breaks: { [file]: external('a', template('{{ .b | quote }}')) },
    says: [
      `${file}:10: ExternalSecret ns/s: the template uses b, which is not fetched`,
      `${file}:12: ExternalSecret ns/s: a is fetched, and the template does not use it`,
    ],
    sound: { [file]: external('a', template('{{ .a | quote }}')) },
  },
  'secret-item-documented': {
    breaks: { [file]: external(), 'docs/prerequisites.md': documented.replace('`field`', '`other`') },
    says: [
      `${file}:11: ExternalSecret ns/s: field field of item item is in no table of docs/prerequisites.md or a runbook`,
    ],
    sound: { [file]: external(), 'docs/prerequisites.md': documented },
  },
  'settings-alike': {
    breaks: { ...settings({ infra: 'A: a', new: 'B: b' }), [component]: 'a: ${A}\n' },
    says: [
      "kubernetes/clusters/new/cluster-settings.yaml:6: A is missing, which a component uses and another cluster's settings have",
    ],
    sound: { ...settings({ infra: 'A: a', new: 'A: b' }), [component]: 'a: ${A}\n' },
    clusters: { infra: {}, new: {} },
  },
  'setting-used': {
    breaks: { ...settings({ infra: 'A: a' }), [component]: 'a: ${B}\n' },
    says: ['kubernetes/clusters/infra/cluster-settings.yaml:7: nothing on cluster infra uses A'],
    sound: { ...settings({ infra: 'A: a' }), [component]: 'a: ${A}\n' },
  },
  'topology-known': one(
    spread('hostname'),
    11,
    'Deployment ns/d: hostname is no label of nodes',
    spread('kubernetes.io/hostname'),
  ),
  'chart-monitored': one(
    server('replicas: 2\n'),
    10,
    'HelmRelease ns/metrics-server: has no monitor (serviceMonitor.enabled)',
    server('serviceMonitor: {enabled: true}\n'),
  ),
  'pod-part-valid': one(
    server('resources: {requests: {cpu: 1m}, limit: {}}\n'),
    11,
    'HelmRelease ns/metrics-server: limit is no field of it',
    server('tolerations:\n  - {key: a, operator: Exists}\naffinity: {enabled: true}\n'),
  ),
  'pod-security-met': {
    breaks: { [file]: join(namespace(restricted), workload(1)) },
    says: [
      'runAsNonRoot is not true',
      'has no seccompProfile',
      'allowPrivilegeEscalation is not false',
      'does not drop ALL capabilities',
    ].map((what) => `${file}:19: Deployment ns/d: container c: ${what}`),
    sound: { [file]: join(namespace(restricted.replace('restricted', 'baseline')), workload(1)) },
  },
  'url-wellformed': one(
    object('source.toolkit.fluxcd.io/v1', 'OCIRepository', 'x', 'spec:\n  url: example.org/a\n'),
    7,
    'OCIRepository ns/x: example.org/a is no URL',
    object('source.toolkit.fluxcd.io/v1', 'OCIRepository', 'x', 'spec:\n  url: oci://example.org/a\n'),
  ),
  'crd-structural': one(
    crd('properties: {spec: {properties: {}}}'),
    11,
    'CustomResourceDefinition xs.example.org: openAPIV3Schema.properties.spec says no type, or another than its fields',
    crd('properties: {spec: {type: object, properties: {}}}'),
  ),
  'app-is-name': one(
    ks('x', x, '  postBuild:\n    substitute:\n      APP: other\n'),
    11,
    'Kustomization flux-system/x: APP is other',
    ks('x', x, '  postBuild:\n    substitute:\n      APP: x\n'),
    flux,
  ),
  'policy-described': one(
    object('cilium.io/v2', 'CiliumNetworkPolicy', 'p', 'spec:\n  endpointSelector: {}\n'),
    6,
    'CiliumNetworkPolicy ns/p: has no description',
    object('cilium.io/v2', 'CiliumNetworkPolicy', 'p', 'spec:\n  description: Who may\n  endpointSelector: {}\n'),
  ),
  'volume-says-class': one(
    object('v1', 'PersistentVolumeClaim', 'p', 'spec:\n  accessModes: [ReadWriteOnce]\n'),
    6,
    'PersistentVolumeClaim ns/p: says no storageClassName',
    object('v1', 'PersistentVolumeClaim', 'p', 'spec:\n  storageClassName: a\n'),
  ),
  'component-settings': one(
    release('spegel', '0.7.0', 'spegel: {containerdSock: /run/containerd/containerd.sock}\n'),
    11,
    'HelmRelease ns/spegel: spegel.containerdRegistryConfigPath is unset, not /etc/cri/conf.d/hosts (Talos 1.12)',
    release(
      'spegel',
      '0.7.0',
      'spegel:\n  containerdSock: /run/containerd/containerd.sock\n  containerdRegistryConfigPath: /etc/cri/conf.d/hosts\n',
    ),
  ),
  'priority-stated': one(
    workload(1),
    9,
    'Deployment ns/d: says no priorityClassName',
    workload(1, '      priorityClassName: cluster-services\n'),
  ),
  'database-retained': one(
    object('postgresql.cnpg.io/v1', 'Database', 'd', 'spec:\n  name: d\n'),
    6,
    'Database ns/d: does not say that it is retained',
    object('postgresql.cnpg.io/v1', 'Database', 'd', 'spec:\n  databaseReclaimPolicy: retain\n'),
  ),
  'route-target-published': one(
    targeted('a.example.org', 'b.example.org'),
    6,
    'Gateway ns/g: nothing publishes a.example.org',
    targeted('a.example.org', 'a.example.org'),
  ),
  'route-matches': one(
    object(
      'gateway.networking.k8s.io/v1',
      'HTTPRoute',
      'x',
      'spec:\n  rules:\n    - matches: [{path: {type: PathPrefix}}]\n',
    ),
    8,
    'HTTPRoute ns/x: rule 0: a path without a value',
    object('gateway.networking.k8s.io/v1', 'HTTPRoute', 'x', 'spec:\n  rules:\n    - matches: [{path: {value: /a}}]\n'),
  ),
  'api-server-allowed': {
    breaks: { [controller]: server('replicas: 2\n'), [file]: join(namespace(), deny) },
    says: [`${file}:5: Namespace ns: metrics-server may not call the API server`],
    sound: {
      [controller]: server('replicas: 2\n'),
      [file]: join(namespace('    k8sops.dev/allow-kube-apiserver: "true"\n'), deny),
    },
  },
}
