/** Realms of Keycloak: who may log in, and which way each client may go. */
import { dig, listAt, textAt } from '../fields.ts'
import type { Finding } from '../locate.ts'
import { about, each, type Rule } from './rule.ts'
import { ofKind, type RenderedObject } from './view.ts'

export const realmRules: Rule[] = [
  {
    id: 'realm-guarded',
    demands:
      'A realm asks for TLS, lets nobody register, stops who guesses passwords, and says how long a token lives; a client says which flows it has, with PKCE when it is public and a secret when it is not',
    why: 'What an import leaves out Keycloak decides, and some of that is open: guessing is not stopped by default',
    fix: 'sslRequired, registrationAllowed, bruteForceProtected, accessTokenLifespan; publicClient, standardFlowEnabled, directAccessGrantsEnabled, redirectUris, attributes.pkce.code.challenge.method: S256',
    source: 'NFR14, Keycloak 26',
    scope: 'house',
    looksAt: 'itself',
    check: each((cluster) => ofKind(cluster, 'KeycloakRealmImport.k8s.keycloak.org').flatMap(unguarded)),
  },
]

const ofRealm: Record<string, unknown> = {
  enabled: true,
  registrationAllowed: false,
  bruteForceProtected: true,
}

function unguarded(one: RenderedObject): Finding[] {
  const realm = dig(one.object(), 'spec.realm')
  const path = ['spec', 'realm']
  return [
    ...Object.entries(ofRealm)
      .filter(([key, wanted]) => dig(realm, key) !== wanted)
      .map(([key, wanted]) => about(one, `${key} is not ${wanted}`, path)),
    ...['sslRequired', 'accessTokenLifespan']
      .filter((key) => textAt(realm, key) === undefined || textAt(realm, key) === 'none')
      .map((key) => about(one, `${key} is unset`, path)),
    ...listAt(realm, 'clients').flatMap((client, index) =>
      lacking(client).map((what) =>
        about(one, `client ${textAt(client, 'clientId')} ${what}`, [...path, 'clients', index]),
      ),
    ),
  ]
}

function lacking(client: unknown): string[] {
  const isPublic = dig(client, 'publicClient') === true
  const isUsed = dig(client, 'standardFlowEnabled') === true
  return [
    ...['enabled', 'protocol', 'publicClient', 'standardFlowEnabled', 'directAccessGrantsEnabled']
      .filter((key) => dig(client, key) === undefined)
      .map((key) => `does not say ${key}`),
    ...(isPublic && textAt(client, ['attributes', 'pkce.code.challenge.method']) !== 'S256'
      ? ['is public and has no PKCE']
      : []),
    ...(!isPublic && textAt(client, 'secret') === undefined ? ['is not public and has no secret'] : []),
    ...(isUsed && listAt(client, 'redirectUris').length === 0 ? ['sends browsers back to nowhere'] : []),
  ]
}
