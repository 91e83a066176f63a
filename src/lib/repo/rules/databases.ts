/** Databases and brokers keep what was written to them when a machine is lost. */
import { dig, listAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import { type ClusterView, ofKind, type RenderedObject } from './view.ts'

export const databaseRules: Rule[] = [
  {
    id: 'database-spread',
    demands:
      'Instances of a database stand on different nodes, and it says how many connections and how much memory it has for all',
    why: 'Of two instances on one machine the standby goes with the primary; PostgreSQL’s own 100 connections are for one application',
    fix: 'affinity: {podAntiAffinityType: required, topologyKey: kubernetes.io/hostname}, postgresql.parameters: max_connections, shared_buffers',
    source: 'NFR21, CloudNativePG 1.28',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'Cluster.postgresql.cnpg.io')
        .filter((one) => !one.release && Number(textAt(one.object(), 'spec.instances')) > 1)
        .flatMap((one) => [
          ...(textAt(one.object(), 'spec.affinity.podAntiAffinityType') === 'required'
            ? []
            : [about(one, 'its instances may stand on one node', ['spec', 'affinity'])]),
          ...['max_connections', 'shared_buffers']
            .filter((key) => textAt(one.object(), ['spec', 'postgresql', 'parameters', key]) === undefined)
            .map((key) => about(one, `${key} is unset`, ['spec', 'postgresql'])),
        ]),
    ),
  },
  {
    id: 'base-backup-made',
    demands: 'A ScheduledBackup is made at once, by the plugin that archives the WAL, and belongs to it',
    why: 'WAL without a base backup restores nothing; without an owner what was backed up is listed for ever',
    fix: 'immediate: true, method: plugin, pluginConfiguration.name: barman-cloud.cloudnative-pg.io, backupOwnerReference: self',
    source: 'FR31, ADR 0012',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) =>
      ofKind(cluster, 'ScheduledBackup.postgresql.cnpg.io').flatMap((one) =>
        Object.entries({
          immediate: 'true',
          method: 'plugin',
          'pluginConfiguration.name': 'barman-cloud.cloudnative-pg.io',
          backupOwnerReference: 'self',
        })
          .filter(([key, wanted]) => String(dig(one.object(), `spec.${key}`)) !== wanted)
          .map(([key, wanted]) =>
            about(one, `${key} is ${dig(one.object(), `spec.${key}`) ?? 'unset'}, not ${wanted}`, ['spec']),
          ),
      ),
    ),
  },
  {
    id: 'kafka-outlives-broker',
    demands:
      'Kafka keeps three copies of everything and writes two of them, makes no topic by itself, and its version is stated',
    why: 'By itself Kafka keeps one copy: topics, offsets and transactions are gone with the first disk',
    fix: 'config: default.replication.factor 3, min.insync.replicas 2, offsets and transaction.state.log likewise, auto.create.topics.enable false; version, metadataVersion',
    source: 'NFR21, Strimzi 0.47',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => ofKind(cluster, 'Kafka.kafka.strimzi.io').flatMap(forgetful)),
  },
  {
    id: 'kafka-listener-whole',
    demands:
      'A listener of Kafka asks who calls, and of one that is reached from outside each broker has an address under its own name',
    why: 'A client is told the brokers’ names after it connected: one that leads nowhere stops it there, now and then',
    fix: 'authentication.type; configuration.brokers: one for each broker, advertisedHost as in its annotation; externalTrafficPolicy: Local',
    source: 'Strimzi 0.47',
    scope: 'house',
    check: each((cluster) => ofKind(cluster, 'Kafka.kafka.strimzi.io').flatMap((one) => halfListeners(one, cluster))),
  },
]

const leastOf: Record<string, number> = {
  'default.replication.factor': 3,
  'min.insync.replicas': 2,
  'offsets.topic.replication.factor': 3,
  'transaction.state.log.min.isr': 2,
  'transaction.state.log.replication.factor': 3,
}

function forgetful(one: RenderedObject): Finding[] {
  const path = ['spec', 'kafka', 'config']
  const config = dig(one.object(), path)
  return [
    ...Object.entries(leastOf)
      .filter(([key, least]) => !(Number(textAt(config, [key])) >= least))
      .map(([key, least]) => about(one, `${key} is ${textAt(config, [key]) ?? 'unset'}, less than ${least}`, path)),
    ...(dig(config, ['auto.create.topics.enable']) === false
      ? []
      : [about(one, 'auto.create.topics.enable is not false', path)]),
    ...['version', 'metadataVersion']
      .filter((key) => textAt(one.object(), `spec.kafka.${key}`) === undefined)
      .map((key) => about(one, `${key} is unset`, ['spec', 'kafka'])),
  ]
}

const hostname = 'external-dns.alpha.kubernetes.io/hostname'

function halfListeners(one: RenderedObject, cluster: ClusterView): Finding[] {
  const brokers = ofKind(cluster, 'KafkaNodePool.kafka.strimzi.io')
    .filter((pool) => pool.object().metadata.labels?.['strimzi.io/cluster'] === one.name)
    .filter((pool) => listAt(pool.object(), 'spec.roles').includes('broker'))
    .reduce((sum, pool) => sum + Number(textAt(pool.object(), 'spec.replicas') ?? 0), 0)
  return listAt(one.object(), 'spec.kafka.listeners').flatMap((listener, index) => {
    const path = ['spec', 'kafka', 'listeners', index]
    const says = (message: string) => about(one, `listener ${textAt(listener, 'name')} ${message}`, path)
    const isOpen = textAt(listener, 'authentication.type') === undefined
    const open = isOpen ? [says('asks nobody who it is')] : []
    if (textAt(listener, 'type') !== 'loadbalancer') return open
    const told = listAt(listener, 'configuration.brokers')
    return [
      ...open,
      ...(told.length === brokers ? [] : [says(`has addresses for ${told.length} of ${brokers} brokers`)]),
      ...told
        .filter((broker) => textAt(broker, 'advertisedHost') !== textAt(broker, ['annotations', hostname]))
        .map((broker) => says(`tells clients another name of broker ${textAt(broker, 'broker')} than is published`)),
      ...told
        .filter((broker, at) => textAt(broker, 'broker') !== String(at))
        .map((broker) => says(`has ${textAt(broker, 'broker')} where broker ${told.indexOf(broker)} belongs`)),
      ...(textAt(listener, 'configuration.externalTrafficPolicy') === 'Local'
        ? []
        : [says('hides who calls: externalTrafficPolicy is not Local')]),
    ]
  })
}
