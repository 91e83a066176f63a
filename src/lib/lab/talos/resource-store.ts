/** The machine's COSI resources, with versions that grow as they change, and watches on them. */

export interface Resource {
  namespace: string
  type: string
  id: string
  /** The spec as YAML. */
  yaml: string
}

export interface StoredResource extends Resource {
  version: number
  created: Date
  updated: Date
}

export interface Change {
  kind: 'created' | 'updated' | 'destroyed'
  resource: StoredResource
  old?: StoredResource
}

export interface ResourceStore {
  get(namespace: string, type: string, id: string): StoredResource | undefined
  /** Sorted by id, as COSI's in-memory state lists them. */
  list(namespace: string, type: string): StoredResource[]
  /** Something of the machine may have changed: looks again if somebody watches (reads look by themselves). */
  refresh(): void
  watch(listener: (change: Change) => void): () => void
}

/** @param produce every resource of the machine as of now */
export function createResourceStore(produce: () => Resource[]): ResourceStore {
  const stored = new Map<string, StoredResource>()
  const listeners = new Set<(change: Change) => void>()
  const keyOf = (resource: Pick<Resource, 'namespace' | 'type' | 'id'>) =>
    `${resource.type}|${resource.namespace}|${resource.id}`
  const tell = (change: Change) => {
    for (const listener of listeners) listener(change)
  }
  const look = () => {
    const gone = new Set(stored.keys())
    const now = new Date()
    for (const resource of produce()) {
      const key = keyOf(resource)
      const old = stored.get(key)
      gone.delete(key)
      if (old?.yaml === resource.yaml) continue
      const next = { ...resource, version: (old?.version ?? 0) + 1, created: old?.created ?? now, updated: now }
      stored.set(key, next)
      tell(old ? { kind: 'updated', resource: next, old } : { kind: 'created', resource: next })
    }
    for (const key of gone) {
      const old = stored.get(key)
      stored.delete(key)
      if (old) tell({ kind: 'destroyed', resource: old })
    }
  }
  return {
    get(namespace, type, id) {
      look()
      return stored.get(keyOf({ namespace, type, id }))
    },
    list(namespace, type) {
      look()
      return [...stored.values()]
        .filter((resource) => resource.namespace === namespace && resource.type === type)
        .sort((a, b) => (a.id < b.id ? -1 : 1))
    },
    refresh() {
      if (listeners.size > 0) look()
    },
    watch(listener) {
      look()
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
