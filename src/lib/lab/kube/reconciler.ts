/** A controller's loop in small: objects in, one call per change and object, retries with back-off. */
import type { KubeObject } from '../../types.ts'
import { WriteError } from './writer.ts'

export interface Reconciler {
  /** The current objects; those that are new or have changed are reconciled. */
  set(objects: KubeObject[]): void
  /** Reconciles one object again, or all of them: something else that they depend on has changed. */
  again(key?: string): void
  objects(): KubeObject[]
  stop(): void
}

export interface ReconcilerOptions {
  /** Nothing is reconciled while this is false (the operator's pod doesn't run); call `again` when it turns true. */
  active: () => boolean
  /** Told of an error that isn't a conflict with another writer. */
  onError: (object: KubeObject, error: Error, retryMs: number) => void
  /** Whether a change of an object matters; by default every one does, also of its status. */
  matters?: (before: KubeObject, now: KubeObject) => boolean
  firstRetryMs?: number
  longestRetryMs?: number
}

export const keyOf = ({ metadata }: KubeObject): string =>
  metadata.namespace ? `${metadata.namespace}/${metadata.name}` : metadata.name

const anyChange = (before: KubeObject, now: KubeObject) =>
  before.metadata.resourceVersion !== now.metadata.resourceVersion

/** For `matters`: the spec, the annotations or the wish to be deleted, as controllers with a generation predicate. */
export const specChange = (before: KubeObject, now: KubeObject): boolean =>
  before.metadata.uid !== now.metadata.uid ||
  before.metadata.generation !== now.metadata.generation ||
  before.metadata.deletionTimestamp !== now.metadata.deletionTimestamp ||
  JSON.stringify(before.metadata.annotations) !== JSON.stringify(now.metadata.annotations)

/**
 * @param reconcile brings one object's status up to date; may return milliseconds after which to look again. Called
 *   once at a time per object, with the newest version.
 */
export function createReconciler(
  reconcile: (object: KubeObject) => Promise<number | undefined>,
  options: ReconcilerOptions,
): Reconciler {
  const { matters = anyChange, firstRetryMs = 500, longestRetryMs = 10_000 } = options
  let current = new Map<string, KubeObject>()
  const running = new Set<string>()
  const pending = new Set<string>()
  const timers = new Map<string, NodeJS.Timeout>()
  const failures = new Map<string, number>()
  let stopped = false

  const later = (key: string, ms: number) => {
    clearTimeout(timers.get(key))
    timers.set(
      key,
      setTimeout(() => {
        timers.delete(key)
        enqueue(key)
      }, ms),
    )
  }
  const enqueue = (key: string) => {
    if (stopped || !options.active()) return
    if (running.has(key)) pending.add(key)
    else void run(key)
  }
  const run = async (key: string): Promise<void> => {
    const object = current.get(key)
    if (!object) return
    running.add(key)
    try {
      const againMs = await reconcile(object)
      failures.delete(key)
      if (againMs !== undefined) later(key, againMs)
    } catch (error) {
      const count = failures.get(key) ?? 0
      failures.set(key, count + 1)
      const retryMs = Math.min(firstRetryMs * 2 ** count, longestRetryMs)
      if (!(error instanceof WriteError && error.status === 409)) options.onError(object, error as Error, retryMs)
      later(key, retryMs)
    } finally {
      running.delete(key)
      if (pending.delete(key)) enqueue(key)
    }
  }

  return {
    set(objects) {
      const previous = current
      current = new Map(objects.map((object) => [keyOf(object), object]))
      for (const key of [...failures.keys(), ...timers.keys()]) {
        if (current.has(key)) continue
        failures.delete(key)
        clearTimeout(timers.get(key))
        timers.delete(key)
      }
      for (const [key, object] of current) {
        const before = previous.get(key)
        if (!before || matters(before, object)) enqueue(key)
      }
    },
    again(key) {
      for (const each of key === undefined ? current.keys() : [key]) enqueue(each)
    },
    objects: () => [...current.values()],
    stop() {
      stopped = true
      for (const timer of timers.values()) clearTimeout(timer)
    },
  }
}
