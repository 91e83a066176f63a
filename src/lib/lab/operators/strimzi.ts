/**
 * Strimzi's cluster operator: a Kafka and its node pools become pods with their volumes, Services, budgets and Deployments.
 * Real are scheduling, binding, eviction and addresses; no Kafka runs and nobody can connect.
 */
import { randomBytes } from 'node:crypto'
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import { type Condition, conditionsOf, isTrue, nextConditions, now, statusHolds } from '../kube/conditions.ts'
import { keyOf } from '../kube/reconciler.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'
import { createKeeper, isAmong, type Operator, ownerReference, readSecret, startOperator } from './operator.ts'
import {
  bootstrapName,
  type KafkaNode,
  kafkaBudget,
  kafkaDeployments,
  kafkaServices,
  kafkaSpec,
  type Listener,
  nodeClaims,
  nodeIds,
  nodePod,
  poolSpec,
} from './strimzi-workloads.ts'

const apiVersion = 'kafka.strimzi.io/v1beta2'
const fieldManager = 'strimzi-cluster-operator'

export function startStrimzi(lab: Lab, view: ClusterView): Operator {
  const keeper = createKeeper(view, fieldManager)
  const operator = startOperator(lab, view, {
    name: 'strimzi',
    pod: { 'strimzi.io/kind': 'cluster-operator' },
    kinds: [
      { apiVersion, kind: 'Kafka', reconcile },
      // What a pool says is done with its Kafka; the pools themselves must not be looked at again, for ever.
      { apiVersion, kind: 'KafkaNodePool', reconcile: async () => operator.again('Kafka') as undefined },
    ],
    unplayed: ['KafkaBridge', 'KafkaConnect', 'KafkaConnector', 'KafkaMirrorMaker2', 'KafkaRebalance'].map((kind) => ({
      apiVersion,
      kind,
    })),
    onStart: keeper.forget,
  })
  const labelSelector = 'strimzi.io/cluster'
  const pods = operator.follow({ apiVersion: 'v1', kind: 'Pod', labelSelector })
  const claims = operator.follow({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', labelSelector })
  const services = operator.follow({ apiVersion: 'v1', kind: 'Service', labelSelector })
  const deployments = operator.follow({ apiVersion: 'apps/v1', kind: 'Deployment', labelSelector })

  async function reconcile(kafka: KubeObject): Promise<number | undefined> {
    const pools = operator
      .objects('KafkaNodePool')
      .filter(({ metadata }) => isOf(metadata, kafka))
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    if (pools.length === 0) {
      const message = `KafkaNodePools are enabled, but no KafkaNodePools found for Kafka cluster ${kafka.metadata.name}`
      await write(kafka, [notReady('InvalidResourceException', message)])
      return undefined
    }
    if (kafka.status?.conditions === undefined)
      await write(kafka, [notReady('Creating', 'Kafka cluster is being deployed')])
    const nodes = membersOf(kafka, pools)
    const brokers = nodes.filter(({ pool }) => poolSpec(pool).roles.includes('broker'))
    await keepAuthority(kafka)
    for (const service of kafkaServices(kafka, brokers)) await keeper.keep(service, services)
    await keeper.keep(kafkaBudget(kafka, nodes.length))
    for (const node of nodes) {
      for (const claim of nodeClaims(kafka, node))
        if (!isAmong(claims.list, claim)) await view.writer().apply(claim, fieldManager)
      const pod = nodePod(kafka, node)
      if (!isAmong(pods.list, pod)) await view.writer().apply(pod, fieldManager)
    }
    await writePools(kafka, nodes)
    // The entity operator and the exporter are made once the brokers answer.
    const up = nodes.every(({ name }) => pods.list.some((pod) => pod.metadata.name === name && isTrue(pod, 'Ready')))
    const addresses = listenersOf(kafka)
    const parts = kafkaDeployments(kafka)
    if (up) for (const part of parts) await keeper.keep(part, deployments)
    const running = parts.every(({ metadata }) =>
      deployments.list.some((each) => each.metadata.name === metadata.name && isTrue(each, 'Available')),
    )
    if (!up || !running || addresses === undefined) return undefined
    await write(kafka, [{ type: 'Ready', status: 'True', reason: '', message: '' }], {
      listeners: addresses,
      kafkaNodePools: pools.map(({ metadata }) => ({ name: metadata.name })),
      registeredNodeIds: nodes.map(({ id }) => id),
      clusterId: kafka.status?.clusterId ?? randomBytes(16).toString('base64url'),
      operatorLastSuccessfulVersion: '0.47.0',
      kafkaVersion: kafkaSpec(kafka).kafka.version ?? '4.0.0',
      kafkaMetadataVersion: kafkaSpec(kafka).kafka.metadataVersion ?? '4.0-IV3',
      kafkaMetadataState: 'KRaft',
    })
    return undefined
  }

  const isOf = ({ namespace, labels }: KubeObject['metadata'], kafka: KubeObject) =>
    namespace === kafka.metadata.namespace && labels?.['strimzi.io/cluster'] === kafka.metadata.name

  /** The authority whose certificate clients of the listener `tls` trust. No such key exists here. */
  async function keepAuthority(kafka: KubeObject): Promise<void> {
    const { name, namespace = '' } = kafka.metadata
    for (const authority of ['cluster-ca-cert', 'clients-ca-cert']) {
      if (await readSecret(view, namespace, `${name}-${authority}`)) continue
      const secret: Manifest = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: `${name}-${authority}`,
          namespace,
          labels: { 'strimzi.io/cluster': name, 'strimzi.io/kind': 'Kafka' },
          ownerReferences: [ownerReference(kafka as unknown as Manifest)],
        },
        stringData: {
          'ca.crt': 'the lab has no such certificate\n',
          'ca.password': randomBytes(9).toString('base64url'),
        },
      }
      await view.writer().apply(secret, fieldManager)
    }
  }

  async function writePools(kafka: KubeObject, nodes: KafkaNode[]): Promise<void> {
    for (const pool of new Set(nodes.map((node) => node.pool))) {
      const ids = nodes.filter((node) => node.pool === pool).map(({ id }) => id)
      const status = {
        observedGeneration: pool.metadata.generation,
        nodeIds: ids,
        roles: poolSpec(pool).roles,
        replicas: ids.length,
        ...(kafka.status?.clusterId ? { clusterId: kafka.status.clusterId } : {}),
      }
      if (!statusHolds(pool, status)) await view.writer().patchStatus(pool, status)
    }
  }

  /** Where each listener is reached; undefined as long as a load balancer has no address. */
  function listenersOf(kafka: KubeObject): object[] | undefined {
    const { name: cluster, namespace } = kafka.metadata
    const { listeners = [] } = kafkaSpec(kafka).kafka
    const found = listeners.map((listener: Listener) => {
      const name = bootstrapName(cluster, listener)
      const host = listener.type === 'internal' ? `${name}.${namespace}.svc` : addressOf(name, namespace)
      return host === undefined
        ? undefined
        : {
            name: listener.name,
            addresses: [{ host, port: listener.port }],
            bootstrapServers: `${host}:${listener.port}`,
          }
    })
    return found.every((each) => each !== undefined) ? found : undefined
  }

  function addressOf(name: string, namespace: string | undefined): string | undefined {
    const service = services.list.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)
    const { ingress = [] } = (service?.status?.loadBalancer ?? {}) as { ingress?: { ip?: string }[] }
    return ingress[0]?.ip
  }

  async function write(kafka: KubeObject, conditions: Condition[], details: object = {}): Promise<void> {
    // Strimzi's conditions have no generation of their own.
    const own = nextConditions(kafka, conditions).map(({ observedGeneration: _, reason, message, ...rest }) => ({
      ...rest,
      ...(reason ? { reason, message } : {}),
    }))
    const status = { ...details, conditions: own, observedGeneration: kafka.metadata.generation }
    if (statusHolds(kafka, status)) return
    if (conditionsOf(kafka)[0]?.type !== own[0]?.type)
      lab.log('strimzi', `${keyOf(kafka)}: ${own[0]?.type} at ${now()}`)
    await view.writer().patchStatus(kafka, status)
  }

  return operator
}

const notReady = (reason: string, message: string): Condition => ({ type: 'NotReady', status: 'True', reason, message })

/** Brokers and controllers by number. */
function membersOf(kafka: KubeObject, pools: KubeObject[]): KafkaNode[] {
  const ids = nodeIds(pools)
  return pools
    .flatMap((pool) =>
      (ids.get(pool.metadata.name) ?? []).map((id) => ({
        pool,
        id,
        name: `${kafka.metadata.name}-${pool.metadata.name}-${id}`,
      })),
    )
    .sort((a, b) => a.id - b.id)
}
