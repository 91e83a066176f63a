/** How to connect to what answers questions: the schema registry, Keycloak, OpenBao. */
import { type ConnectChoice, type Connection, first, listed, needed, setting } from './platform-connection.ts'
import { fullName, hostsOf, type PlatformFacts } from './platform-facts.ts'

export function toSchemaRegistry(facts: PlatformFacts, { external }: ConnectChoice): Connection {
  const registry = first(facts.registries, 'ApicurioRegistry3')
  const { name, namespace = '' } = registry.metadata
  const service = `${name}-app-service`
  const inside = `http://${service}.${namespace}.svc.cluster.local:8080`
  const outside = hostsOf(listed(facts.routes, 'HTTPRoute'), namespace, service).map((host) => `https://${host}`)
  const base = external ? needed(outside[0], `no route leads to Service ${namespace}/${service}`) : inside
  const auth = ((registry.spec?.app ?? {}) as { auth?: { enabled?: boolean; authServerUrl?: string } }).auth
  return {
    service: 'schema-registry',
    object: `ApicurioRegistry3 ${fullName(registry)}`,
    addresses: [{ what: 'pods', address: inside }, ...outside.map((address) => ({ what: 'outside', address }))],
    settings: [
      setting('spring.kafka.properties.apicurio.registry.url', `${base}/apis/registry/v3`),
      setting('spring.kafka.properties.schema.registry.url', `${base}/apis/ccompat/v7`),
      ...(auth?.enabled
        ? [
            setting(
              'spring.kafka.properties.apicurio.registry.auth.service.token.endpoint',
              `${auth.authServerUrl}/protocol/openid-connect/token`,
            ),
          ]
        : []),
    ],
    notes: [
      ...(external ? [] : ['pods carry the label k8sops.dev/apicurio: client']),
      ...(auth?.enabled ? ['to register a schema, show a token: k8sops platform connect keycloak'] : []),
    ],
  }
}

export function toKeycloak(facts: PlatformFacts, { external, name }: ConnectChoice): Connection {
  const keycloak = first(facts.keycloaks, 'Keycloak')
  const { name: server, namespace = '' } = keycloak.metadata
  const realms = listed(facts.realms, 'KeycloakRealmImport').filter(
    ({ spec, metadata }) => metadata.namespace === namespace && spec?.keycloakCRName === server,
  )
  const imported = needed(realms[0], `Keycloak ${fullName(keycloak)} has no realm that Git knows`)
  const { realm, placeholders = {} } = imported.spec as unknown as RealmImport
  const { hostname = '' } = (keycloak.spec?.hostname ?? {}) as { hostname?: string }
  const outside = `${hostname.startsWith('http') ? hostname : `https://${hostname}`}/realms/${realm.realm}`
  const inside = `http://${server}-service.${namespace}.svc.cluster.local:8080/realms/${realm.realm}`
  const confidential = (realm.clients ?? []).filter(({ publicClient, secret }) => !publicClient && secret)
  const client = name
    ? needed(
        (realm.clients ?? []).find(({ clientId }) => clientId === name),
        `realm ${realm.realm} has no client ${name}: ${(realm.clients ?? []).map((each) => each.clientId).join(', ')}`,
      )
    : confidential[0]
  const placeholder = /^\$\{(\w+)\}$/.exec(client?.secret ?? '')?.[1]
  const secret = placeholder ? placeholders[placeholder]?.secret : undefined
  const registration = 'spring.security.oauth2.client.registration.keycloak'
  return {
    service: 'keycloak',
    object: `Keycloak ${fullName(keycloak)}`,
    addresses: [
      { what: 'issuer', address: outside },
      { what: 'pods', address: inside },
    ],
    settings: [
      setting('spring.security.oauth2.resourceserver.jwt.issuer-uri', outside),
      // Pods fetch keys at the Service; the issuer in a token is the public address all the same.
      setting(
        'spring.security.oauth2.resourceserver.jwt.jwk-set-uri',
        `${external ? outside : inside}/protocol/openid-connect/certs`,
      ),
      setting(
        'spring.security.oauth2.client.provider.keycloak.token-uri',
        `${external ? outside : inside}/protocol/openid-connect/token`,
      ),
      ...(client
        ? [
            setting(`${registration}.client-id`, client.clientId),
            setting(
              `${registration}.authorization-grant-type`,
              client.publicClient ? 'authorization_code' : 'client_credentials',
            ),
          ]
        : []),
      ...(client && secret
        ? [setting(`${registration}.client-secret`, { namespace, name: secret.name, key: secret.key })]
        : []),
    ],
    notes: [
      ...(external ? [] : ['pods carry the label k8sops.dev/keycloak: client']),
      `clients of realm ${realm.realm}: ${(realm.clients ?? []).map(({ clientId }) => clientId).join(', ')} (--name)`,
    ],
  }
}

export function toOpenbao(facts: PlatformFacts, { external }: ConnectChoice): Connection {
  const vault = first(facts.vaults, 'OpenBao')
  const { name, namespace = '' } = vault.metadata
  const services = listed(facts.services, 'Service').filter(({ metadata }) => metadata.namespace === namespace)
  const active = services.find(
    ({ spec }) => ((spec?.selector ?? {}) as Record<string, string>)['openbao-active'] === 'true',
  )
  const service = active?.metadata.name ?? name
  const inside = `http://${service}.${namespace}.svc.cluster.local:8200`
  const outside = hostsOf(listed(facts.routes, 'HTTPRoute'), namespace, service).map((host) => `https://${host}`)
  return {
    service: 'openbao',
    object: `OpenBao ${fullName(vault)}`,
    addresses: [{ what: 'pods', address: inside }, ...outside.map((address) => ({ what: 'outside', address }))],
    settings: [
      setting('spring.cloud.vault.uri', external ? needed(outside[0], `no route leads to ${service}`) : inside),
      ...(external
        ? [setting('spring.cloud.vault.authentication', 'TOKEN')]
        : [
            setting('spring.cloud.vault.authentication', 'KUBERNETES'),
            setting('spring.cloud.vault.kubernetes.role', 'developer'),
          ]),
      setting('spring.cloud.vault.kv.backend', 'secret'),
      setting('spring.config.import', 'vault://'),
    ],
    notes: external
      ? ['a token: bao login -method=oidc']
      : ['pods carry the label k8sops.dev/openbao: client', 'they log in as their ServiceAccount: no secret to keep'],
  }
}

interface RealmImport {
  realm: {
    realm: string
    clients?: { clientId: string; publicClient?: boolean; secret?: string }[]
  }
  placeholders?: Record<string, { secret: { name: string; key: string } }>
}
