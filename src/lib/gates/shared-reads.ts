/** Reads that several gates share: each is made once, whoever asks for it. */
import type { KubeObject, KubePort, ObjectRef, Result, TalosPort } from '../types.ts'
import { valueAt } from './conditions.ts'

/**
 * Kinds with few objects, which are listed whole even where one object would do, so that a cluster's gates read each of them
 * once.
 */
const few = new Set(['Node', 'PodDisruptionBudget', 'DaemonSet', 'Deployment'])

/**
 * For one evaluation of many gates and no longer: what was read is never read again. The first asker's signal ends a read for
 * all; they have the same one.
 */
export function sharedReads({ kube, talos }: { kube: KubePort; talos: TalosPort }): {
  kube: KubePort
  talos: TalosPort
} {
  const reads = new Map<string, Promise<unknown>>()
  const once = <T>(key: unknown[], read: () => Promise<T>): Promise<T> => {
    const name = JSON.stringify(key)
    const known = (reads.get(name) as Promise<T> | undefined) ?? read()
    reads.set(name, known)
    return known
  }
  const list = async (ref: ObjectRef, signal?: AbortSignal): Promise<Result<KubeObject[]>> => {
    const { apiVersion, kind } = ref
    if (!few.has(kind) || ref.labelSelector !== undefined)
      return once(['list', sorted(ref)], () => kube.list(ref, signal))
    const whole = await once(['list', { apiVersion, kind }], () => kube.list({ apiVersion, kind }, signal))
    return whole.ok ? { ok: true, value: whole.value.filter((object) => isSelected(object, ref)) } : whole
  }
  return {
    kube: {
      list,
      watch: (ref, signal, onChange) => kube.watch(ref, signal, onChange),
      // What is told line by line has its own listener each time.
      raw: (path, options = {}) =>
        options.onLine
          ? kube.raw(path, options)
          : once(['raw', path, options.server ?? ''], () => kube.raw(path, options)),
    },
    talos: {
      state: (node, signal) => once(['state', node], () => talos.state(node, signal)),
      discoveredVolumes: (node, signal) =>
        once(['discoveredVolumes', node], () => talos.discoveredVolumes(node, signal)),
      get: (node, type, id, signal) => once(['get', node, type, id ?? ''], () => talos.get(node, type, id, signal)),
      etcdMembers: (node, signal) => once(['etcdMembers', node], () => talos.etcdMembers(node, signal)),
      etcdStatus: (node, signal) => once(['etcdStatus', node], () => talos.etcdStatus(node, signal)),
      etcdAlarms: (node, signal) => once(['etcdAlarms', node], () => talos.etcdAlarms(node, signal)),
      bootId: (node, signal) => once(['bootId', node], () => talos.bootId(node, signal)),
      read: (node, path, signal) => once(['read', node, path], () => talos.read(node, path, signal)),
    },
  }
}

/** Not by the rules of a language, whose tables take 8 ms to load: it is only to be the same each time. */
export const sorted = (ref: ObjectRef) => Object.entries(ref).toSorted(([left], [right]) => (left < right ? -1 : 1))

function isSelected({ metadata }: KubeObject, ref: ObjectRef): boolean {
  if (ref.name && metadata.name !== ref.name) return false
  if (ref.namespace && metadata.namespace !== ref.namespace) return false
  const [path = '', value] = ref.fieldSelector?.split('=') ?? []
  return path === '' || String(valueAt({ metadata }, path)) === value
}
