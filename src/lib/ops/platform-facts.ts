/**
 * What a platform for developers is made of, found by kinds and by the labels that products give by themselves: no name of an
 * application, a namespace or a cluster is known here.
 */
import type { KubeObject, KubePort, ObjectRef, Result } from '../types.ts'

export const platformKinds = {
  postgres: { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Cluster' },
  databases: { apiVersion: 'postgresql.cnpg.io/v1', kind: 'Database' },
  databaseRoles: { apiVersion: 'postgresql.cnpg.io/v1', kind: 'DatabaseRole' },
  kafkas: { apiVersion: 'kafka.strimzi.io/v1beta2', kind: 'Kafka' },
  topics: { apiVersion: 'kafka.strimzi.io/v1beta2', kind: 'KafkaTopic' },
  users: { apiVersion: 'kafka.strimzi.io/v1beta2', kind: 'KafkaUser' },
  kafkaPods: { apiVersion: 'v1', kind: 'Pod', labelSelector: 'strimzi.io/controller-role=true' },
  registries: { apiVersion: 'registry.apicur.io/v1', kind: 'ApicurioRegistry3' },
  registryDeployments: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    labelSelector: 'app.kubernetes.io/name=apicurio-registry,app.kubernetes.io/component=app',
  },
  keycloaks: { apiVersion: 'k8s.keycloak.org/v2alpha1', kind: 'Keycloak' },
  realms: { apiVersion: 'k8s.keycloak.org/v2alpha1', kind: 'KeycloakRealmImport' },
  /** OpenBao's own chart labels them so; the pods' labels about seal and leader are its service registration's. */
  vaults: { apiVersion: 'apps/v1', kind: 'StatefulSet', labelSelector: 'app.kubernetes.io/name=openbao' },
  vaultPods: { apiVersion: 'v1', kind: 'Pod', labelSelector: 'app.kubernetes.io/name=openbao,component=server' },
  /** What the S3 server is: facts in a ConfigMap, keys in a Secret, in the namespace of whoever uses them. */
  buckets: { apiVersion: 'v1', kind: 'ConfigMap', labelSelector: 'k8sops.dev/service=s3' },
  secretRequests: { apiVersion: 'external-secrets.io/v1', kind: 'ExternalSecret' },
  services: { apiVersion: 'v1', kind: 'Service' },
  routes: { apiVersion: 'gateway.networking.k8s.io/v1', kind: 'HTTPRoute' },
  checks: { apiVersion: 'v1', kind: 'ConfigMap', labelSelector: 'gatus.io/enabled=true' },
  checkers: { apiVersion: 'apps/v1', kind: 'Deployment', labelSelector: 'app.kubernetes.io/name=gatus' },
} as const satisfies Record<string, ObjectRef>

export type PlatformKind = keyof typeof platformKinds
export type PlatformFacts = Record<PlatformKind, Result<KubeObject[]>>

/** What the checker says of each endpoint: its URL can't be had from it, its name can. */
export type CheckResults = Result<{ name: string; success: boolean; at: string }[]>

export interface PlatformSeen {
  facts: PlatformFacts
  results: CheckResults
}

/** @param names what is read; all kinds without it */
export async function readPlatform(
  kube: KubePort,
  signal: AbortSignal,
  names = Object.keys(platformKinds) as PlatformKind[],
): Promise<PlatformFacts> {
  const notRead: Result<KubeObject[]> = { ok: true, value: [] }
  const read = await Promise.all(
    (Object.keys(platformKinds) as PlatformKind[]).map(async (name) => {
      if (!names.includes(name)) return [name, notRead] as const
      const listed = await kube.list(platformKinds[name], signal)
      // A kind that is not served has no objects.
      return [name, !listed.ok && listed.why === 'not-found' ? notRead : listed] as const
    }),
  )
  return Object.fromEntries(read) as PlatformFacts
}

/** Asks Gatus through the API server's proxy to its Service what it found last (Gatus 5, /api/v1/endpoints/statuses). */
export async function readCheckResults(
  kube: KubePort,
  facts: PlatformFacts,
  signal: AbortSignal,
): Promise<CheckResults> {
  if (!facts.services.ok) return facts.services
  const service = facts.services.value.find(
    ({ spec, metadata }) =>
      ((spec?.selector ?? {}) as Record<string, string>)['app.kubernetes.io/name'] === 'gatus' ||
      metadata.labels?.['app.kubernetes.io/name'] === 'gatus',
  )
  if (!service) return { ok: false, why: 'not-found', detail: 'no Service of Gatus is there' }
  const { namespace, name } = service.metadata
  const [port] = (service.spec?.ports ?? []) as { name?: string; port: number }[]
  const path = `/api/v1/namespaces/${namespace}/services/${name}:${port?.name ?? port?.port}/proxy/api/v1/endpoints/statuses`
  const answer = await kube.raw(path, { signal })
  if (!answer.ok) return { ...answer, detail: `Gatus (${namespace}/${name}): ${answer.detail}` }
  return resultsIn(answer.value)
}

interface EndpointStatus {
  name?: string
  results?: { success?: boolean; timestamp?: string }[]
}

/** The newest result stands last. An endpoint that was never tried has none, and did not succeed. */
export function resultsIn(text: string): CheckResults {
  try {
    const list = JSON.parse(text) as EndpointStatus[]
    if (!Array.isArray(list)) return { ok: false, why: 'bad-output', detail: 'Gatus answered with no list' }
    return {
      ok: true,
      value: list.map(({ name = '', results = [] }) => {
        const last = results.at(-1)
        return { name, success: last?.success === true, at: last?.timestamp ?? 'never' }
      }),
    }
  } catch {
    return { ok: false, why: 'bad-output', detail: 'Gatus answered with no JSON' }
  }
}

export const fullName = ({ metadata }: KubeObject): string =>
  metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name

export interface StatusCondition {
  type: string
  status: string
  reason?: string
  message?: string
  observedGeneration?: number
}

export const conditionOf = ({ status }: KubeObject, type: string): StatusCondition | undefined =>
  ((status?.conditions ?? []) as StatusCondition[]).find((condition) => condition.type === type)

/** True, and said of the spec that is there now, where the controller tells which it saw. */
export function holds(object: KubeObject, type: string): boolean {
  const condition = conditionOf(object, type)
  const seen = condition?.observedGeneration ?? (object.status?.observedGeneration as number | undefined)
  return condition?.status === 'True' && (seen === undefined || seen === (object.metadata.generation ?? seen))
}

interface RouteSpec {
  hostnames?: string[]
  rules?: { backendRefs?: { name: string; namespace?: string; port?: number }[] }[]
}

/** Hosts of routes that lead to a Service. */
export function hostsOf(routes: KubeObject[], namespace: string, service: string): string[] {
  const found = routes.filter(({ metadata, spec }) =>
    ((spec ?? {}) as RouteSpec).rules?.some(({ backendRefs = [] }) =>
      backendRefs.some((ref) => ref.name === service && (ref.namespace ?? metadata.namespace) === namespace),
    ),
  )
  return [...new Set(found.flatMap(({ spec }) => ((spec ?? {}) as RouteSpec).hostnames ?? []))]
}

/** Names under which a Kafka is reached from outside: what external-dns is told to make of its load balancers' bootstrap. */
export function kafkaHosts({ spec }: KubeObject): string[] {
  const { listeners = [] } = (spec?.kafka ?? {}) as { listeners?: KafkaListener[] }
  return listeners.flatMap(({ configuration }) => configuration?.bootstrap?.annotations?.[hostAnnotation] ?? [])
}

export const hostAnnotation = 'external-dns.alpha.kubernetes.io/hostname'

export interface KafkaListener {
  name: string
  port: number
  type: string
  tls?: boolean
  authentication?: { type?: string }
  configuration?: { brokerCertChainAndKey?: object; bootstrap?: { annotations?: Record<string, string> } }
}
