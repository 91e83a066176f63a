/** The pods, claims, Services, budgets and Deployments that Strimzi keeps for a Kafka (strimzi 0.47, cluster-operator/model). */
import type { KubeObject } from '../../types.ts'
import type { Manifest } from '../kube/writer.ts'
import { ownerReference } from './operator.ts'

export interface Listener {
  name: string
  port: number
  type: string
  tls?: boolean
  configuration?: {
    externalTrafficPolicy?: string
    bootstrap?: { annotations?: Record<string, string>; alternativeNames?: string[] }
    brokers?: { broker: number; advertisedHost?: string; annotations?: Record<string, string> }[]
  }
}

export interface KafkaSpec {
  kafka: { version?: string; metadataVersion?: string; listeners?: Listener[]; template?: { pod?: object } }
  entityOperator?: { topicOperator?: { resources?: object }; userOperator?: { resources?: object } }
  kafkaExporter?: { resources?: object }
}

interface Volume {
  id?: number
  type: string
  size?: string
  class?: string
}

interface PoolSpec {
  replicas: number
  roles: string[]
  resources?: object
  storage?: { volumes?: Volume[] } & Partial<Volume>
  template?: { pod?: { priorityClassName?: string; affinity?: object } }
}

/** One machine of a cluster: a member of a pool with its number. */
export interface KafkaNode {
  pool: KubeObject
  id: number
  name: string
}

export const poolSpec = ({ spec }: KubeObject): PoolSpec => spec as unknown as PoolSpec
export const kafkaSpec = ({ spec }: KubeObject): KafkaSpec => spec as unknown as KafkaSpec

/** Numbers of `strimzi.io/next-node-ids`, `[0-2, 10]`, in that order. */
export function idRange(annotation = ''): number[] {
  return annotation
    .replace(/[[\]\s]/g, '')
    .split(',')
    .filter(Boolean)
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
}

/** What a pool has it keeps; new members take the next number that the pool asks for, or the lowest that is free. */
export function nodeIds(pools: KubeObject[]): Map<string, number[]> {
  const found = new Map<string, number[]>()
  const kept = ({ status }: KubeObject) => ((status?.nodeIds ?? []) as number[]).slice()
  const taken = new Set(pools.flatMap(kept))
  for (const pool of pools) {
    const { replicas } = poolSpec(pool)
    const ids = kept(pool).slice(0, replicas)
    const wanted = idRange(pool.metadata.annotations?.['strimzi.io/next-node-ids'])
    for (let next = 0; ids.length < replicas; ) {
      const id = wanted.find((each) => !taken.has(each)) ?? next++
      if (taken.has(id)) continue
      taken.add(id)
      ids.push(id)
    }
    found.set(pool.metadata.name, ids)
  }
  return found
}

/** Labels that a Kafka's objects carry; `name` tells its parts from each other. */
const labelsOf = (cluster: string, kind: string, name: string) => ({
  'strimzi.io/cluster': cluster,
  'strimzi.io/kind': kind,
  'strimzi.io/name': name,
})

const nodeLabels = (cluster: string, { pool, name }: KafkaNode): Record<string, string> => ({
  ...labelsOf(cluster, 'Kafka', `${cluster}-kafka`),
  'app.kubernetes.io/name': 'kafka',
  'strimzi.io/broker-role': String(poolSpec(pool).roles.includes('broker')),
  'strimzi.io/controller-role': String(poolSpec(pool).roles.includes('controller')),
  'strimzi.io/pod-name': name,
  'strimzi.io/pool-name': pool.metadata.name,
})

/** What STRIMZI_POD_SECURITY_PROVIDER_CLASS=restricted gives to all of its containers. */
const restricted = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
const podRestricted = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }

const volumesOf = ({ storage = {} }: PoolSpec): Volume[] =>
  (storage.volumes ?? [storage as Volume]).filter(({ type }) => type === 'persistent-claim')
const claimName = ({ name }: KafkaNode, { id }: Volume) => `data${id === undefined ? '' : `-${id}`}-${name}`

export function nodeClaims(kafka: KubeObject, node: KafkaNode): Manifest[] {
  return volumesOf(poolSpec(node.pool)).map((volume) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: {
      name: claimName(node, volume),
      namespace: kafka.metadata.namespace ?? '',
      labels: nodeLabels(kafka.metadata.name, node),
    },
    spec: {
      accessModes: ['ReadWriteOnce'],
      ...(volume.class === undefined ? {} : { storageClassName: volume.class }),
      resources: { requests: { storage: volume.size ?? '1Gi' } },
    },
  }))
}

export function nodePod(kafka: KubeObject, node: KafkaNode): Manifest {
  const pool = poolSpec(node.pool)
  const { version = '4.0.0', listeners = [] } = kafkaSpec(kafka).kafka
  const serves = pool.roles.includes('broker') ? listeners : []
  const volumes = volumesOf(pool).map((volume) => ({
    name: `data-${volume.id ?? 0}`,
    persistentVolumeClaim: { claimName: claimName(node, volume) },
  }))
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: node.name,
      namespace: kafka.metadata.namespace ?? '',
      labels: nodeLabels(kafka.metadata.name, node),
      ownerReferences: [ownerReference(kafka as unknown as Manifest)],
    },
    spec: {
      ...(pool.template?.pod ?? {}),
      securityContext: podRestricted,
      containers: [
        {
          name: 'kafka',
          image: `quay.io/strimzi/kafka:0.47.0-kafka-${version}`,
          resources: pool.resources ?? {},
          ports: [
            { name: 'tcp-kafkaagent', containerPort: 8443 },
            { name: 'tcp-ctrlplane', containerPort: 9090 },
            { name: 'tcp-replication', containerPort: 9091 },
            ...serves.map(({ name, port }) => ({ name: `tcp-${name}`, containerPort: port })),
            { name: 'tcp-prometheus', containerPort: 9404 },
          ],
          securityContext: restricted,
          volumeMounts: volumes.map(({ name }) => ({ name, mountPath: `/var/lib/kafka/${name}` })),
        },
      ],
      volumes,
    },
  }
}

/** ListenersUtils.backwardsCompatibleBootstrapServiceName, backwardsCompatiblePerBrokerServiceName. */
export const bootstrapName = (cluster: string, { type, name }: Pick<Listener, 'type' | 'name'>): string =>
  type === 'internal' ? `${cluster}-kafka-bootstrap` : `${cluster}-kafka-${name}-bootstrap`
const brokerServiceName = ({ pool, id }: KafkaNode, cluster: string, { name, port }: Listener) =>
  `${cluster}-${pool.metadata.name}-${name === 'external' && port === 9094 ? '' : `${name}-`}${id}`

/** The bootstrap Service, the headless one, and for each listener of type loadbalancer one in front of all brokers and one for each. */
export function kafkaServices(kafka: KubeObject, brokers: KafkaNode[]): Manifest[] {
  const { name: cluster, namespace = '' } = kafka.metadata
  const { listeners = [] } = kafkaSpec(kafka).kafka
  const selector = { ...labelsOf(cluster, 'Kafka', `${cluster}-kafka`), 'strimzi.io/broker-role': 'true' }
  const service = (name: string, spec: object, annotations = {}): Manifest => ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name,
      namespace,
      labels: labelsOf(cluster, 'Kafka', `${cluster}-kafka`),
      annotations,
      ownerReferences: [ownerReference(kafka as unknown as Manifest)],
    },
    spec: { ...spec },
  })
  const portOf = ({ name, port }: Listener) => ({ name: `tcp-${name}`, port, targetPort: port, protocol: 'TCP' })
  const internal = [
    { name: 'tcp-replication', port: 9091, targetPort: 9091, protocol: 'TCP' },
    ...listeners.filter(({ type }) => type === 'internal').map(portOf),
  ]
  const outside = listeners.filter(({ type }) => type === 'loadbalancer')
  return [
    service(`${cluster}-kafka-bootstrap`, { selector, ports: internal }),
    service(`${cluster}-kafka-brokers`, {
      clusterIP: 'None',
      publishNotReadyAddresses: true,
      selector,
      ports: internal,
    }),
    ...outside.flatMap((listener) => {
      const { externalTrafficPolicy = 'Cluster', bootstrap, brokers: own = [] } = listener.configuration ?? {}
      const spec = { type: 'LoadBalancer', externalTrafficPolicy, ports: [portOf(listener)] }
      return [
        service(bootstrapName(cluster, listener), { ...spec, selector }, bootstrap?.annotations),
        ...brokers.map((node) =>
          service(
            brokerServiceName(node, cluster, listener),
            { ...spec, selector: { 'strimzi.io/cluster': cluster, 'strimzi.io/pod-name': node.name } },
            own.find(({ broker }) => broker === node.id)?.annotations,
          ),
        ),
      ]
    }),
  ]
}

/** One at a time, over brokers and controllers together (PodDisruptionBudgetUtils.createCustomControllerPodDisruptionBudget). */
export function kafkaBudget(kafka: KubeObject, nodes: number): Manifest {
  const { name: cluster, namespace = '' } = kafka.metadata
  return {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: {
      name: `${cluster}-kafka`,
      namespace,
      ownerReferences: [ownerReference(kafka as unknown as Manifest)],
    },
    spec: {
      minAvailable: Math.max(0, nodes - 1),
      selector: { matchLabels: labelsOf(cluster, 'Kafka', `${cluster}-kafka`) },
    },
  }
}

/** The operators of topics and users in one pod, and the exporter of consumer lag. */
export function kafkaDeployments(kafka: KubeObject): Manifest[] {
  const { name: cluster, namespace = '' } = kafka.metadata
  const { entityOperator, kafkaExporter, kafka: brokers } = kafkaSpec(kafka)
  const deployment = (part: string, containers: object[]): Manifest => {
    const labels = { ...labelsOf(cluster, 'Kafka', `${cluster}-${part}`), 'app.kubernetes.io/name': part }
    return {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name: `${cluster}-${part}`,
        namespace,
        labels,
        ownerReferences: [ownerReference(kafka as unknown as Manifest)],
      },
      spec: {
        replicas: 1,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { securityContext: podRestricted, containers } },
      },
    }
  }
  const container = (name: string, image: string, resources = {}, port: { name: string; containerPort: number }) => ({
    name,
    image,
    resources,
    ports: [port],
    securityContext: restricted,
  })
  const { topicOperator, userOperator } = entityOperator ?? {}
  const operator = 'quay.io/strimzi/operator:0.47.0'
  const entities = [
    ...(topicOperator
      ? [container('topic-operator', operator, topicOperator.resources, { name: 'healthcheck', containerPort: 8080 })]
      : []),
    ...(userOperator
      ? [container('user-operator', operator, userOperator.resources, { name: 'healthcheck', containerPort: 8081 })]
      : []),
  ]
  const image = `quay.io/strimzi/kafka:0.47.0-kafka-${brokers.version ?? '4.0.0'}`
  const lag = { name: 'tcp-prometheus', containerPort: 9404 }
  return [
    ...(entities.length > 0 ? [deployment('entity-operator', entities)] : []),
    ...(kafkaExporter
      ? [deployment('kafka-exporter', [container('kafka-exporter', image, kafkaExporter.resources, lag)])]
      : []),
  ]
}
