/**
 * How a program connects to one of a platform's services: addresses and settings, read from the objects. A secret is named by where it
 * stands; its value is looked up only when somebody asks for it.
 */
import { toKeycloak, toOpenbao, toSchemaRegistry } from './platform-connect-services.ts'
import { toKafka, toPostgres, toS3 } from './platform-connect-stores.ts'
import type { ConnectChoice, Connection, ConnectService } from './platform-connection.ts'
import type { PlatformFacts, PlatformKind } from './platform-facts.ts'

/** What is read for each service. */
export const connectKinds: Record<ConnectService, PlatformKind[]> = {
  kafka: ['kafkas', 'users'],
  postgres: ['postgres', 'databases', 'databaseRoles'],
  'schema-registry': ['registries', 'routes'],
  keycloak: ['keycloaks', 'realms'],
  openbao: ['vaults', 'services', 'routes'],
  s3: ['buckets'],
}

const connectors: Record<ConnectService, (facts: PlatformFacts, choice: ConnectChoice) => Connection> = {
  kafka: toKafka,
  postgres: toPostgres,
  'schema-registry': toSchemaRegistry,
  keycloak: toKeycloak,
  openbao: toOpenbao,
  s3: toS3,
}

/** @throws GateError when the cluster has no such service, UsageError when it is not clear which one is meant */
export function connectionTo(service: ConnectService, facts: PlatformFacts, choice: ConnectChoice): Connection {
  return connectors[service](facts, choice)
}
