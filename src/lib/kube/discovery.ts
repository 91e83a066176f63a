/** Where the API server keeps the objects of a kind. */
import type { ObjectRef, Result } from '../types.ts'
import type { Connection } from './connection.ts'

interface Resource {
  name: string
  namespaced: boolean
}

export interface Discovery {
  /** `/apis/apps/v1/namespaces/x/deployments`; `not-found` when no such kind is served (its CRD is missing). */
  path(ref: ObjectRef, signal?: AbortSignal): Promise<Result<string>>
}

/** Kinds that every API server has, so that the commonest reads cost one request. */
const builtIn: Record<string, Resource> = {
  'v1/Node': { name: 'nodes', namespaced: false },
  'v1/Namespace': { name: 'namespaces', namespaced: false },
  'v1/Pod': { name: 'pods', namespaced: true },
  'v1/Secret': { name: 'secrets', namespaced: true },
  'v1/Service': { name: 'services', namespaced: true },
  'v1/ConfigMap': { name: 'configmaps', namespaced: true },
  'apps/v1/Deployment': { name: 'deployments', namespaced: true },
  'apps/v1/DaemonSet': { name: 'daemonsets', namespaced: true },
  'coordination.k8s.io/v1/Lease': { name: 'leases', namespaced: true },
  'apiextensions.k8s.io/v1/CustomResourceDefinition': { name: 'customresourcedefinitions', namespaced: false },
}

/** Only what was found is remembered: a kind that is missing now can be served a second later. */
export function createDiscovery(connection: Connection): Discovery {
  const found = new Map(Object.entries(builtIn))

  const resource = async (ref: ObjectRef, signal?: AbortSignal): Promise<Result<Resource>> => {
    const key = `${ref.apiVersion}/${ref.kind}`
    const known = found.get(key)
    if (known) return { ok: true, value: known }
    const listed = await connection.text(groupPath(ref.apiVersion), signal ? { signal } : {})
    if (!listed.ok) return listed.why === 'not-found' ? notServed(ref) : listed
    const { resources } = JSON.parse(listed.value) as { resources: (Resource & { kind: string })[] }
    for (const { name, namespaced, kind } of resources) {
      // Subresources (`deployments/scale`) share their parent's list with a kind of their own.
      if (!name.includes('/')) found.set(`${ref.apiVersion}/${kind}`, { name, namespaced })
    }
    const served = found.get(key)
    return served ? { ok: true, value: served } : notServed(ref)
  }

  return {
    async path(ref, signal) {
      const served = await resource(ref, signal)
      if (!served.ok) return served
      const { name, namespaced } = served.value
      const scope = namespaced && ref.namespace ? `/namespaces/${encodeURIComponent(ref.namespace)}` : ''
      return { ok: true, value: `${groupPath(ref.apiVersion)}${scope}/${name}` }
    },
  }
}

function groupPath(apiVersion: string): string {
  return apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
}

function notServed(ref: ObjectRef): Result<never> {
  return { ok: false, why: 'not-found', detail: `the API server serves no ${ref.kind} (${ref.apiVersion})` }
}
