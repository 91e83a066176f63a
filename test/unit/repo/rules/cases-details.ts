// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** As cases-objects.ts, for rules about what objects say in detail: selectors, ports, alerts, machines. */
import type { Case } from './cases-files.ts'
import { ks, object, release } from './view.ts'

const file = 'kubernetes/infrastructure/x/app/x.yaml'
const other = 'kubernetes/infrastructure/x/app/y.yaml'
const flux = 'kubernetes/infrastructure/x/ks.yaml'
const join = (...documents: string[]) => documents.join('---\n')

/** One file that breaks the rule at a line, and one that does not. */
const one = (text: string, line: number, message: string, sound: string, path = file): Case => ({
  breaks: { [path]: text },
  says: [`${path}:${line}: ${message}`],
  sound: { [path]: sound },
})

const alert = (rest: string) =>
  object(
    'monitoring.coreos.com/v1',
    'PrometheusRule',
    'x',
    `spec:\n  groups:\n    - name: x\n      rules:\n        - alert: XAbsent\n          expr: absent(up)\n          for: 5m\n${rest}`,
  )
const annotations =
  '          annotations:\n            summary: Nothing is there\n            runbook_url: https://example.org/x.md\n'
const policy = (spec: string) => object('cilium.io/v2', 'CiliumNetworkPolicy', 'p', `spec:\n${spec}`)
const pod = (spec: string, image = '          image: a:1\n') =>
  object(
    'apps/v1',
    'Deployment',
    'd',
    `spec:\n  template:\n    metadata:\n      labels: {app: d}\n    spec:\n${spec}      containers:\n        - name: c\n          ports: [{name: http, containerPort: 8080}]\n${image}`,
  )
const service = (port: string) =>
  object('v1', 'Service', 's', `spec:\n  selector: {app: d}\n  ports:\n    - {port: 80, targetPort: ${port}}\n`)
const repository = (operation: string) =>
  object(
    'source.toolkit.fluxcd.io/v1',
    'OCIRepository',
    'x',
    `spec:\n  layerSelector:\n    mediaType: application/vnd.cncf.helm.chart.content.v1.tar+gzip\n${operation}`,
  )
const helm = (spec: string) => object('helm.toolkit.fluxcd.io/v2', 'HelmRelease', 'x', `spec:\n${spec}`)
const checked = (text: string) =>
  ks(
    'x',
    'a',
    `  healthCheckExprs:\n    - apiVersion: ceph.rook.io/v1\n      kind: CephCluster\n      current: ${text}\n`,
  )
const talconfig = 'talos/infra/talconfig.yaml'
const binding = (kind: string, ...subjects: string[]) =>
  `apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  name: x\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ${kind}, name: view}\nsubjects:\n${subjects.map((subject) => `  - ${subject}\n`).join('')}`

export const detailCases: Record<string, Case> = {
  'role-grants': {
    breaks: {
      [file]:
        'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: x\nrules:\n  - apiGroups: [""]\n    resources: [pods/log, pods-renamed]\n    verbs: [get, look]\n  - apiGroups: [apps-renamed]\n    verbs: [get]\n',
    },
    says: [
      `${file}:7: ClusterRole x: no API group of this rule has pods-renamed`,
      `${file}:8: ClusterRole x: look is no verb`,
      `${file}:9: ClusterRole x: names no resource`,
      `${file}:9: ClusterRole x: apps-renamed is no API group`,
    ],
    sound: {
      [file]:
        'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: x\nrules:\n  - apiGroups: ["", apps]\n    resources: [pods/log, deployments]\n    verbs: [get]\n  - nonResourceURLs: [/metrics]\n    verbs: [get]\n  - apiGroups: [acme.example.org]\n    resources: [orders]\n    verbs: [list]\n',
    },
  },
  'role-binding': {
    breaks: {
      [file]: binding('Role', '{kind: ServiceAccount, name: reader}', '{kind: Role, name: reader}'),
      [other]: binding('ServiceAccount', '{kind: ServiceAccount, name: reader, namespace: z}'),
    },
    says: [
      `${file}:7: RoleBinding x: subject reader has no namespace`,
      `${file}:8: RoleBinding x: subject reader: a Role can be given no role`,
      `${other}:5: RoleBinding x: ServiceAccount is none of Role, ClusterRole`,
    ],
    sound: { [file]: binding('ClusterRole', '{kind: ServiceAccount, name: reader, namespace: z}') },
  },
  'memory-limit': {
    breaks: {
      'kubernetes/infrastructure/controllers/ns/x/app/helmrelease.yaml': release(
        'x',
        '1.2.3',
        'resources:\n  limits:\n    memory: 3Gi\n',
      ),
    },
    says: [
      'kubernetes/infrastructure/controllers/ns/x/app/helmrelease.yaml:13: HelmRelease ns/x: memory limit 3Gi is more than 2Gi',
    ],
    sound: {
      'kubernetes/infrastructure/controllers/ns/x/app/helmrelease.yaml': release(
        'x',
        '1.2.3',
        'resources:\n  limits:\n    memory: 2Gi\n',
      ),
    },
  },
  'object-name-wellformed': one(
    object('v1', 'ConfigMap', '192.168.0.0/16'),
    4,
    "ConfigMap ns/192.168.0.0/16: 192.168.0.0/16 can't be a name",
    'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata:\n  name: a:b\n',
  ),
  'cidr-wellformed': one(
    policy('  egress:\n    - toCIDRSet: [{cidr: 0.0.0.0/33, except: [10.0.0.0/8]}]\n'),
    8,
    'CiliumNetworkPolicy ns/p: 0.0.0.0/33 is no network',
    policy('  egress:\n    - toCIDRSet: [{cidr: 0.0.0.0/0, except: [10.0.0.0/8]}]\n    - toCIDR: ["fd00::/8"]\n'),
  ),
  'value-there': one(
    'a: 1\nb:\nc: 2\n',
    2,
    'b has no value',
    'a: 1\nb: {}\nc: 2\n',
    'kubernetes/infrastructure/a.yaml',
  ),
  'file-named-after-object': one(
    object('v1', 'ConfigMap', 'other'),
    4,
    'ConfigMap other stands in a file for settings',
    object('v1', 'ConfigMap', 'settings'),
    'kubernetes/infrastructure/x/app/configmap-settings.yaml',
  ),
  'talos-patch-valid': one(
    'machine:\n  kernel:\n    - name: nbd\n',
    2,
    'kernel is no map',
    'machine:\n  kernel:\n    modules:\n      - name: nbd\n  nodeLabels:\n    x: {$$patch: delete}\n',
    'talos/patches/all/kernel.yaml',
  ),
  'talconfig-values': one(
    'nodes:\n  - hostname: n\n    networkInterfaces:\n      - routes:\n          - network: ssd\n',
    5,
    'nodes.0.networkInterfaces.0.routes.0.network: ssd is no network',
    'nodes:\n  - hostname: n\n    networkInterfaces:\n      - routes:\n          - network: 0.0.0.0/0\n',
    talconfig,
  ),
  'volume-is-mounted': {
    breaks: {
      [talconfig]: 'nodes:\n  - userVolumes:\n      - name: other\n',
      [file]: release('cilium', '1.19.3', 'path: /var/mnt/data\n'),
    },
    says: [`${file}:11: HelmRelease ns/cilium: /var/mnt/data is on no user volume of cluster infra`],
    sound: {
      [talconfig]: 'nodes:\n  - userVolumes:\n      - name: data\n',
      [file]: release('cilium', '1.19.3', 'path: /var/mnt/data\n'),
    },
  },
  // No cluster: nobody uses it yet.
  'component-schema-valid': {
    ...one(
      object('gateway.networking.k8s.io/v1', 'HTTPRoute', '${APP}', 'spec:\n  hostname: a\n'),
      7,
      'HTTPRoute: hostname is no field of it',
      '',
      'kubernetes/apps/components/route/httproute.yaml',
    ),
    sound: {
      'kubernetes/apps/components/route/httproute.yaml': object(
        'gateway.networking.k8s.io/v1',
        'HTTPRoute',
        '${APP}',
        'spec:\n  hostnames: ["${HOST}"]\n',
      ),
      // A patch leaves the rest to what it patches.
      'kubernetes/apps/components/job/patch.yaml': object('batch/v1', 'CronJob', 'x', 'spec:\n  suspend: true\n'),
      'kubernetes/apps/components/job/kustomization.yaml': 'patches:\n  - path: patch.yaml\n',
    },
    clusters: {},
  },
  'policy-only-allows': one(
    policy('  endpointSelector: {}\n  enableDefaultDeny: {egress: false}\n  ingress: [{}]\n'),
    8,
    'CiliumNetworkPolicy ns/p: denies ingress by default',
    policy('  endpointSelector: {}\n  enableDefaultDeny: {ingress: false, egress: false}\n  ingress: [{}]\n'),
  ),
  'policy-port-complete': one(
    policy('  ingress:\n    - toPorts:\n        - ports:\n            - port: "80"\n'),
    10,
    'CiliumNetworkPolicy ns/p: port 80 has no protocol',
    policy('  ingress:\n    - toPorts:\n        - ports:\n            - {port: "80", protocol: TCP}\n'),
  ),
  'selector-word-known': one(
    join(policy('  endpointSelector:\n    matchLabels:\n      app: other\n'), pod('')),
    9,
    'CiliumNetworkPolicy ns/p: selects by app: other, which nothing has',
    join(policy('  endpointSelector:\n    matchLabels:\n      app: d\n'), pod('')),
  ),
  'monitor-selects-port': one(
    join(
      object('v1', 'Service', 's', 'spec:\n  ports:\n    - {name: http, port: 80}\n'),
      object(
        'monitoring.coreos.com/v1',
        'ServiceMonitor',
        'm',
        'spec:\n  selector: {}\n  endpoints:\n    - port: metrics\n',
      ),
    ),
    18,
    'ServiceMonitor ns/m: port metrics is none of what it selects',
    join(
      object('v1', 'Service', 's', 'spec:\n  ports:\n    - {name: http, port: 80}\n'),
      object(
        'monitoring.coreos.com/v1',
        'ServiceMonitor',
        'm',
        'spec:\n  selector: {}\n  endpoints:\n    - port: http\n',
      ),
      // Strimzi makes the pods.
      object('kafka.strimzi.io/v1beta2', 'Kafka', 'k'),
      object(
        'monitoring.coreos.com/v1',
        'PodMonitor',
        'k',
        'spec:\n  selector: {matchLabels: {strimzi.io/cluster: k}}\n  podMetricsEndpoints:\n    - port: tcp-prometheus\n',
      ),
    ),
  ),
  'taken-object-exists': one(
    pod('      volumes:\n        - {name: a, configMap: {name: other}}\n'),
    12,
    'Deployment ns/d: takes from other, which nothing makes',
    join(pod('      volumes:\n        - {name: a, configMap: {name: a}}\n'), object('v1', 'ConfigMap', 'a')),
  ),
  'service-port-exists': one(
    join(service('metrics'), pod('')),
    9,
    'Service ns/s: no pod has port metrics',
    join(service('http'), pod('')),
  ),
  'pod-wellformed': {
    breaks: { [file]: pod('      volumes:\n        - {name: /ready}\n', '') },
    says: [
      `${file}:12: Deployment ns/d: /ready is no name of a volume`,
      `${file}:14: Deployment ns/d: a container has no image`,
    ],
    sound: { [file]: pod('      volumes:\n        - {name: ready}\n') },
  },
  'health-check-exists': one(
    checked('HelmRelease'),
    12,
    'Kustomization flux-system/x: HelmRelease is no expression',
    checked("status.phase == 'Ready'"),
    flux,
  ),
  'alert-complete': one(
    alert(annotations),
    10,
    'PrometheusRule ns/x: alert XAbsent has no severity that is routed',
    alert(`          labels: {severity: warning}\n${annotations}`),
  ),
  'chart-layer-copied': one(
    repository(''),
    7,
    'OCIRepository ns/x: unpacks the chart',
    repository('    operation: copy\n'),
  ),
  'release-upgrades-crds': one(
    helm('  install: {crds: CreateReplace}\n  upgrade: {crds: Skip}\n'),
    8,
    'HelmRelease ns/x: upgrade leaves CRDs as they are',
    helm('  install: {crds: CreateReplace}\n  upgrade: {crds: CreateReplace}\n'),
  ),
}
