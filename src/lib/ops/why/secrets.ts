/** From a Secret that is not there to what should have made it: ExternalSecret, store, what the store needs. */
import type { KubeObject } from '../../types.ts'
import { ask, askOne, conditionOf, idOfObject, isReady, type Link, linkOf, type Walk } from './link.ts'

const externalSecrets = 'external-secrets.io/v1'

/** Names of Secrets and ConfigMaps that a namespace must have. */
export interface Wanted {
  kind: 'Secret' | 'ConfigMap'
  namespace: string
  name: string
}

/** @param user what needs it, for the message */
export function* missingObject(wanted: Wanted, user: string): Walk {
  const { kind, namespace, name } = wanted
  const found = yield* askOne({ apiVersion: 'v1', kind, namespace, name })
  if (found) return undefined
  if (kind === 'Secret') {
    const [made = []] = yield* ask({ apiVersion: externalSecrets, kind: 'ExternalSecret', namespace })
    const maker = made.find((one) => targetOf(one) === name)
    if (maker) return (yield* brokenExternalSecret(maker)) ?? linkOf('external-secret-failed', maker)
  }
  return {
    class: kind === 'Secret' ? 'secret-missing' : 'settings-missing',
    object: `${kind}/${namespace}/${name}`,
    message: `${user} needs it, and it is not there`,
    since: null,
  }
}

const targetOf = ({ metadata, spec }: KubeObject): string =>
  (spec?.target as { name?: string } | undefined)?.name ?? metadata.name

/** The reason behind an ExternalSecret that is not Ready. */
export function* brokenExternalSecret(secret: KubeObject): Walk {
  if (isReady(secret)) return undefined
  const reference = secret.spec?.secretStoreRef as { kind?: string; name?: string } | undefined
  const kind = reference?.kind ?? 'SecretStore'
  const name = reference?.name ?? ''
  if (name === '') return linkOf('external-secret-failed', secret)
  const { namespace = '' } = secret.metadata
  const ref = { apiVersion: externalSecrets, kind, name, ...(kind === 'SecretStore' ? { namespace } : {}) }
  const store = yield* askOne(ref)
  if (!store) {
    const object = kind === 'SecretStore' ? `${kind}/${namespace}/${name}` : `${kind}/${name}`
    const since = conditionOf(secret, 'Ready')?.lastTransitionTime ?? null
    return { class: 'store-missing', object, message: `${idOfObject(secret)} names it, and it is not there`, since }
  }
  if (!isReady(store)) return yield* brokenStore(store, namespace)
  // Not looked at yet is no failure.
  return conditionOf(secret, 'Ready') ? linkOf('external-secret-failed', secret) : undefined
}

/** Its own credentials first: they are made by somebody else. */
function* brokenStore(store: KubeObject, namespace: string): Walk<Link> {
  for (const { name, namespace: own = namespace } of secretReferences(store.spec?.provider)) {
    const missing = yield* missingObject({ kind: 'Secret', namespace: own, name }, idOfObject(store))
    if (missing) return missing
  }
  return linkOf('store-failed', store)
}

/** Every `{ name, namespace?, key }` below a key that ends in `SecretRef`. */
function secretReferences(value: unknown): { name: string; namespace?: string }[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, below]) => {
    const reference = below as { name?: unknown; namespace?: string } | null
    if (/SecretRef$/.test(key) && typeof reference?.name === 'string')
      return [reference as { name: string; namespace?: string }]
    return secretReferences(below)
  })
}
