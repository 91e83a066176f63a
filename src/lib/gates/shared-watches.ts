/** Watches that several gates share: one of a kind at the API server, however many look on. */
import type { KubeObject, KubePort, ObjectRef, Result } from '../types.ts'
import { sorted } from './shared-reads.ts'

type Listener = (objects: Result<KubeObject[]>) => void

interface Shared {
  listeners: Set<Listener>
  last?: Result<KubeObject[]>
}

/** @param signal ends the watches themselves; each listener has its own beside it */
export function sharedWatches(kube: KubePort, signal: AbortSignal): KubePort {
  const watches = new Map<string, Shared>()
  const sharedOf = (ref: ObjectRef): Shared => {
    const key = JSON.stringify(sorted(ref))
    const known = watches.get(key)
    if (known) return known
    const made: Shared = { listeners: new Set() }
    watches.set(key, made)
    void kube.watch(ref, signal, (objects) => {
      made.last = objects
      for (const listener of made.listeners) listener(objects)
    })
    return made
  }
  return {
    ...kube,
    watch(ref, own, onChange) {
      if (own.aborted) return Promise.resolve()
      const shared = sharedOf(ref)
      shared.listeners.add(onChange)
      if (shared.last) onChange(shared.last)
      return new Promise((resolve) => {
        own.addEventListener(
          'abort',
          () => {
            shared.listeners.delete(onChange)
            resolve()
          },
          { once: true },
        )
      })
    },
  }
}
