/** As cases-objects.ts, for rules about what a text or a selector means: queries, expressions, addresses, names in roles. */
import type { Case } from './cases-files.ts'
import { object, release } from './view.ts'

const file = 'kubernetes/infrastructure/x/app/x.yaml'
const join = (...documents: string[]) => documents.join('---\n')

/** One file that breaks the rule at a line, and one that does not. */
const one = (text: string, line: number, message: string, sound: string, path = file): Case => ({
  breaks: { [path]: text },
  says: [`${path}:${line}: ${message}`],
  sound: { [path]: sound },
})

const rule = (expr: string, type = 'prometheus', name = 'x') =>
  object(
    'operator.victoriametrics.com/v1beta1',
    'VMRule',
    name,
    `spec:\n  groups:\n    - name: x\n      type: ${type}\n      rules:\n        - record: x\n          expr: ${expr}\n`,
  )
const policy = (spec: string) => object('cilium.io/v2', 'CiliumNetworkPolicy', 'p', `spec:\n${spec}`)
const deployment = (labels = '{app: d, part: web}', spread = 'd', name = 'd') =>
  object(
    'apps/v1',
    'Deployment',
    name,
    `spec:\n  selector: {matchLabels: {app: d}}\n  template:\n    metadata: {labels: ${labels}}\n    spec:\n      topologySpreadConstraints: [{labelSelector: {matchLabels: {app: ${spread}}}}]\n      containers: [{name: c, ports: [{name: http, containerPort: 8080}]}]\n`,
  )
const admission = (resource: string, expression: string, name = 'x') =>
  join(
    `apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata:\n  name: ${name}\nspec:\n  matchConstraints:\n    resourceRules:\n      - apiGroups: [""]\n        apiVersions: [v1]\n        operations: [UPDATE]\n        resources: [${resource}]\n  variables:\n    - {name: labels, expression: object.metadata.labels}\n  validations:\n    - message: no label may be taken away\n      expression: ${expression}\n`,
    bound(name),
  )
const bound = (name: string) =>
  `apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata:\n  name: x\nspec:\n  policyName: ${name}\n`
const role = (name: string) =>
  `apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: x\n  namespace: ns\nrules:\n  - apiGroups: [""]\n    resources: [services/proxy]\n    resourceNames: ["${name}"]\n    verbs: [get]\n  - apiGroups: [""]\n    resources: [configmaps]\n    verbs: [create]\n  - apiGroups: [""]\n    resources: [configmaps]\n    resourceNames: [own]\n    verbs: [update]\n`
const service = object('v1', 'Service', 's', 'spec:\n  ports:\n    - {name: http, port: 80}\n')
const namespace = 'apiVersion: v1\nkind: Namespace\nmetadata:\n  name: ns\n'
const settings = (url: string, name = 'x') => object('v1', 'ConfigMap', name, `data:\n  url: ${url}\n`)

const config = (key: string, text: string, name = 'x') =>
  object('v1', 'ConfigMap', name, `data:\n  ${key}: |\n    ${text}\n`)

const gateway = (listener: string) =>
  object('gateway.networking.k8s.io/v1', 'Gateway', 'gw', `spec:\n  listeners:\n    - {name: https, ${listener}}\n`)
const route = (host: string, space = 'ns', name = 'x') =>
  object(
    'gateway.networking.k8s.io/v1',
    'HTTPRoute',
    name,
    `spec:\n  parentRefs:\n    - {name: gw, namespace: ns}\n  hostnames: [${host}]\n`,
    space,
  )
const certificate = (spec: string, name = 'x') => object('cert-manager.io/v1', 'Certificate', name, `spec: {${spec}}\n`)
const issuer = (spec: string, name: string) => object('cert-manager.io/v1', 'Issuer', name, `spec: {${spec}}\n`)
const talconfig = 'talos/infra/talconfig.yaml'
const nodes = (...links: string[]) =>
  `nodes:\n${links.map((link, index) => `  - hostname: ${'abc'[index]}\n    networkInterfaces: [${link}]\n`).join('')}`

const container = (fields: string, pod = '') =>
  object(
    'apps/v1',
    'Deployment',
    'd',
    `spec:\n  template:\n    spec:\n${pod}      containers:\n        - {name: c, ${fields}}\n`,
  )
const closed = join(
  policy('  endpointSelector: {}\n  enableDefaultDeny: {egress: true, ingress: false}\n  egress: [{}]\n'),
  policy(
    '  endpointSelector: {matchLabels: {k8sops.dev/d: client}}\n  egress: [{toEndpoints: [{matchLabels: {app: d}}]}]\n',
  ).replace('name: p', 'name: clients'),
  policy(
    '  endpointSelector: {matchLabels: {k8sops.dev/x: client}}\n  egress: [{toFQDNs: [{matchName: x.org}], toPorts: [{ports: [{port: "443", protocol: TCP}]}]}]\n',
  ).replace('name: p', 'name: outside'),
)
const service2 = object('v1', 'Service', 'd', 'spec:\n  selector: {app: d}\n  ports: [{port: 80, targetPort: http}]\n')
const client = (labels: string, url = 'http://d.ns.svc', name = 'c') =>
  object(
    'apps/v1',
    'Deployment',
    name,
    `spec:\n  template:\n    metadata: {labels: ${labels}}\n    spec:\n      containers:\n        - env:\n            - {name: A, value: ${url}}\n`,
  )

export const referenceCases: Record<string, Case> = {
  'query-wellformed': {
    breaks: { [file]: join(rule('sum by (a) (x) /'), rule('Alerts do not arrive', 'prometheus', 'w')) },
    says: [
      `${file}:12: VMRule ns/x: x asks nothing: the end stands where a value should`,
      `${file}:25: VMRule ns/w: x asks nothing: do stands where the end should`,
    ],
    sound: {
      [file]: join(
        rule('sum by (a) (rate(x{b=~"c|d"}[5m] offset 1h)) / on (a) group_left (e) y unless z == 1'),
        rule('quantile_over_time(0.9, x[1h:5m]) or topk(3, x) by (a)'),
        rule('error AND _time:5m | stats count()', 'vlogs'),
      ),
    },
  },
  'query-names-exist': {
    breaks: {
      [file]: join(
        deployment(),
        namespace,
        rule('kube_deployment_spec_replicas{namespace="ns", deployment="e"}'),
        rule('up{namespace="other"}', 'prometheus', 'w'),
      ),
    },
    says: [
      `${file}:30: VMRule ns/x: x: no Deployment is called ns/e`,
      `${file}:43: VMRule ns/w: x: namespace other is not made`,
    ],
    sound: {
      [file]: join(
        deployment(),
        namespace,
        rule(
          'kube_deployment_spec_replicas{namespace="ns", deployment="d"} or kube_deployment_spec_replicas{deployment=~"e.*"}',
        ),
      ),
    },
  },
  'selector-selects': {
    breaks: {
      [file]: join(
        deployment(),
        policy(
          '  endpointSelector: {matchLabels: {app: d, part: worker}}\n  egress: [{toEndpoints: [{matchLabels: {app: e}}]}]\n',
        ),
        object('v1', 'Service', 's', 'spec:\n  selector: {part: worker}\n'),
      ),
    },
    says: [
      `${file}:20: CiliumNetworkPolicy ns/p: selects no pod (app In d, part In worker, io.kubernetes.pod.namespace In ns)`,
      `${file}:21: CiliumNetworkPolicy ns/p: selects no pod (app In e, io.kubernetes.pod.namespace In ns)`,
      `${file}:29: Service ns/s: selects no pod (part In worker)`,
    ],
    sound: {
      [file]: join(
        deployment(),
        policy(
          '  endpointSelector: {matchLabels: {app: d, part: web}}\n  ingress: [{fromEndpoints: [{matchLabels: {k8sops.dev/s: client}}]}]\n',
        ),
        object('v1', 'Service', 's', 'spec:\n  selector: {part: web}\n'),
      ),
    },
  },
  'policy-port-exists': one(
    join(
      deployment(),
      policy(
        '  endpointSelector: {}\n  ingress: [{fromEndpoints: [{}], toPorts: [{ports: [{port: "80", protocol: TCP}]}]}]\n',
      ),
    ),
    21,
    'CiliumNetworkPolicy ns/p: opens port 80, which no pod has that it leads to',
    join(
      deployment(),
      policy(
        '  endpointSelector: {}\n  ingress: [{fromEndpoints: [{}], toPorts: [{ports: [{port: "8080", protocol: TCP}]}]}]\n',
      ),
    ),
  ),
  'workload-selects-itself': {
    breaks: { [file]: join(deployment('{app: e}'), deployment('{app: d}', 'e', 'e')) },
    says: [
      `${file}:7: Deployment ns/d: does not select its own pods`,
      `${file}:11: Deployment ns/d: spreads pods of others`,
      `${file}:24: Deployment ns/e: spreads pods of others`,
    ],
    sound: { [file]: deployment() },
  },
  'admission-policy-bound': one(
    `${admission('nodes', 'object.a == variables.labels')}`.replace('policyName: x', 'policyName: y'),
    4,
    'ValidatingAdmissionPolicy x: is bound by nothing',
    admission('nodes', 'object.a == variables.labels'),
  ),
  'admission-policy-sound': {
    breaks: { [file]: join(admission('v1', 'variables.notes'), admission('nodes', 'size(variables.labels) ==', 'w')) },
    says: [
      `${file}:11: ValidatingAdmissionPolicy x: v1 is in no API group of this rule`,
      `${file}:13: ValidatingAdmissionPolicy x: uses no variable labels`,
      `${file}:16: ValidatingAdmissionPolicy x: variables.notes is nothing that an expression is given`,
      `${file}:16: ValidatingAdmissionPolicy x: variables.notes decides nothing`,
      `${file}:37: ValidatingAdmissionPolicy w: uses no variable labels`,
      `${file}:40: ValidatingAdmissionPolicy w: no expression: the end stands where a value should`,
    ],
    sound: {
      [file]: admission('nodes/status', 'variables.labels.all(key, key in oldObject.metadata.?labels.orValue({}))'),
    },
  },
  'role-names-exist': one(
    join(role('other:http'), service),
    9,
    'Role ns/x: no services is called other:http',
    join(role('s:http'), service),
  ),
  'embedded-text-valid': {
    breaks: {
      [file]: join(config('a.yaml', 'a: 1\n    a: 2'), config('a.json', '{"a": }', 'w'), config('b.yaml', 'a:', 'v')),
    },
    says: [
      `${file}:7: ConfigMap ns/x: a.yaml: Map keys must be unique at line 2, column 1:`,
      `${file}:17: ConfigMap ns/w: a.json: Unexpected token '}', "{"a": }\n" is not valid JSON`,
      `${file}:26: ConfigMap ns/v: b.yaml: a has no value`,
    ],
    sound: { [file]: join(config('a.yaml', 'a: "{{ .b }}"'), config('a.json', '{"a": 1}'), config('a.sh', 'a: : b')) },
  },
  'gatus-endpoint-complete': one(
    config(
      'x.yaml',
      'endpoints:\n      - {name: x, group: a, url: https://example.org, interval: 1m, conditions: [STATUS]}',
      'gatus',
    ),
    7,
    'ConfigMap ns/gatus: endpoint x asks STATUS, which is no condition',
    config(
      'x.yaml',
      'endpoints:\n      - {name: x, group: a, url: https://example.org, interval: 1m, conditions: ["[STATUS] == 200"]}',
      'gatus',
    ),
  ),
  'service-address-exists': {
    breaks: {
      [file]: join(
        namespace,
        service,
        settings('http://s.ns.svc.cluster.local:8080/x'),
        settings('http://t.ns.svc', 'w'),
        settings('https://s.other.svc', 'z'),
      ),
    },
    says: [
      `${file}:21: ConfigMap ns/x: Service ns/s has no port 8080`,
      `${file}:29: ConfigMap ns/w: no Service ns/t is there`,
      `${file}:37: ConfigMap ns/z: namespace other is not made`,
    ],
    sound: {
      [file]: join(
        namespace,
        service,
        settings('jdbc:postgresql://s.ns.svc.cluster.local:80/a?sslmode=require'),
        settings('http://a.s.ns.svc'),
        settings('https://kubernetes.default.svc'),
      ),
    },
  },
  'route-is-admitted': {
    breaks: { [file]: join(gateway('hostname: "*.a.org"'), route('b.org'), route('x.a.org', 'other', 'w')) },
    says: [
      `${file}:17: HTTPRoute ns/x: Gateway gw serves none of b.org`,
      `${file}:27: HTTPRoute other/w: Gateway gw admits no route of namespace other`,
    ],
    sound: {
      [file]: join(
        gateway('hostname: "*.a.org", allowedRoutes: {namespaces: {from: All}}'),
        route('x.a.org'),
        route('x.a.org', 'other', 'w'),
      ),
    },
  },
  'certificate-sound': {
    breaks: {
      [file]: join(
        certificate('secretName: s', 'x'),
        issuer('ca: {secretName: s}', 'a'),
        issuer('selfSigned: {}', 'self'),
        certificate('dnsNames: [a.org], issuerRef: {name: self}', 'w'),
      ),
    },
    says: [
      `${file}:6: Certificate ns/x: names nobody`,
      `${file}:13: Issuer ns/a: signs with s, the certificate of no authority`,
      `${file}:27: Certificate ns/w: signs itself and is no authority`,
    ],
    sound: {
      [file]: join(
        certificate('secretName: s, commonName: ca, isCA: true, issuerRef: {name: self}'),
        issuer('ca: {secretName: s}', 'a'),
        issuer('selfSigned: {}', 'self'),
      ),
    },
  },
  'private-key-stated': one(
    certificate('privateKey: {algorithm: ECDSA, size: 256}'),
    6,
    'Certificate ns/x: privateKey.rotationPolicy is unset',
    certificate('privateKey: {algorithm: Ed25519, rotationPolicy: Always}'),
  ),
  'listener-has-certificate': one(
    join(
      gateway('hostname: x.b.org, tls: {certificateRefs: [{name: s}]}'),
      certificate('secretName: s, dnsNames: [b.org, "*.a.org"]'),
    ),
    8,
    'Gateway ns/gw: listener https has no certificate for x.b.org',
    join(
      gateway('hostname: x.a.org, tls: {certificateRefs: [{name: s}]}'),
      certificate('secretName: s, dnsNames: [b.org, "*.a.org"]'),
    ),
  ),
  'schedule-says-zone': one(
    object('batch/v1', 'CronJob', 'c', 'spec:\n  schedule: 0 3 * * *\n'),
    7,
    'CronJob ns/c: says no timeZone',
    object('batch/v1', 'CronJob', 'c', 'spec:\n  schedule: 0 3 * * *\n  timeZone: Etc/UTC\n'),
  ),
  'machines-agree': {
    breaks: {
      [talconfig]: 'cniConfig: {name: none}\npatches: ["@../patches/a.yaml"]\n',
      'talos/patches/a.yaml': 'cluster: {proxy: {disabled: false}}\nmachine: {files: [{content: a = true}]}\n',
      [file]: join(
        release('cilium', '1.19.3', 'kubeProxyReplacement: true\n'),
        release('rook-ceph', 'v1.19.4', '{}\n'),
      ),
    },
    says: [
      `${talconfig}:1: cluster.proxy.disabled is false, and HelmRelease ns/cilium needs true`,
      `${talconfig}:1: machine.kernel.modules is unset, and HelmRelease ns/rook-ceph needs nbd`,
    ],
    sound: {
      [talconfig]: 'cniConfig: {name: none}\npatches: ["@../patches/a.yaml"]\n',
      'talos/patches/a.yaml': 'cluster: {proxy: {disabled: true}}\nmachine: {kernel: {modules: [{name: nbd}]}}\n',
      [file]: join(
        release('cilium', '1.19.3', 'kubeProxyReplacement: true\n'),
        release('rook-ceph', 'v1.19.4', '{}\n'),
      ),
    },
  },
  'machines-alike': one(
    nodes('{mtu: 9000, bond: {miimon: 100}}', '{mtu: 9000, bond: {miimon: 100}}', '{mtu: 9000, bond: {}}'),
    6,
    'c lacks networkInterfaces.0.bond.miimon: 100, which the other nodes have',
    nodes('{mtu: 9000, addresses: [10.0.0.1/24]}', '{mtu: 9000, vip: {ip: 10.0.0.9}}', '{mtu: 9000}'),
    talconfig,
  ),
  'flow-is-open': {
    breaks: { [file]: join(closed, service2, deployment(), client('{app: c}'), client('{}', 'https://x.org/a', 'e')) },
    says: [
      `${file}:62: Deployment ns/c: ns/c may not reach ns/d:8080 (egress: no rule allows it, and these close the direction)`,
      `${file}:75: Deployment ns/e: ns/e may not reach x.org:443`,
    ],
    sound: {
      [file]: join(
        closed,
        service2,
        deployment(),
        client('{app: c, k8sops.dev/d: client}'),
        client('{k8sops.dev/x: client}', 'https://x.org/a', 'e'),
        client('{}', 'https://nobody-says.org', 'f'),
      ),
    },
  },
  'variable-has-value': one(
    container('env: [{name: A}]'),
    10,
    'Deployment ns/d: A has no value',
    container('env: [{name: A, value: ""}]'),
  ),
  'pod-volume-used': one(
    container('image: a', '      volumes: [{name: a, emptyDir: {}}]\n'),
    9,
    'Deployment ns/d: nothing mounts a',
    container('volumeMounts: [{name: a, mountPath: /a}]', '      volumes: [{name: a, emptyDir: {}}]\n'),
  ),
  'container-probed': one(
    container('ports: [{containerPort: 80}], livenessProbe: {tcpSocket: {port: 80}}'),
    10,
    'Deployment ns/d: container c has no readinessProbe',
    container(
      'ports: [{containerPort: 80}], livenessProbe: {tcpSocket: {port: 80}}, readinessProbe: {tcpSocket: {port: 80}}',
    ),
  ),
  'token-not-mounted': one(
    container('image: a'),
    8,
    'Deployment ns/d: gets the token of ServiceAccount default',
    container('image: a', '      automountServiceAccountToken: false\n'),
  ),
}
