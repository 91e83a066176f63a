/**
 * What the lab's stand-ins see of the cluster: watches that begin once the API server is up and the kind is served, and
 * that survive its restarts. One view is shared by all parts of a lab, so that pods and CRDs are watched once.
 */
import { readFile } from 'node:fs/promises'
import { createKubePort } from '../../kube/client.ts'
import type { KubeObject, KubePort, ObjectRef } from '../../types.ts'
import type { Lab } from '../types.ts'
import { createWriter, type Writer } from './writer.ts'

export interface ClusterView {
  /** The whole list at once and after each change, as long as the kind is served. Returns how to end it. */
  watch(ref: ObjectRef, onChange: (objects: KubeObject[]) => void): () => void
  /** Every pod that has a Running phase and is not being deleted. */
  runningPods(): KubeObject[]
  onPods(listener: () => void): () => void
  /** The CRD of a kind is Established. True for built-in kinds. */
  serves(ref: { apiVersion: string; kind: string }): boolean
  crds(): KubeObject[]
  onCrds(listener: () => void): () => void
  /** Throws WriteError while the API server has never been up. */
  writer(): Writer
  reads(): KubePort | undefined
}

const views = new WeakMap<Lab, { view: ClusterView; users: number; close: () => void }>()

/** The view of this lab. Every part that opens it closes it once. */
export function openClusterView(lab: Lab): { view: ClusterView; close: () => void } {
  let shared = views.get(lab)
  if (!shared) {
    shared = { ...createClusterView(lab), users: 0 }
    views.set(lab, shared)
  }
  const opened = shared
  opened.users++
  return {
    view: opened.view,
    close() {
      opened.users--
      if (opened.users > 0) return
      opened.close()
      views.delete(lab)
    },
  }
}

interface Subscription {
  ref: ObjectRef
  onChange: (objects: KubeObject[]) => void
  ended?: AbortController | undefined
}

function createClusterView(lab: Lab): { view: ClusterView; close: () => void } {
  const subscriptions = new Set<Subscription>()
  const listeners = { pods: new Set<() => void>(), crds: new Set<() => void>() }
  let access: { port: KubePort; writer: Writer } | undefined
  let pods: KubeObject[] = []
  let crds: KubeObject[] = []
  let closed = false

  const serves = ({ apiVersion, kind }: { apiVersion: string; kind: string }) =>
    isBuiltIn(apiVersion) || crds.some((crd) => isEstablished(crd) && definesKind(crd, apiVersion, kind))

  const begin = (subscription: Subscription) => {
    if (!access || closed || subscription.ended || !serves(subscription.ref)) return
    const ended = new AbortController()
    subscription.ended = ended
    const { ref, onChange } = subscription
    const watching = access.port.watch(ref, ended.signal, (result) => {
      if (result.ok) onChange(result.value)
    })
    watching.catch((error: Error) => lab.log('cluster-view', `watch of ${ref.kind} ended: ${error.stack}`))
  }
  const end = (subscription: Subscription) => {
    subscription.ended?.abort()
    subscription.ended = undefined
  }
  const subscribe = (ref: ObjectRef, onChange: (objects: KubeObject[]) => void) => {
    const subscription: Subscription = { ref, onChange }
    subscriptions.add(subscription)
    begin(subscription)
    return () => {
      subscriptions.delete(subscription)
      end(subscription)
    }
  }

  subscribe({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition' }, (objects) => {
    crds = objects
    for (const subscription of subscriptions) {
      if (serves(subscription.ref)) begin(subscription)
      else if (subscription.ended) {
        // Its CRD is gone, and every object with it.
        end(subscription)
        subscription.onChange([])
      }
    }
    for (const listener of listeners.crds) listener()
  })
  subscribe({ apiVersion: 'v1', kind: 'Pod' }, (objects) => {
    pods = objects.filter(({ status, metadata }) => status?.phase === 'Running' && !metadata.deletionTimestamp)
    for (const listener of listeners.pods) listener()
  })

  lab.onApiUp(() => {
    const start = async () => {
      const target = { kubeconfig: lab.adminKubeconfig, context: await currentContext(lab.adminKubeconfig) }
      access = { port: createKubePort(target), writer: createWriter(target) }
      // A lab may have been wiped since: a resourceVersion of the old etcd would never be reached in the new one.
      for (const subscription of subscriptions) {
        end(subscription)
        begin(subscription)
      }
    }
    start().catch((error: Error) => lab.log('cluster-view', `no access to the API server: ${error.message}`))
  })

  const view: ClusterView = {
    watch: subscribe,
    runningPods: () => pods,
    onPods: (listener) => add(listeners.pods, listener),
    serves,
    crds: () => crds,
    onCrds: (listener) => add(listeners.crds, listener),
    writer() {
      if (!access) throw new Error('the API server has never been up')
      return access.writer
    },
    reads: () => access?.port,
  }
  return {
    view,
    close() {
      closed = true
      for (const subscription of subscriptions) end(subscription)
    },
  }
}

/** A Running pod of the Deployment, DaemonSet or StatefulSet with these pod labels. */
export function hasRunningPod(view: ClusterView, labels: Record<string, string>, namespace?: string): boolean {
  return view.runningPods().some((pod) => matches(pod, labels, namespace))
}

/** Whether an object carries all of the labels. */
export function matches(object: KubeObject, labels: Record<string, string>, namespace?: string): boolean {
  const own = object.metadata.labels ?? {}
  return (
    (namespace === undefined || object.metadata.namespace === namespace) &&
    Object.entries(labels).every(([key, value]) => own[key] === value)
  )
}

/** The API server's own groups have no dot, or end in k8s.io without being one of the groups that CRDs define. */
function isBuiltIn(apiVersion: string): boolean {
  const group = apiVersion.includes('/') ? (apiVersion.split('/')[0] ?? '') : ''
  return !group.includes('.') || builtInGroups.test(group)
}

const builtInGroups =
  /^(admissionregistration|apiextensions|apiregistration|authentication|authorization|certificates|coordination|discovery|events|flowcontrol\.apiserver|internal\.apiserver|networking|node|rbac\.authorization|resource|scheduling|storage|storagemigration)\.k8s\.io$/

export function isEstablished(crd: KubeObject): boolean {
  const conditions = (crd.status?.conditions ?? []) as { type: string; status: string }[]
  return conditions.some(({ type, status }) => type === 'Established' && status === 'True')
}

function definesKind(crd: KubeObject, apiVersion: string, kind: string): boolean {
  const spec = crd.spec as { group: string; names: { kind: string }; versions: { name: string; served: boolean }[] }
  return (
    spec.names.kind === kind &&
    spec.versions.some(({ name, served }) => served && apiVersion === `${spec.group}/${name}`)
  )
}

async function currentContext(kubeconfig: string): Promise<string> {
  const { parse } = await import('yaml')
  return String((parse(await readFile(kubeconfig, 'utf8')) as Record<string, unknown>)['current-context'])
}

function add(set: Set<() => void>, listener: () => void): () => void {
  set.add(listener)
  return () => set.delete(listener)
}
