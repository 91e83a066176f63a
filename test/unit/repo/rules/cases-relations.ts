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
    breaks: { [file]: join(external('key'), reader('token')), [other]: external('a').replaceAll(' s\n', ' t\n') },
    says: [
      `${file}:9: ExternalSecret ns/s: nothing takes key from Secret s`,
      `${other}:7: ExternalSecret ns/t: nothing takes from Secret t`,
    ],
    sound: { [file]: join(external('token'), reader('token')) },
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
  'api-server-allowed': {
    breaks: { [controller]: server('replicas: 2\n'), [file]: join(namespace(), deny) },
    says: [`${file}:5: Namespace ns: metrics-server may not call the API server`],
    sound: {
      [controller]: server('replicas: 2\n'),
      [file]: join(namespace('    k8sops.dev/allow-kube-apiserver: "true"\n'), deny),
    },
  },
}
