/** Reads whole lists of objects, page by page. */
import type { KubeObject, ObjectRef, Result } from '../types.ts'
import type { Connection } from './connection.ts'
import type { Discovery } from './discovery.ts'

/** Objects of one page; a cluster has more Secrets than fit comfortably into one answer. */
const pageSize = 500

/** A page of objects and where the list stands. */
export interface Listing {
  objects: KubeObject[]
  resourceVersion: string
}

/** Lists every object that `ref` selects, page by page. */
export async function listObjects(
  connection: Connection,
  discovery: Discovery,
  ref: ObjectRef,
  signal?: AbortSignal,
): Promise<Result<Listing>> {
  const path = await discovery.path(ref, signal)
  if (!path.ok) return path
  const objects: KubeObject[] = []
  for (let next: string | undefined = ''; ; ) {
    const query = selection(ref)
    query.set('limit', String(pageSize))
    if (next) query.set('continue', next)
    const page = await connection.text(`${path.value}?${query}`, signal ? { signal } : {})
    if (!page.ok) return page
    const list = parseList(page.value)
    if (!list.ok) return list
    // Items of a list carry neither kind nor apiVersion.
    for (const item of list.value.items) objects.push({ ...item, apiVersion: ref.apiVersion, kind: ref.kind })
    next = list.value.metadata.continue
    if (!next) return { ok: true, value: { objects, resourceVersion: list.value.metadata.resourceVersion } }
  }
}

/** The query of a list or watch that returns just what `ref` names. */
export function selection(ref: ObjectRef): URLSearchParams {
  const query = new URLSearchParams()
  if (ref.name) query.set('fieldSelector', `metadata.name=${ref.name}`)
  if (ref.labelSelector) query.set('labelSelector', ref.labelSelector)
  return query
}

interface ObjectList {
  metadata: { resourceVersion: string; continue?: string }
  items: KubeObject[]
}

function parseList(text: string): Result<ObjectList> {
  try {
    return { ok: true, value: JSON.parse(text) as ObjectList }
  } catch (error) {
    return { ok: false, why: 'bad-output', detail: `not JSON: ${(error as Error).message}` }
  }
}
