// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Flux variables
/** As cases-objects.ts, for rules about what somebody else, on either side, has to agree with. Specs stand on one line, the sixth. */
import type { Case } from './cases-files.ts'
import { ks, object, release } from './view.ts'

const file = 'kubernetes/infrastructure/x/app/x.yaml'
const flux = 'kubernetes/infrastructure/x/ks.yaml'
const join = (...documents: string[]) => documents.join('---\n')
const of = (apiVersion: string, kind: string, name: string, spec: object, namespace = 'ns') =>
  object(apiVersion, kind, name, `spec: ${JSON.stringify(spec)}\n`, namespace)
const config = (key: string, text: string) =>
  object('v1', 'ConfigMap', 'c', `data:\n  ${key}: |\n${text.replace(/^(?=.)/gm, '    ')}`)

/** One file that breaks the rule at some lines, and one that does not. */
const one = (text: string, says: string[], sound: string): Case => ({
  breaks: { [file]: text },
  says: says.map((said) => `${file}:${said}`),
  sound: { [file]: sound },
})

const route = (backend: object) =>
  of('gateway.networking.k8s.io/v1', 'HTTPRoute', 'r', { rules: [{ backendRefs: [backend] }] })
const service = (port: object) => of('v1', 'Service', 's', { ports: [{ port: 80, ...port }], selector: { app: 'd' } })
const chart = (layerSelector: object) =>
  join(
    of('helm.toolkit.fluxcd.io/v2', 'HelmRelease', 'h', { chartRef: { kind: 'OCIRepository', name: 'o' } }),
    of('source.toolkit.fluxcd.io/v1', 'OCIRepository', 'o', { url: 'oci://h/o', ref: { tag: '1.0.0' }, layerSelector }),
  )
const peer = (timers: object, gracefulRestart: object) =>
  of('cilium.io/v2', 'CiliumBGPPeerConfig', 'p', { timers, gracefulRestart })
const timers = { connectRetryTimeSeconds: 10, holdTimeSeconds: 30, keepAliveTimeSeconds: 10 }
const restart = { enabled: true, restartTimeSeconds: 120 }
const user = (username: string) =>
  of('operator.victoriametrics.com/v1beta1', 'VMUser', 'u', { username, passwordRef: { name: 't', key: 'p' } })
const password = (username: string) =>
  of('external-secrets.io/v1', 'ExternalSecret', 't', {
    target: { name: 't', template: { data: { username, p: '{{ .p }}' } } },
    data: [{ secretKey: 'p', remoteRef: { key: 'item', property: 'p' } }],
  })
const opened = (labels: object) =>
  of('cilium.io/v2', 'CiliumClusterwideNetworkPolicy', 'p', {
    endpointSelector: {},
    egress: [{ toEndpoints: [{ matchLabels: labels }] }],
  }).replace('  namespace: ns\n', '')
const pod = (spec: object, container: object = {}) => ({
  template: { metadata: { labels: { app: 'd' } }, spec: { ...spec, containers: [{ name: 'c', ...container }] } },
})
const deployment = (spec: object) => of('apps/v1', 'Deployment', 'd', spec)
const ports = { ports: [{ name: 'http', containerPort: 8080 }] }
const reading = deployment(pod({}, { envFrom: [{ secretRef: { name: 's' } }] }))
const spread = { topologySpreadConstraints: [{ maxSkew: 1 }] }
const notifying = (alert: object, provider: object) =>
  join(
    of('notification.toolkit.fluxcd.io/v1beta3', 'Alert', 'a', { providerRef: { name: 'p' }, ...alert }),
    of('notification.toolkit.fluxcd.io/v1beta3', 'Provider', 'p', provider),
  )
const foreign = (spec: string) =>
  ks('x', 'kubernetes/infrastructure/x/app', `  sourceRef:\n    kind: GitRepository\n    name: others\n${spec}`)
const listener = (more: object) =>
  of('gateway.networking.k8s.io/v1', 'Gateway', 'g', {
    listeners: [{ name: 'https', tls: { certificateRefs: [{ name: 's' }] }, ...more }],
  })
const annotated = (annotations: object) =>
  of('gateway.networking.k8s.io/v1', 'Gateway', 'g', { infrastructure: { annotations } })
const [named, addressed] = [
  { 'external-dns.alpha.kubernetes.io/hostname': 'x.org' },
  { 'lbipam.cilium.io/ips': '10.0.0.1' },
]
const database = (affinity: object, parameters: object) =>
  of('postgresql.cnpg.io/v1', 'Cluster', 'pg', { instances: 3, affinity, postgresql: { parameters } })
const backup = (spec: object) => of('postgresql.cnpg.io/v1', 'ScheduledBackup', 'b', spec)
const kafka = (parts: object) => of('kafka.strimzi.io/v1beta2', 'Kafka', 'k', { kafka: parts })
const kept = {
  'auto.create.topics.enable': false,
  'default.replication.factor': 3,
  'min.insync.replicas': 2,
  'offsets.topic.replication.factor': 3,
  'transaction.state.log.min.isr': 2,
  'transaction.state.log.replication.factor': 3,
}
const pool = object(
  'kafka.strimzi.io/v1beta2',
  'KafkaNodePool',
  'broker',
  '  labels: {strimzi.io/cluster: k}\nspec: {roles: [broker], replicas: 1}\n',
)
const outside = (broker: object, more: object = { externalTrafficPolicy: 'Local' }) => ({
  name: 'out',
  type: 'loadbalancer',
  authentication: { type: 'scram-sha-512' },
  configuration: { ...more, brokers: [broker] },
})
const realm = (client: object, more: object = {}) =>
  of('k8s.keycloak.org/v2alpha1', 'KeycloakRealmImport', 'r', {
    realm: {
      enabled: true,
      sslRequired: 'external',
      registrationAllowed: false,
      bruteForceProtected: true,
      accessTokenLifespan: 300,
      ...more,
      clients: [{ clientId: 'c', ...client }],
    },
  })
const flows = { enabled: true, protocol: 'openid-connect', standardFlowEnabled: true, directAccessGrantsEnabled: false }
const kubeconfig = (user: string) =>
  `kind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a, user: u}}]\nclusters: [{name: a, cluster: {server: "https://a", certificate-authority: /ca}}]\nusers: [{name: u, user: ${user}}]\n`

export const familyCases: Record<string, Case> = {
  'route-backend-port': {
    breaks: { [file]: join(route({ name: 's' }), route({ name: 's', port: 8080 }), service({})) },
    says: [
      `${file}:6: HTTPRoute ns/r: names no port of Service s`,
      `${file}:6: HTTPRoute ns/r: Service s has no port 8080`,
    ],
    sound: { [file]: join(route({ name: 's', port: 80 }), route({ name: 'not-here', port: 1 }), service({})) },
  },
  'chart-layer-named': one(
    chart({ operation: 'copy' }),
    ['13: OCIRepository ns/o: names no layer for the chart'],
    chart({ mediaType: 'application/vnd.cncf.helm.chart.content.v1.tar+gzip', operation: 'copy' }),
  ),
  'bgp-timers-stated': one(
    join(peer({ ...timers, holdTimeSeconds: undefined }, restart), peer({ ...timers, holdTimeSeconds: 20 }, {})),
    [
      '6: CiliumBGPPeerConfig ns/p: timers.holdTimeSeconds is unset',
      '6: CiliumBGPPeerConfig ns/p: gracefulRestart.enabled is unset',
      '6: CiliumBGPPeerConfig ns/p: holds for 20 s, less than three keepalives of 10 s',
    ],
    peer(timers, restart),
  ),
  'user-is-somebody': one(
    join(user('a'), password('b')),
    ['6: VMUser ns/u: nobody comes as a', '13: ExternalSecret ns/t: comes as b, which is no VMUser'],
    join(user('a'), password('a')),
  ),
  'substitute-used': {
    breaks: {
      [flux]: ks(
        'x',
        'kubernetes/infrastructure/x/app',
        '  postBuild:\n    substitute:\n      APP: x\n      PORTT: "80"\n',
      ),
      [file]: '# ${APP} and ${PORT:=1}\n',
    },
    says: [`${flux}:12: Kustomization flux-system/x: nothing uses PORTT`],
    sound: {
      [flux]: ks(
        'x',
        'kubernetes/infrastructure/x/app',
        '  postBuild:\n    substitute:\n      APP: x\n      PORT: "80"\n',
      ),
      [file]: '# ${APP} and ${PORT:=1}\n',
    },
  },
  'value-fits-key': one(
    release(
      'metrics-server',
      '3.13.0',
      'replicas: true\nserviceMonitor:\n  enabled: cluster-services\n  interval: soon\nservice:\n  port: 64Mi\n',
    ),
    [
      '11: HelmRelease ns/metrics-server: replicas: true is no number',
      '13: HelmRelease ns/metrics-server: serviceMonitor.enabled: cluster-services is no switch',
      '14: HelmRelease ns/metrics-server: serviceMonitor.interval: soon is no duration',
      '16: HelmRelease ns/metrics-server: service.port: 64Mi is no port',
    ],
    release(
      'metrics-server',
      '3.13.0',
      'replicas: 2\nserviceMonitor:\n  enabled: true\n  interval: 30s\nservice:\n  port: 443\nfoo:\n  size: medium\n',
    ),
  ),
  'policy-peer-has-namespace': one(
    opened({ app: 'd' }),
    ['5: CiliumClusterwideNetworkPolicy p: app In d: in no namespace'],
    join(
      opened({ app: 'd', 'k8s:io.kubernetes.pod.namespace': 'ns' }),
      opened({ 'k8sops.dev/client': 'client' }),
      opened({ 'reserved:host': '' }),
    ),
  ),
  'service-target-stated': one(
    join(service({}), service({ targetPort: 'htp' }), deployment(pod({}, ports))),
    [
      '6: Service ns/s: port 80 says no targetPort',
      '6: Service ns/s: leads to port htp, which no pod has that it selects',
    ],
    join(service({ targetPort: 'http' }), service({ targetPort: 8080 }), deployment(pod({}, ports))),
  ),
  'toleration-says-operator': one(
    deployment(pod({ tolerations: [{ key: 'a', effect: 'NoSchedule' }] })),
    ['6: Deployment ns/d: tolerates a without an operator'],
    deployment(
      pod({
        tolerations: [
          { key: 'a', operator: 'Exists' },
          { key: 'b', value: 'c' },
        ],
      }),
    ),
  ),
  'probe-says-path': one(
    deployment(pod({}, { livenessProbe: { httpGet: { port: 'http' } } })),
    ['6: Deployment ns/d: livenessProbe says no path'],
    deployment(pod({}, { livenessProbe: { httpGet: { port: 'http', path: '/' } }, readinessProbe: { exec: {} } })),
  ),
  'pod-user-whole': one(
    join(
      deployment(pod({ securityContext: { runAsUser: 1 } })),
      deployment(pod({ volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'v' } }] })),
    ),
    [
      '6: Deployment ns/d: runAsGroup is unset',
      '6: Deployment ns/d: fsGroup is unset',
      '6: Deployment ns/d: fsGroupChangePolicy is unset',
    ],
    join(
      deployment(pod({})),
      deployment(
        pod({
          securityContext: { runAsUser: 1, runAsGroup: 1, fsGroup: 1, fsGroupChangePolicy: 'OnRootMismatch' },
          volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'v' } }],
        }),
      ),
    ),
  ),
  'restarted-for-changes': one(
    reading,
    ['3: Deployment ns/d: has no annotation reloader.stakater.com/auto'],
    join(
      reading.replace('spec:', '  annotations: {reloader.stakater.com/auto: "true"}\nspec:'),
      reading.replace('Deployment', 'CronJob'),
      deployment(pod({})),
    ),
  ),
  'spread-has-replicas': one(
    join(
      deployment({ ...pod(spread), replicas: 1 }),
      release('metrics-server', '3.13.0', 'podDisruptionBudget:\n  enabled: true\n  maxUnavailable: 1\n'),
    ),
    [
      '6: Deployment ns/d: replicas is 1, beside topologySpreadConstraints',
      '17: HelmRelease ns/metrics-server: replicas is 1, beside a disruption budget',
    ],
    join(
      deployment({ ...pod(spread), replicas: 2 }),
      deployment(pod({})),
      release('metrics-server', '3.13.0', 'replicas: 2\npodDisruptionBudget:\n  enabled: true\n  maxUnavailable: 1\n'),
      release('metrics-server', '3.13.0', 'podDisruptionBudget:\n  enabled: false\n', 'other'),
    ),
  ),
  'event-says-whose': {
    clusters: { infra: {}, apps: {} },
    breaks: {
      [file]: join(
        notifying({}, { type: 'slack' }),
        notifying({}, { type: 'github' })
          .replace(/: (a|p)$/gm, ': $1$1')
          .replace('"p"', '"pp"'),
      ),
    },
    says: [
      `${file}:6: Alert ns/a: eventSeverity is unset`,
      `${file}:6: Alert ns/a: eventMetadata.cluster is unset`,
      `${file}:27: Provider ns/pp: commitStatusExpr is unset`,
    ],
    sound: {
      [file]: join(
        notifying({ eventSeverity: 'error', eventMetadata: { cluster: 'a' } }, { type: 'slack' }),
        notifying({}, { type: 'github', commitStatusExpr: "'a'" })
          .replace(/: (a|p)$/gm, ': $1$1')
          .replace('"p"', '"pp"'),
      ),
    },
  },
  'foreign-source-confined': {
    breaks: { [flux]: foreign('  targetNamespace: ns\n') },
    says: [`${flux}:6: Kustomization flux-system/x: applies another repository without serviceAccountName`],
    sound: { [flux]: foreign('  targetNamespace: ns\n  serviceAccountName: x\n') },
  },
  'listener-says-host': one(
    listener({}),
    ['6: Gateway ns/g: listener https says no hostname'],
    listener({ hostname: '*.x.org' }),
  ),
  'published-has-address': one(
    join(annotated(named), annotated(addressed)),
    [
      '6: Gateway ns/g: external-dns.alpha.kubernetes.io/hostname without lbipam.cilium.io/ips',
      '6: Gateway ns/g: lbipam.cilium.io/ips without external-dns.alpha.kubernetes.io/hostname',
    ],
    annotated({ ...named, ...addressed }),
  ),
  'database-spread': one(
    database({}, { max_connections: '1' }),
    ['6: Cluster ns/pg: its instances may stand on one node', '6: Cluster ns/pg: shared_buffers is unset'],
    database({ podAntiAffinityType: 'required' }, { max_connections: '1', shared_buffers: '1MB' }),
  ),
  'base-backup-made': one(
    backup({ immediate: true, method: 'plugin', pluginConfiguration: { name: 'barman-cloud.cloudnative-pg.io' } }),
    ['6: ScheduledBackup ns/b: backupOwnerReference is unset, not self'],
    backup({
      immediate: true,
      method: 'plugin',
      pluginConfiguration: { name: 'barman-cloud.cloudnative-pg.io' },
      backupOwnerReference: 'self',
    }),
  ),
  'kafka-outlives-broker': one(
    kafka({ version: '4.0.0', config: { ...kept, 'min.insync.replicas': 1, 'auto.create.topics.enable': undefined } }),
    [
      '6: Kafka ns/k: min.insync.replicas is 1, less than 2',
      '6: Kafka ns/k: auto.create.topics.enable is not false',
      '6: Kafka ns/k: metadataVersion is unset',
    ],
    kafka({ version: '4.0.0', metadataVersion: '4.0', config: kept }),
  ),
  'kafka-listener-whole': one(
    join(
      kafka({
        listeners: [
          { name: 'open', type: 'internal' },
          outside({ broker: 1, advertisedHost: 'a.org', annotations: named }, {}),
        ],
      }),
    ),
    [
      '6: Kafka ns/k: listener open asks nobody who it is',
      '6: Kafka ns/k: listener out has addresses for 1 of 0 brokers',
      '6: Kafka ns/k: listener out tells clients another name of broker 1 than is published',
      '6: Kafka ns/k: listener out has 1 where broker 0 belongs',
      '6: Kafka ns/k: listener out hides who calls: externalTrafficPolicy is not Local',
    ],
    join(kafka({ listeners: [outside({ broker: 0, advertisedHost: 'x.org', annotations: named })] }), pool),
  ),
  'realm-guarded': one(
    join(realm({ ...flows, publicClient: true }, { bruteForceProtected: undefined }), realm({ publicClient: false })),
    [
      '6: KeycloakRealmImport ns/r: bruteForceProtected is not true',
      '6: KeycloakRealmImport ns/r: client c is public and has no PKCE',
      '6: KeycloakRealmImport ns/r: client c sends browsers back to nowhere',
      '6: KeycloakRealmImport ns/r: client c does not say enabled',
      '6: KeycloakRealmImport ns/r: client c does not say protocol',
      '6: KeycloakRealmImport ns/r: client c does not say standardFlowEnabled',
      '6: KeycloakRealmImport ns/r: client c does not say directAccessGrantsEnabled',
      '6: KeycloakRealmImport ns/r: client c is not public and has no secret',
    ],
    realm({
      ...flows,
      publicClient: true,
      redirectUris: ['https://x.org/*'],
      attributes: { 'pkce.code.challenge.method': 'S256' },
    }),
  ),
  'script-sound': one(
    config('x.sh', 'a=1\necho "$a" "$b" \\\necho "$HOME"\ncat "$a/y.txt"\n'),
    [
      '7: ConfigMap ns/c: x.sh: $b is set nowhere',
      '7: ConfigMap ns/c: x.sh: line 2 goes on with echo',
      '7: ConfigMap ns/c: x.sh: reads y.txt, which is not beside it',
    ],
    config('x.sh', 'IFS= read -r a\nfor b in 1 2; do echo "$a" \\\n  "$b"; done\n'),
  ),
  'kubeconfig-whole': one(
    config('config', kubeconfig('{}')),
    ['7: ConfigMap ns/c: config: the user of the context is nobody'],
    config('config', kubeconfig('{tokenFile: /token}')),
  ),
  'tunnel-ingress-whole': one(
    config('c.yaml', 'ingress:\n  - hostname: "*.x.org"\n    service: https://a\n'),
    [
      '7: ConfigMap ns/c: c.yaml: no rule for everything else',
      '7: ConfigMap ns/c: c.yaml: rule 0: no originServerName for https://a',
    ],
    config(
      'c.yaml',
      'ingress:\n  - hostname: "*.x.org"\n    service: https://a\n    originRequest: {originServerName: a.x.org}\n  - service: http_status:404\n',
    ),
  ),
  'jmx-rule-whole': one(
    config('k.yaml', 'rules:\n  - pattern: a<(.+)>\n    name: a_$1_$2\n'),
    [
      '7: ConfigMap ns/c: k.yaml: rule 0 has no type',
      '7: ConfigMap ns/c: k.yaml: rule 0 takes a group that its pattern has not',
    ],
    config('k.yaml', 'rules:\n  - pattern: a<(.+)>\n    name: a_$1\n    type: GAUGE\n'),
  ),
}
