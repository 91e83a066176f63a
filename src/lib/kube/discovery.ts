/** Where the API server keeps the objects of a kind. */
import type { ObjectRef, Result } from '../types.ts'
import type { Connection } from './connection.ts'

interface Resource {
  name: string
  namespaced: boolean
}

export interface Discovery {
  /**
   * Where they are in all likelihood: nearly every kind follows the rule that Kubernetes itself guesses by. A list there costs one request; that it
   * fails says nothing yet.
   */
  guess(ref: ObjectRef): string
  /** `/apis/apps/v1/namespaces/x/deployments`; `not-found` when no such kind is served (its CRD is missing). */
  path(ref: ObjectRef, signal?: AbortSignal): Promise<Result<string>>
}

/** Only what was found is remembered: a kind that is missing now can be served a second later. */
export function createDiscovery(connection: Connection): Discovery {
  const found = new Map<string, Resource>()

  const resource = async (ref: ObjectRef, signal?: AbortSignal): Promise<Result<Resource>> => {
    const key = keyOf(ref)
    const known = found.get(key)
    if (known) return { ok: true, value: known }
    const listed = await connection.text(groupPath(ref.apiVersion), { queued: true, ...(signal ? { signal } : {}) })
    if (!listed.ok) return listed.why === 'not-found' ? notServed(ref) : listed
    const { resources } = JSON.parse(listed.value) as { resources: (Resource & { kind: string })[] }
    for (const { name, namespaced, kind } of resources) {
      // Subresources (`deployments/scale`) share their parent's list with a kind of their own.
      if (!name.includes('/')) found.set(keyOf({ apiVersion: ref.apiVersion, kind }), { name, namespaced })
    }
    const served = found.get(key)
    return served ? { ok: true, value: served } : notServed(ref)
  }

  return {
    guess: (ref) => pathOf(ref, found.get(keyOf(ref)) ?? { name: pluralOf(ref.kind), namespaced: true }),
    async path(ref, signal) {
      const served = await resource(ref, signal)
      return served.ok ? { ok: true, value: pathOf(ref, served.value) } : served
    },
  }
}

const keyOf = ({ apiVersion, kind }: ObjectRef) => `${apiVersion}/${kind}`

function pathOf(ref: ObjectRef, { name, namespaced }: Resource): string {
  const scope = namespaced && ref.namespace ? `/namespaces/${encodeURIComponent(ref.namespace)}` : ''
  return `${groupPath(ref.apiVersion)}${scope}/${name}`
}

/** `UnsafeGuessKindToResource` of k8s.io/apimachinery. */
function pluralOf(kind: string): string {
  const singular = kind.toLowerCase()
  if (singular.endsWith('s')) return `${singular}es`
  return singular.endsWith('y') ? `${singular.slice(0, -1)}ies` : `${singular}s`
}

function groupPath(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
}

function notServed(ref: ObjectRef): Result<never> {
  return { ok: false, why: 'not-found', detail: `the API server serves no ${ref.kind} (${ref.apiVersion})` }
}
