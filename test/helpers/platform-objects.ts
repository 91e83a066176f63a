/** A platform for developers as its objects show it when all of it is well, for tests to break one thing of. */
import type { CheckResults, PlatformFacts, PlatformKind, PlatformSeen } from '../../src/lib/ops/platform-facts.ts'
import { platformKinds } from '../../src/lib/ops/platform-facts.ts'
import type { KubeObject } from '../../src/lib/types.ts'

type Part = Partial<Omit<KubeObject, 'metadata'>> & { metadata?: Partial<KubeObject['metadata']> }

export function object(kind: PlatformKind, name: string, part: Part = {}): KubeObject {
  const { apiVersion, kind: own } = platformKinds[kind]
  const { metadata, ...rest } = part
  return { apiVersion, kind: own, metadata: { name, namespace: 'platform', generation: 2, ...metadata }, ...rest }
}

export const condition = (type: string, status = 'True', message = ''): object => ({
  type,
  status,
  message,
  observedGeneration: 2,
})

const route = (name: string, host: string, service: string): KubeObject =>
  object('routes', name, {
    spec: { hostnames: [host], rules: [{ backendRefs: [{ name: service, port: 80 }] }] },
    status: { parents: [{ conditions: [condition('Accepted'), condition('ResolvedRefs')] }] },
  })

const check = (name: string, url: string): KubeObject =>
  object('checks', `${name}-gatus`, { data: { [`${name}.yaml`]: `endpoints:\n  - name: ${name}\n    url: ${url}\n` } })

const controller = (id: number): KubeObject =>
  object('kafkaPods', `events-controller-${id}`, {
    metadata: { labels: { 'strimzi.io/cluster': 'events' } },
    status: { conditions: [condition('Ready')] },
  })

export const vaultPod = (id: number, active: boolean): KubeObject =>
  object('vaultPods', `vault-${id}`, {
    metadata: {
      labels: { 'openbao-initialized': 'true', 'openbao-sealed': 'false', 'openbao-active': String(active) },
    },
    status: { conditions: [condition('Ready')] },
  })

export function wellObjects(): Record<PlatformKind, KubeObject[]> {
  return {
    postgres: [
      object('postgres', 'pg', {
        spec: { instances: 3 },
        status: {
          readyInstances: 3,
          currentPrimary: 'pg-1',
          targetPrimary: 'pg-1',
          phase: 'Cluster in healthy state',
          writeService: 'pg-rw',
          readService: 'pg-r',
          conditions: [{ type: 'Ready', status: 'True' }],
        },
      }),
    ],
    databases: [
      object('databases', 'shop', {
        metadata: { labels: { 'k8sops.dev/namespace': 'dev' } },
        spec: { cluster: { name: 'pg' }, name: 'shop', owner: 'shop' },
      }),
    ],
    databaseRoles: [
      object('databaseRoles', 'shop', {
        spec: { cluster: { name: 'pg' }, name: 'shop', passwordSecret: { name: 'shop-login' } },
      }),
    ],
    kafkas: [
      object('kafkas', 'events', {
        spec: {
          kafka: {
            listeners: [
              { name: 'plain', port: 9092, type: 'internal', tls: false, authentication: { type: 'scram-sha-512' } },
              {
                name: 'external',
                port: 9094,
                type: 'loadbalancer',
                tls: true,
                authentication: { type: 'scram-sha-512' },
                configuration: {
                  brokerCertChainAndKey: {},
                  bootstrap: { annotations: { 'external-dns.alpha.kubernetes.io/hostname': 'events.example.org' } },
                },
              },
            ],
          },
          entityOperator: { topicOperator: { watchedNamespace: 'dev' } },
        },
        status: {
          observedGeneration: 2,
          kafkaMetadataState: 'KRaft',
          conditions: [{ type: 'Ready', status: 'True' }],
          listeners: [
            { name: 'plain', bootstrapServers: 'events-kafka-bootstrap.platform.svc:9092' },
            { name: 'external', bootstrapServers: '10.0.0.9:9094' },
          ],
        },
      }),
    ],
    topics: [object('topics', 'orders', { status: { observedGeneration: 2, conditions: [condition('Ready')] } })],
    users: [
      object('users', 'shop', {
        metadata: { namespace: 'dev', labels: { 'strimzi.io/cluster': 'events' } },
        status: { secret: 'shop', conditions: [condition('Ready')] },
      }),
    ],
    kafkaPods: [10, 11, 12].map(controller),
    registries: [
      object('registries', 'schemas', {
        spec: { app: { auth: { enabled: true, authServerUrl: 'https://id.example.org/realms/shop' } } },
        status: { observedGeneration: 2, conditions: [condition('Ready')] },
      }),
    ],
    registryDeployments: [
      object('registryDeployments', 'schemas-app-deployment', {
        spec: {
          replicas: 2,
          template: { spec: { containers: [{ readinessProbe: { httpGet: { path: '/health/ready' } } }] } },
        },
        status: { readyReplicas: 2 },
      }),
    ],
    keycloaks: [
      object('keycloaks', 'id', {
        spec: { hostname: { hostname: 'https://id.example.org' } },
        status: { conditions: [condition('Ready')] },
      }),
    ],
    realms: [
      object('realms', 'shop', {
        spec: {
          keycloakCRName: 'id',
          realm: {
            realm: 'shop',
            clients: [
              { clientId: 'web', publicClient: true },
              { clientId: 'backend', publicClient: false, secret: `\${BACKEND}` },
            ],
          },
          placeholders: { BACKEND: { secret: { name: 'id-clients', key: 'backend' } } },
        },
        status: { conditions: [condition('Done'), condition('HasErrors', 'False')] },
      }),
    ],
    vaults: [object('vaults', 'vault')],
    vaultPods: [vaultPod(0, true), vaultPod(1, false), vaultPod(2, false)],
    buckets: [object('buckets', 'files', { data: { endpoint: 'https://s3.example.org', region: 'eu' } })],
    secretRequests: [object('secretRequests', 'files', { status: { conditions: [condition('Ready')] } })],
    services: [object('services', 'vault-active', { spec: { selector: { 'openbao-active': 'true' } } })],
    routes: [
      route('id', 'id.example.org', 'id-service'),
      route('schemas', 'schemas.example.org', 'schemas-app-service'),
      route('vault', 'vault.example.org', 'vault-active'),
    ],
    checks: [
      check('id', 'https://id.example.org/'),
      check('schemas', 'https://schemas.example.org/health'),
      check('vault', 'https://vault.example.org/v1/sys/health'),
      check('events', 'tls://events.example.org:9094'),
      check('files', 'https://s3.example.org/minio/health/live'),
    ],
    checkers: [
      object('checkers', 'gatus', { status: { observedGeneration: 2, conditions: [condition('Available')] } }),
    ],
  }
}

export const wellResults: CheckResults = {
  ok: true,
  value: ['id', 'schemas', 'vault', 'events', 'files'].map((name) => ({
    name,
    success: true,
    at: '2026-11-30T12:00:00Z',
  })),
}

export const factsOf = (objects: Record<PlatformKind, KubeObject[]>): PlatformFacts =>
  Object.fromEntries(Object.entries(objects).map(([kind, value]) => [kind, { ok: true, value }])) as PlatformFacts

export const seenOf = (
  objects: Record<PlatformKind, KubeObject[]>,
  results: CheckResults = wellResults,
): PlatformSeen => ({
  facts: factsOf(objects),
  results,
})
