/** Reads whole lists of objects, page by page. */
import type { KubeObject, ObjectRef, Result } from '../types.ts'
import type { Connection } from './connection.ts'
import type { Discovery } from './discovery.ts'

/** Objects of one page; a cluster has more Secrets than fit comfortably into one answer. */
const pageSize = 500
/** A CRD with its schemas is up to a megabyte: a page of few keeps this program small. */
const crdPageSize = 20

/** A page of objects and where the list stands. */
export interface Listing {
  objects: KubeObject[]
  /** Where they are. */
  path: string
  resourceVersion: string
}

/** Lists every object that `ref` selects, page by page. */
export async function listObjects(
  connection: Connection,
  discovery: Discovery,
  ref: ObjectRef,
  signal?: AbortSignal,
  reduce: (object: KubeObject) => KubeObject = (object) => object,
): Promise<Result<Listing>> {
  const options = { queued: true, ...(signal ? { signal } : {}) }
  const objects: KubeObject[] = []
  let path = discovery.guess(ref)
  for (let next: string | undefined = ''; ; ) {
    const query = selection(ref)
    query.set('limit', String(ref.kind === crdKind ? crdPageSize : pageSize))
    if (next) query.set('continue', next)
    let page = await connection.text(`${path}?${query}`, options)
    // One who may not list it is refused before anybody looks whether there is such a place.
    if (!page.ok && (page.why === 'not-found' || page.why === 'denied')) {
      const sure = await discovery.path(ref, signal)
      if (!sure.ok) return sure
      if (sure.value === path) return page
      path = sure.value
      page = await connection.text(`${path}?${query}`, options)
    }
    if (!page.ok) return page
    const list = parseList(page.value)
    if (!list.ok) return list
    // Items of a list carry neither kind nor apiVersion.
    for (const item of list.value.items) objects.push(reduce(asObject(item, ref)))
    next = list.value.metadata.continue
    if (!next) return { ok: true, value: { objects, path, resourceVersion: list.value.metadata.resourceVersion } }
  }
}

const crdKind = 'CustomResourceDefinition'

/** An item of a list or watch as an object of `ref`'s kind; a CRD without its schemas, which nobody here looks at. */
export function asObject(item: KubeObject, ref: ObjectRef): KubeObject {
  const { apiVersion, kind } = ref
  if (kind !== crdKind || !Array.isArray(item.spec?.versions)) return { ...item, apiVersion, kind }
  const versions = item.spec.versions.map((version: { schema?: unknown }) => ({ ...version, schema: undefined }))
  return { ...item, apiVersion, kind, spec: { ...item.spec, versions } }
}

/** The query of a list or watch that returns just what `ref` names. */
export function selection(ref: ObjectRef): URLSearchParams {
  const query = new URLSearchParams()
  const fields = [ref.name ? `metadata.name=${ref.name}` : '', ref.fieldSelector ?? ''].filter(Boolean)
  if (fields.length > 0) query.set('fieldSelector', fields.join(','))
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
