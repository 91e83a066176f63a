/**
 * What operators make of their custom resources, as far as something in a repository selects or names it: pods with their labels and
 * ports, and Services. Each as the pinned version of the operator makes it; names of labels and ports are facts of its API.
 */
import type { KubeObject } from '../types.ts'
import { isFields, listAt, textAt } from './fields.ts'
import { labelsGiven } from './pod-labels.ts'
import { pluralOf } from './schema-tables.ts'

interface Made {
  pods?: {
    labels: Record<string, string>
    ports: Record<string, number>
    /** What makes the pods is called so, where that is not the resource's own name. */
    name?: string
  }[]
  /** Name -> ports. */
  services?: Record<string, Record<string, number>>
}

type Maker = (object: KubeObject) => Made

const pod = (labels: Record<string, string>, ports: Record<string, number> = {}, name?: string) => ({
  labels,
  ports,
  ...(name === undefined ? {} : { name }),
})

/** victoria-metrics operator 0.69: `<prefix>-<name>`, labels of api/operator. */
const victoria =
  (word: string, port: number): Maker =>
  ({ metadata: { name } }) => ({
    pods: [
      pod(
        {
          'app.kubernetes.io/name': word,
          'app.kubernetes.io/instance': name,
          'app.kubernetes.io/component': 'monitoring',
          'managed-by': 'vm-operator',
        },
        { http: port },
        `${word}-${name}`,
      ),
    ],
    services: { [`${word}-${name}`]: { http: port } },
  })

const cephPorts: Record<string, Record<string, number>> = {
  mgr: { 'http-metrics': 9283, 'http-dashboard': 7000, dashboard: 8443 },
  exporter: { 'ceph-exporter-http-metrics': 9926 },
}
const kafkaPorts = { 'tcp-prometheus': 9404, 'tcp-ctrlplane': 9090, 'tcp-replication': 9091, 'tcp-kafkaagent': 8443 }
const listenerPorts = (spec: unknown) =>
  Object.fromEntries(listAt(spec, 'kafka.listeners').map((one) => [textAt(one, 'name'), Number(textAt(one, 'port'))]))

/** By `Kind.group`. */
const makers: Record<string, Maker> = {
  // cloudnative-pg 1.28: pkg/specs/pods.go, services.go.
  'Cluster.postgresql.cnpg.io': ({ metadata: { name } }) => ({
    pods: ['primary', 'replica'].map((role) =>
      pod(
        {
          'cnpg.io/cluster': name,
          'cnpg.io/podRole': 'instance',
          'cnpg.io/instanceRole': role,
          role,
          'app.kubernetes.io/name': 'postgresql',
        },
        { postgresql: 5432, metrics: 9187, status: 8000 },
      ),
    ),
    services: Object.fromEntries(['rw', 'ro', 'r'].map((suffix) => [`${name}-${suffix}`, { postgres: 5432 }])),
  }),
  'Pooler.postgresql.cnpg.io': ({ metadata: { name } }) => ({
    pods: [pod({ 'cnpg.io/poolerName': name, 'cnpg.io/podRole': 'pooler' }, { pgbouncer: 5432, metrics: 9127 })],
    services: { [name]: { pgbouncer: 5432 } },
  }),
  // rook 1.19: pkg/operator/ceph/controller, cluster/mgr, cluster/nodedaemon.
  'CephCluster.ceph.rook.io': ({ metadata: { namespace = '' } }) => ({
    pods: [
      ...['mon', 'osd', 'mds', 'rgw', 'crashcollector', 'mgr', 'exporter'].map((daemon) =>
        pod(
          {
            app: `rook-ceph-${daemon}`,
            rook_cluster: namespace,
            'app.kubernetes.io/part-of': namespace,
            'app.kubernetes.io/created-by': 'rook-ceph-operator',
          },
          cephPorts[daemon] ?? {},
          `rook-ceph-${daemon}`,
        ),
      ),
      // ceph-csi-operator 0.6: internal/controller/driver_controller.go.
      pod({ app: `${namespace}.rbd.csi.ceph.com-ctrlplugin` }, {}, `${namespace}.rbd.csi.ceph.com-ctrlplugin`),
    ],
    services: {
      'rook-ceph-mgr': { 'http-metrics': 9283 },
      'rook-ceph-mgr-dashboard': { 'http-dashboard': 7000, 'https-dashboard': 8443 },
      'rook-ceph-exporter': { 'ceph-exporter-http-metrics': 9926 },
    },
  }),
  // envoyproxy/gateway 1.7: internal/infrastructure/kubernetes/proxy, internal/gatewayapi (privileged ports plus 10000).
  'Gateway.gateway.networking.k8s.io': (object) => {
    const { name, namespace = '' } = object.metadata
    const ports = listAt(object, 'spec.listeners').flatMap((listener) => {
      const port = Number(textAt(listener, 'port'))
      return Number.isInteger(port) ? [[`${port}`, port < 1024 ? port + 10_000 : port] as const] : []
    })
    return {
      pods: [
        pod(
          {
            'app.kubernetes.io/name': 'envoy',
            'app.kubernetes.io/component': 'proxy',
            'app.kubernetes.io/managed-by': 'envoy-gateway',
            'gateway.envoyproxy.io/owning-gateway-name': name,
            'gateway.envoyproxy.io/owning-gateway-namespace': namespace,
          },
          { ...Object.fromEntries(ports), metrics: 19_001, readiness: 19_003 },
        ),
      ],
    }
  },
  // flux-operator 0.59 with the distribution 2.x: each controller and its Services.
  'FluxInstance.fluxcd.controlplane.io': () => ({
    pods: ['source', 'kustomize', 'helm', 'notification'].map((word) =>
      pod(
        {
          app: `${word}-controller`,
          'app.kubernetes.io/part-of': 'flux',
          'app.kubernetes.io/component': `${word}-controller`,
        },
        { http: 9090, 'http-prom': 8080, healthz: 9440 },
        `${word}-controller`,
      ),
    ),
    services: {
      'source-controller': { http: 80 },
      'notification-controller': { http: 80 },
      'webhook-receiver': { http: 80 },
    },
  }),
  'VMAgent.operator.victoriametrics.com': victoria('vmagent', 8429),
  'VMAlert.operator.victoriametrics.com': victoria('vmalert', 8080),
  'VMAlertmanager.operator.victoriametrics.com': victoria('vmalertmanager', 9093),
  'VMAuth.operator.victoriametrics.com': victoria('vmauth', 8427),
  'VMSingle.operator.victoriametrics.com': victoria('vmsingle', 8428),
  'VLSingle.operator.victoriametrics.com': victoria('vlsingle', 9428),
  'VMCluster.operator.victoriametrics.com': (object) => {
    const parts = [victoria('vmselect', 8481), victoria('vminsert', 8480), victoria('vmstorage', 8482)].map((make) =>
      make(object),
    )
    return {
      pods: parts.flatMap(({ pods = [] }) => pods),
      services: Object.assign({}, ...parts.map(({ services }) => services)),
    }
  },
  // strimzi 0.47: labels of api/kafka, Services and ports of KafkaCluster, the listeners' as they are asked for.
  'Kafka.kafka.strimzi.io': ({ metadata: { name }, spec }) => ({
    pods: ['kafka', 'entity-operator', 'kafka-exporter', 'cruise-control'].map((component) =>
      pod(
        {
          'strimzi.io/cluster': name,
          'strimzi.io/kind': 'Kafka',
          'strimzi.io/name': `${name}-${component}`,
          'app.kubernetes.io/name': component,
          'app.kubernetes.io/instance': name,
          'app.kubernetes.io/managed-by': 'strimzi-cluster-operator',
        },
        { ...kafkaPorts, ...listenerPorts(spec) },
        `${name}-${component}`,
      ),
    ),
    services: {
      [`${name}-kafka-bootstrap`]: { 'tcp-clients': 9092, 'tcp-clientstls': 9093 },
      [`${name}-kafka-brokers`]: { 'tcp-clients': 9092, 'tcp-clientstls': 9093 },
    },
  }),
  'KafkaNodePool.kafka.strimzi.io': ({ metadata: { name, labels } }) => ({
    pods: [
      pod(
        {
          'strimzi.io/pool-name': name,
          'strimzi.io/cluster': labels?.['strimzi.io/cluster'] ?? '',
          'strimzi.io/kind': 'Kafka',
        },
        { 'tcp-prometheus': 9404 },
        `${labels?.['strimzi.io/cluster'] ?? ''}-${name}`,
      ),
    ],
  }),
  // Apicurio Registry's operator 3.2.
  'ApicurioRegistry3.registry.apicur.io': ({ metadata: { name } }) => ({
    pods: [
      pod(
        { app: name, 'app.kubernetes.io/component': 'app', 'app.kubernetes.io/name': 'apicurio-registry' },
        { http: 8080, management: 9000 },
      ),
    ],
    services: { [`${name}-app-service`]: { http: 8080 }, [`${name}-ui-service`]: { http: 8080 } },
  }),
  // dragonfly-operator 1.x: internal/resources.
  'Dragonfly.dragonflydb.io': ({ metadata: { name } }) => ({
    pods: ['master', 'replica'].map((role) =>
      pod(
        {
          app: name,
          role,
          'app.kubernetes.io/name': 'dragonfly',
          'app.kubernetes.io/instance': name,
          'app.kubernetes.io/part-of': 'dragonfly',
        },
        { redis: 6379, admin: 9999 },
      ),
    ),
    services: { [name]: { redis: 6379 } },
  }),
  // keycloak operator 26.
  'Keycloak.k8s.keycloak.org': ({ metadata: { name } }) => ({
    pods: [
      pod(
        { app: 'keycloak', 'app.kubernetes.io/instance': name, 'app.kubernetes.io/managed-by': 'keycloak-operator' },
        // The servers find and watch each other by JGroups.
        { http: 8080, https: 8443, management: 9000, jgroups: 7800, 'jgroups-fd': 57_800 },
      ),
    ],
    services: { [`${name}-service`]: { http: 8080, https: 8443, management: 9000 } },
  }),
  // volsync 0.15: controllers/mover. Jobs of both directions.
  ...Object.fromEntries(
    Object.entries({ ReplicationSource: 'src', ReplicationDestination: 'dst' }).map(([kind, word]) => [
      `${kind}.volsync.backube`,
      ({ metadata: { name } }: KubeObject): Made => ({
        pods: [
          pod(
            { 'app.kubernetes.io/created-by': 'volsync', 'app.kubernetes.io/part-of': 'volsync' },
            {},
            `volsync-${word}-${name}`,
          ),
        ],
      }),
    ]),
  ),
}

/**
 * Labels that an operator gives to pods of a kind whatever the resource is called: what may select them before there is one.
 * @param resource of the CRD, `<plural>.<group>`
 */
export function labelsOfKind(resource: string): Record<string, string>[] {
  const unnamed = '*'
  return Object.entries(makers)
    .filter(([kind]) => {
      const [word = '', ...group] = kind.split('.')
      return `${pluralOf(word)}.${group.join('.')}` === resource
    })
    .flatMap(([kind, make]) => {
      const metadata = { name: unnamed, namespace: unnamed }
      const { pods = [] } = make({ apiVersion: '', kind: kind.split('.')[0] ?? '', metadata })
      return pods.map(({ labels }) =>
        Object.fromEntries(Object.entries(labels).filter(([, value]) => !value.includes(unnamed))),
      )
    })
}

/** Pods as Deployments of one container, and Services, in the resource's namespace; nothing for a kind that is not listed. */
export function operatorObjects(object: KubeObject, group: string): KubeObject[] {
  const make = makers[`${object.kind}.${group}`]
  // A manifest may lack its metadata; what is wrong with that is the schema's to tell.
  if (!make || !isFields(object.metadata)) return []
  const { pods = [], services = {} } = make(object)
  const { name, namespace } = object.metadata
  const meta = (own: string) => ({ name: own, ...(namespace === undefined ? {} : { namespace }) })
  return [
    ...pods.map(({ labels, ports, name: own = name }) => ({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: meta(own),
      spec: {
        selector: { matchLabels: labels },
        template: {
          metadata: { labels: { ...labels, ...labelsGiven(object.spec) } },
          spec: {
            containers: [
              { name, ports: Object.entries(ports).map(([port, containerPort]) => ({ name: port, containerPort })) },
            ],
          },
        },
      },
    })),
    ...Object.entries(services).map(([service, ports]) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: meta(service),
      spec: {
        ports: Object.entries(ports).map(([port, number]) => ({ name: port, port: number, targetPort: number })),
      },
    })),
  ] as unknown as KubeObject[]
}
