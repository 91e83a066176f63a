/** List, then watch, as client-go's reflector does: the caller always sees the whole current list. */
import { setTimeout as delay } from 'node:timers/promises'
import type { KubeObject, ObjectRef, Result } from '../types.ts'
import { type Connection, linesOf } from './connection.ts'
import type { Discovery } from './discovery.ts'
import { asObject, listObjects, selection } from './list.ts'

/** The server ends a watch after this long; a bookmark comes about once a minute, so a silent socket is a dead one. */
const watchSec = 300
const silentMs = 90_000
/** Between two attempts while the server is away or the kind isn't served (nothing tells when that changes). */
const firstRetryMs = 250
const longestRetryMs = 4_000

interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: KubeObject & { code?: number; message?: string }
}

/** What is known so far, and where the next watch goes on. */
interface State {
  path: string
  version: string
  objects: Map<string, KubeObject>
}

/**
 * Calls `onChange` with the whole list at once and after each change until `signal` aborts. A failure is passed on
 * once per kind of failure; reconnecting goes on from the last resourceVersion, or with a new list if that is gone.
 */
export async function watchObjects(
  connection: Connection,
  discovery: Discovery,
  ref: ObjectRef,
  signal: AbortSignal,
  onChange: (objects: Result<KubeObject[]>) => void,
): Promise<void> {
  let retryMs = firstRetryMs
  let state: State | undefined
  /** The caller was told of a failure, and not yet that it is over. */
  let failing = false
  const publish = (result: Result<KubeObject[]>) => {
    failing = !result.ok
    if (!signal.aborted) onChange(result)
  }

  while (!signal.aborted) {
    if (!state) {
      const listed = await listObjects(connection, discovery, ref, signal)
      if (listed.ok) {
        state = {
          path: listed.value.path,
          version: listed.value.resourceVersion,
          objects: new Map(listed.value.objects.map((object) => [keyOf(object), object])),
        }
        retryMs = firstRetryMs
        publish({ ok: true, value: [...state.objects.values()] })
      } else {
        publish(listed)
      }
    }
    if (state) {
      const tell = () => publish({ ok: true, value: [...(state?.objects.values() ?? [])] })
      const ended = await follow(connection, ref, signal, state, {
        // Nothing may have changed meanwhile, and then no event would say that the server is back.
        opened: () => failing && tell(),
        changed: tell,
      })
      // A watch that the server ended in good order is opened again, with the pause below in case it ends them at once.
      if (ended.ok) retryMs = firstRetryMs
      // `bad-output` here means 410 Gone or an ERROR event: what we hold is too old, list again.
      else if (ended.why === 'bad-output' || ended.why === 'not-found') state = undefined
      else publish(ended)
    }
    await delay(retryMs, undefined, { signal }).catch(() => {})
    retryMs = Math.min(retryMs * 2, longestRetryMs)
  }
}

/** One watch request; ok when the server closed it in good order. */
async function follow(
  connection: Connection,
  ref: ObjectRef,
  signal: AbortSignal,
  state: State,
  { opened, changed }: { opened: () => void; changed: () => void },
): Promise<Result<undefined>> {
  const query = selection(ref)
  query.set('watch', 'true')
  query.set('allowWatchBookmarks', 'true')
  query.set('timeoutSeconds', String(watchSec))
  query.set('resourceVersion', state.version)
  const response = await connection.open(`${state.path}?${query}`, { signal, timeoutMs: silentMs })
  if (!response.ok) {
    return response.detail.startsWith('HTTP 410') ? { ok: false, why: 'bad-output', detail: response.detail } : response
  }
  opened()
  try {
    for await (const line of linesOf(response.value)) {
      const event = JSON.parse(line) as WatchEvent
      if (event.type === 'ERROR') return { ok: false, why: 'bad-output', detail: event.object.message ?? 'watch error' }
      state.version = event.object.metadata.resourceVersion ?? state.version
      if (event.type === 'BOOKMARK') continue
      const object = asObject(event.object, ref)
      if (event.type === 'DELETED') state.objects.delete(keyOf(object))
      else state.objects.set(keyOf(object), object)
      changed()
    }
    return { ok: true, value: undefined }
  } catch {
    // Cut off in the middle: by a restart, or because the CRD of the kind was changed. If the server is really away, the
    // next attempt can't connect and says so.
    return { ok: true, value: undefined }
  } finally {
    response.value.destroy()
  }
}

const keyOf = (object: KubeObject) => `${object.metadata.namespace ?? ''}/${object.metadata.name}`
