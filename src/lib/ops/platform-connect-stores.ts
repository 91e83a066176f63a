/** How to connect to what keeps data: Kafka, PostgreSQL, the S3 server. */
import { GateError } from '../errors.ts'
import type { KubeObject, Result } from '../types.ts'
import {
  type ConnectChoice,
  type Connection,
  first,
  listed,
  one,
  type SecretReference,
  setting,
} from './platform-connection.ts'
import { fullName, hostAnnotation, type KafkaListener, type PlatformFacts } from './platform-facts.ts'

export function toKafka(facts: PlatformFacts, { external, name }: ConnectChoice): Connection {
  const kafka = first(facts.kafkas, 'Kafka')
  const { name: cluster, namespace = '' } = kafka.metadata
  const { listeners = [] } = (kafka.spec?.kafka ?? {}) as { listeners?: KafkaListener[] }
  const found = ((kafka.status?.listeners ?? []) as { name: string; bootstrapServers?: string }[]).flatMap((one) => {
    const listener = listeners.find((each) => each.name === one.name)
    return listener ? [{ listener, bootstrap: bootstrapOf(listener, one.bootstrapServers ?? '') }] : []
  })
  const wanted = found.find(({ listener }) => (listener.type === 'internal') === !external)
  if (!wanted) {
    const where = external ? 'outside of the cluster' : 'pods'
    throw new GateError(`Kafka ${fullName(kafka)} has no listener for ${where} that is ready`, {
      next: `kubectl -n ${namespace} get kafka ${cluster} -o yaml`,
    })
  }
  const { listener, bootstrap } = wanted
  const tls = listener.tls === true
  const scram = listener.authentication?.type === 'scram-sha-512'
  const user = listener.authentication ? userOf(facts.users, cluster, name) : undefined
  const secret = String(user?.status?.secret ?? user?.metadata.name ?? '')
  const at = (key: string): SecretReference => ({ namespace: user?.metadata.namespace ?? '', name: secret, key })
  const ownAuthority = tls && listener.configuration?.brokerCertChainAndKey === undefined
  return {
    service: 'kafka',
    object: `Kafka ${fullName(kafka)}`,
    addresses: found.map((one) => ({
      what: `listener ${one.listener.name}${one.listener.tls ? ', TLS' : ''}`,
      address: one.bootstrap,
    })),
    settings: [
      setting('spring.kafka.bootstrap-servers', bootstrap),
      setting('spring.kafka.properties.security.protocol', `${scram ? 'SASL_' : ''}${tls ? 'SSL' : 'PLAINTEXT'}`),
      ...(scram
        ? [
            setting('spring.kafka.properties.sasl.mechanism', 'SCRAM-SHA-512'),
            ...(user ? [setting('spring.kafka.properties.sasl.jaas.config', at('sasl.jaas.config'))] : []),
          ]
        : []),
      ...(ownAuthority
        ? [
            setting('spring.kafka.ssl.trust-store-type', 'PEM'),
            setting('spring.kafka.ssl.trust-store-certificates', {
              namespace,
              name: `${cluster}-cluster-ca-cert`,
              key: 'ca.crt',
            }),
          ]
        : []),
    ],
    notes: [
      ...(external ? [] : ['pods carry the label k8sops.dev/kafka: client']),
      `topics and users are objects with the label strimzi.io/cluster: ${cluster}${watchedIn(kafka)}`,
      ...(listener.authentication && !user ? ['there is no KafkaUser yet: the settings above lack its Secret'] : []),
    ],
  }
}

export function toPostgres(facts: PlatformFacts, { name }: ConnectChoice): Connection {
  const databases = listed(facts.databases, 'Database')
  const database = one(databases, 'Database', name)
  const { metadata, spec } = database
  const {
    cluster,
    owner,
    name: dbname = metadata.name,
  } = spec as {
    cluster: { name: string }
    owner: string
    name?: string
  }
  const server = listed(facts.postgres, 'CloudNativePG Cluster').find(
    (each) => each.metadata.namespace === metadata.namespace && each.metadata.name === cluster.name,
  )
  const role = listed(facts.databaseRoles, 'DatabaseRole').find(
    (each) => each.metadata.namespace === metadata.namespace && (each.spec?.name ?? each.metadata.name) === owner,
  )
  const secret = (role?.spec?.passwordSecret as { name?: string } | undefined)?.name ?? `${cluster.name}-app`
  const namespace = metadata.namespace ?? ''
  const service = String(server?.status?.writeService ?? `${cluster.name}-rw`)
  const host = `${service}.${namespace}.svc.cluster.local`
  const at = (key: string): SecretReference => ({ namespace, name: secret, key })
  return {
    service: 'postgres',
    object: `Database ${fullName(database)}`,
    addresses: [
      { what: 'reads and writes', address: `${host}:5432` },
      {
        what: 'reads',
        address: `${server?.status?.readService ?? `${cluster.name}-r`}.${namespace}.svc.cluster.local:5432`,
      },
    ],
    settings: [
      setting('spring.datasource.url', `jdbc:postgresql://${host}:5432/${dbname}?sslmode=require`),
      setting('spring.datasource.username', owner),
      setting('spring.datasource.password', at('password')),
    ],
    notes: [
      'pods carry the label k8sops.dev/postgres: client',
      `in namespace ${metadata.labels?.['k8sops.dev/namespace'] ?? 'of the application'} Secret ${metadata.name}-postgres has the same`,
    ],
  }
}

export function toS3(facts: PlatformFacts, { name }: ConnectChoice): Connection {
  const bucket = one(listed(facts.buckets, 'S3 server (ConfigMap with k8sops.dev/service=s3)'), 'S3 server', name)
  const { namespace = '', name: own } = bucket.metadata
  const { endpoint = '', region = 'us-east-1', 'path-style-access': pathStyle = 'true' } = bucket.data ?? {}
  const at = (key: string): SecretReference => ({ namespace, name: own, key })
  return {
    service: 's3',
    object: `ConfigMap ${fullName(bucket)}`,
    addresses: [{ what: 'everybody', address: endpoint }],
    settings: [
      setting('spring.cloud.aws.s3.endpoint', endpoint),
      setting('spring.cloud.aws.region.static', region),
      setting('spring.cloud.aws.s3.path-style-access-enabled', pathStyle),
      setting('spring.cloud.aws.credentials.access-key', at('AWS_ACCESS_KEY_ID')),
      setting('spring.cloud.aws.credentials.secret-key', at('AWS_SECRET_ACCESS_KEY')),
    ],
    notes: ['pods carry the label k8sops.dev/s3: client'],
  }
}

/** A load balancer answers with its address; its name is what the certificate has. */
function bootstrapOf(listener: KafkaListener, said: string): string {
  const host = listener.configuration?.bootstrap?.annotations?.[hostAnnotation]
  return host ? `${host}:${listener.port}` : said
}

function userOf(users: Result<KubeObject[]>, cluster: string, name: string | undefined): KubeObject | undefined {
  const own = listed(users, 'KafkaUser').filter(({ metadata }) => metadata.labels?.['strimzi.io/cluster'] === cluster)
  if (own.length === 0 && name === undefined) return undefined
  return one(own, 'KafkaUser', name)
}

function watchedIn({ spec }: KubeObject): string {
  const { topicOperator } = (spec?.entityOperator ?? {}) as { topicOperator?: { watchedNamespace?: string } }
  return topicOperator?.watchedNamespace ? ` in namespace ${topicOperator.watchedNamespace}` : ''
}
