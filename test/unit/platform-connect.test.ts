/** `k8sops platform connect`: what is printed for each service, with and without secrets. */
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type ConfigFormat, renderConfig, secretKey, secretsOf } from '../../src/lib/ops/platform-config.ts'
import { connectionTo } from '../../src/lib/ops/platform-connect.ts'
import { connectServices } from '../../src/lib/ops/platform-connection.ts'
import { factsOf, object, wellObjects } from '../helpers/platform-objects.ts'

const inside = { external: false }
const connect = (service: (typeof connectServices)[number], choice: { external: boolean; name?: string } = inside) =>
  connectionTo(service, factsOf(wellObjects()), choice)
const text = (service: (typeof connectServices)[number], format: ConfigFormat, secrets = new Map<string, string>()) =>
  renderConfig(connect(service), format, secrets)

test('Kafka: the internal listener, the user’s Secret by name, and the label that lets a pod in', () => {
  const yaml = text('kafka', 'spring')
  expect(parse(yaml)).toEqual({
    spring: {
      kafka: {
        'bootstrap-servers': 'events-kafka-bootstrap.platform.svc:9092',
        properties: {
          'security.protocol': 'SASL_PLAINTEXT',
          'sasl.mechanism': 'SCRAM-SHA-512',
          'sasl.jaas.config': `\${SPRING_KAFKA_PROPERTIES_SASL_JAAS_CONFIG}`,
        },
      },
    },
  })
  expect(yaml).toContain('# Secret dev/shop, key sasl.jaas.config: --show-secrets prints it')
  expect(yaml).toContain('k8sops.dev/kafka: client')
  expect(yaml).toContain('in namespace dev')
})

test('Kafka from outside: the name that the certificate has, TLS, and no authority of Strimzi’s own', () => {
  const { settings } = connect('kafka', { external: true })
  expect(settings.map(({ env, value }) => [env, value])).toContainEqual([
    'SPRING_KAFKA_BOOTSTRAPSERVERS',
    'events.example.org:9094',
  ])
  expect(settings.map(({ value }) => value)).toContain('SASL_SSL')
  expect(settings.some(({ spring }) => spring.includes('trust-store'))).toBe(false)
})

test('PostgreSQL: JDBC to the writing Service, and the role’s Secret', () => {
  expect(connect('postgres').settings).toEqual([
    {
      spring: 'spring.datasource.url',
      env: 'SPRING_DATASOURCE_URL',
      value: 'jdbc:postgresql://pg-rw.platform.svc.cluster.local:5432/shop?sslmode=require',
    },
    { spring: 'spring.datasource.username', env: 'SPRING_DATASOURCE_USERNAME', value: 'shop' },
    {
      spring: 'spring.datasource.password',
      env: 'SPRING_DATASOURCE_PASSWORD',
      value: { namespace: 'platform', name: 'shop-login', key: 'password' },
    },
  ])
})

test('Keycloak: the issuer is the public address, keys come from the Service, a client’s secret by its placeholder', () => {
  const { settings } = connect('keycloak')
  const byKey = Object.fromEntries(settings.map(({ spring, value }) => [spring, value]))
  expect(byKey['spring.security.oauth2.resourceserver.jwt.issuer-uri']).toBe('https://id.example.org/realms/shop')
  expect(byKey['spring.security.oauth2.resourceserver.jwt.jwk-set-uri']).toMatch(/^http:\/\/id-service\.platform\.svc/)
  expect(byKey['spring.security.oauth2.client.registration.keycloak.client-id']).toBe('backend')
  expect(byKey['spring.security.oauth2.client.registration.keycloak.client-secret']).toEqual({
    namespace: 'platform',
    name: 'id-clients',
    key: 'backend',
  })
  expect(connect('keycloak', { external: false, name: 'web' }).settings.map(({ value }) => value)).toContain('web')
  expect(() => connect('keycloak', { external: false, name: 'nobody' })).toThrow(/no client nobody: web, backend/)
})

test('OpenBao: the active server; from outside the route that leads to it', () => {
  expect(connect('openbao').settings[0]?.value).toBe('http://vault-active.platform.svc.cluster.local:8200')
  expect(connect('openbao', { external: true }).settings[0]?.value).toBe('https://vault.example.org')
})

describe('settings in every form', () => {
  test.each(connectServices)('%s shows no secret unless it is given', (service) => {
    const connection = connect(service)
    const secrets = new Map(secretsOf(connection).map((one) => [secretKey(one), 'p"a$s w0rd']))
    for (const format of ['spring', 'properties', 'env'] as const) {
      expect(renderConfig(connection, format, new Map())).not.toContain('w0rd')
      if (secrets.size > 0) expect(renderConfig(connection, format, secrets)).toContain('w0rd')
    }
    const yaml = parse(renderConfig(connection, 'spring', secrets)) as object
    expect(JSON.stringify(yaml).match(/p\\"a\$s w0rd/g) ?? []).toHaveLength(secrets.size)
  })

  test('env is quoted for a shell, and leaves out what is not shown', () => {
    expect(text('s3', 'env')).toContain('SPRING_CLOUD_AWS_S3_ENDPOINT=https://s3.example.org\n')
    expect(text('s3', 'env')).toContain('# SPRING_CLOUD_AWS_CREDENTIALS_SECRETKEY=\n')
    const secrets = new Map([['platform/files AWS_SECRET_ACCESS_KEY', "it's"]])
    expect(text('s3', 'env', secrets)).toContain(`SPRING_CLOUD_AWS_CREDENTIALS_SECRETKEY='it'\\''s'`)
  })
})

describe('what is not clear or not there', () => {
  test('two databases: which one is asked for by name', () => {
    const objects = wellObjects()
    objects.databases.push(object('databases', 'other', { spec: { cluster: { name: 'pg' }, owner: 'other' } }))
    expect(() => connectionTo('postgres', factsOf(objects), inside)).toThrow(/which Database\? .*shop.*other/)
    expect(connectionTo('postgres', factsOf(objects), { external: false, name: 'other' }).object).toBe(
      'Database platform/other',
    )
    expect(() => connectionTo('postgres', factsOf(objects), { external: false, name: 'x' })).toThrow(/no Database x/)
  })

  test('a service that the cluster does not have is said, and Kafka without a user leaves its Secret open', () => {
    const objects = wellObjects()
    objects.registries = []
    objects.users = []
    expect(() => connectionTo('schema-registry', factsOf(objects), inside)).toThrow(/has no ApicurioRegistry3/)
    const { notes, settings } = connectionTo('kafka', factsOf(objects), inside)
    expect(notes.join(' ')).toMatch(/no KafkaUser yet/)
    expect(settings.some(({ spring }) => spring.endsWith('jaas.config'))).toBe(false)
  })
})
