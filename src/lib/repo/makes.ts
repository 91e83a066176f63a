/** Who makes the Secrets and ConfigMaps of a cluster: manifests, External Secrets, cert-manager, operators, and bootstrap. */
import type { KubeObject } from '../types.ts'
import { dig, isFields, listAt, mapAt, textAt } from './fields.ts'
import { declaredIn, type SourceFile } from './source-files.ts'

export interface Made {
  kind: 'Secret' | 'ConfigMap'
  namespace: string | undefined
  name: string
  /** Its keys, when they are all known. */
  keys?: ReadonlySet<string>
}

interface Making {
  group: string
  kind: string
  namespace: string | undefined
  name: string
  object: () => KubeObject
}

type Maker = (object: KubeObject) => Omit<Made, 'namespace'>[]

const secret = (name: string, ...keys: string[]): Omit<Made, 'namespace'> => ({
  kind: 'Secret',
  name,
  ...(keys.length > 0 ? { keys: new Set(keys) } : {}),
})

const ofData = (object: KubeObject): Omit<Made, 'namespace'>[] => {
  const keys = ['data', 'stringData', 'binaryData'].flatMap((part) => Object.keys(mapAt(object, part)))
  return [{ kind: object.kind as Made['kind'], name: object.metadata.name, keys: new Set(keys) }]
}

const makers: Record<string, Maker> = {
  'Secret.': ofData,
  'ConfigMap.': ofData,
  'ExternalSecret.external-secrets.io': (object) => {
    const keys = keysOfExternalSecret(object)
    return [secret(textAt(object, 'spec.target.name') ?? object.metadata.name, ...(keys ?? []))]
  },
  'Certificate.cert-manager.io': (object) => [
    secret(textAt(object, 'spec.secretName') ?? '', 'tls.crt', 'tls.key', 'ca.crt'),
  ],
  // cloudnative-pg 1.28: pkg/specs/secrets.go; certificates of pkg/certs.
  'Cluster.postgresql.cnpg.io': ({ metadata: { name } }) => [
    ...['app', 'superuser'].map((word) => secret(`${name}-${word}`)),
    secret(`${name}-ca`, 'ca.crt', 'ca.key'),
    ...['server', 'replication'].map((word) => secret(`${name}-${word}`, 'tls.crt', 'tls.key')),
  ],
  // strimzi 0.47.
  'Kafka.kafka.strimzi.io': ({ metadata: { name } }) => [
    ...['cluster', 'clients'].flatMap((word) => [secret(`${name}-${word}-ca-cert`), secret(`${name}-${word}-ca`)]),
  ],
  'KafkaUser.kafka.strimzi.io': ({ metadata: { name } }) => [secret(name)],
  'Keycloak.k8s.keycloak.org': ({ metadata: { name } }) => [secret(`${name}-initial-admin`, 'username', 'password')],
  'ObjectBucketClaim.objectbucket.io': ({ metadata: { name } }) => [secret(name), { kind: 'ConfigMap', name }],
}

/** What an object makes. */
export const madeBy = (one: Making): Made[] =>
  isFields(one.object().metadata)
    ? (makers[`${one.kind}.${one.group}`]?.(one.object()) ?? []).map((made) => ({ ...made, namespace: one.namespace }))
    : []

/** What the first secrets of a cluster are, which an operator fills in (bootstrap/<cluster>). */
export const madeAtBootstrap = (files: readonly SourceFile[], cluster: string): Made[] =>
  files
    .filter(({ path }) => path.startsWith(`bootstrap/${cluster}/`))
    .flatMap(declaredIn)
    .flatMap(({ kind, name, namespace }) =>
      (kind === 'Secret' || kind === 'ConfigMap') && name !== undefined ? [{ kind, name, namespace }] : [],
    )

/** The keys of the Secret that it makes; undefined when they are those of a whole item. */
export function keysOfExternalSecret(object: KubeObject): string[] | undefined {
  const template = dig(object, 'spec.target.template')
  const own = listAt(object, 'spec.data').flatMap((one) => textAt(one, 'secretKey') ?? [])
  const whole = listAt(object, 'spec.dataFrom').length > 0
  const templated = Object.keys(mapAt(template, 'data'))
  if (listAt(template, 'templateFrom').length > 0) return undefined
  if (templated.length > 0 && textAt(template, 'mergePolicy') !== 'Merge') return templated
  return whole ? undefined : [...own, ...templated]
}
