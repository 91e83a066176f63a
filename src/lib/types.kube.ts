/** Kubernetes objects, and how they are read. Types only, as in types.ts. */
import type { Result } from './types.ts'

export interface ObjectRef {
  apiVersion: string
  kind: string
  namespace?: string
  name?: string
  labelSelector?: string
  /** What the API server itself can select by, `spec.nodeName=apps-cp1` (Pods). */
  fieldSelector?: string
}

/** One of `status.conditions`, as most kinds have them. */
export interface Condition {
  type: string
  status: string
  reason?: string
  message?: string
  lastTransitionTime?: string
}

export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    uid?: string
    generation?: number
    resourceVersion?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
    creationTimestamp?: string
    deletionTimestamp?: string
    managedFields?: ManagedFields[]
  }
  spec?: { [key: string]: unknown }
  status?: { [key: string]: unknown }
  data?: Record<string, string>
}

/** Who last wrote which fields (server-side apply). */
export interface ManagedFields {
  manager?: string
  operation?: 'Apply' | 'Update'
  time?: string
  subresource?: string
  fieldsV1?: { [key: string]: unknown }
}

/** Reads of the Kubernetes API; there are no writes here on purpose (design section 3). */
export interface KubePort {
  /** @param reduce applied to each object as soon as its page is read: thousands of whole objects would not fit into a small program */
  list(ref: ObjectRef, signal?: AbortSignal, reduce?: (object: KubeObject) => KubeObject): Promise<Result<KubeObject[]>>
  /** Calls `onChange` with the whole current list at once and after each change, until `signal` aborts. Reconnects by itself. */
  watch(ref: ObjectRef, signal: AbortSignal, onChange: (objects: Result<KubeObject[]>) => void): Promise<void>
  /** `GET path` as text, e.g. `/readyz`, `/version`. */
  raw(path: string, options?: RawOptions): Promise<Result<string>>
}

export interface RawOptions {
  /** Another address of the same cluster, `https://10.25.13.12:6443`. */
  server?: string
  signal?: AbortSignal
  /** Until the answer begins, and between two parts of it (ms; default 10 s). */
  timeoutMs?: number
  /** Told each line as it comes, which then are no part of what is returned: for answers without an end. */
  onLine?: (line: string) => void
}
