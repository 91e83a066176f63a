/** From a workload that is not ready to its pods, their volumes, their node and the machine's services. */
import type { KubeObject, ObjectRef } from '../../types.ts'
import { ask, askOne, conditionOf, idOfObject, isReady, type Link, linkOf, type Walk } from './link.ts'
import { missingObject, type Wanted } from './secrets.ts'

/** Kinds that have pods of their own. */
export const workloadKinds = ['Deployment', 'StatefulSet', 'DaemonSet'] as const

/** @param labelSelector of what Flux has applied: it marks every object with who did */
export function* brokenWorkloads(labelSelector: string, namespace?: string): Walk {
  const refs = workloadKinds.map(
    (kind): ObjectRef => ({ apiVersion: 'apps/v1', kind, labelSelector, ...(namespace ? { namespace } : {}) }),
  )
  const lists = yield* ask(...refs)
  for (const workload of lists.flat()) {
    if (isComplete(workload)) continue
    const broken = yield* brokenWorkload(workload)
    if (broken) return broken
  }
  return undefined
}

function isComplete({ kind, spec = {}, status = {} }: KubeObject): boolean {
  if (kind === 'DaemonSet') return Number(status.numberReady ?? 0) >= Number(status.desiredNumberScheduled ?? 0)
  return Number(status.readyReplicas ?? 0) >= Number(spec.replicas ?? 1)
}

function* brokenWorkload(workload: KubeObject): Walk {
  const refused = conditionOf(workload, 'ReplicaFailure')
  if (refused?.status === 'True') return linkOf('pods-refused', workload, 'ReplicaFailure')
  const labels = (workload.spec?.selector as { matchLabels?: Record<string, string> } | undefined)?.matchLabels ?? {}
  const labelSelector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  if (labelSelector === '') return undefined
  const { namespace = '' } = workload.metadata
  const [pods = []] = yield* ask({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector })
  // The newest first: an old one that still goes away is not what is waited for.
  const open = pods
    .filter((pod) => !isReady(pod) && pod.status?.phase !== 'Succeeded')
    .toSorted((a, b) => String(b.metadata.creationTimestamp).localeCompare(String(a.metadata.creationTimestamp)))
  for (const pod of open) {
    const broken = yield* brokenPod(pod)
    if (broken) return broken
  }
  if (pods.length === 0 && workload.kind !== 'DaemonSet')
    return linkOf('pods-refused', workload, 'Progressing', 'it has no pods')
  return undefined
}

interface ContainerStatus {
  name: string
  ready?: boolean
  restartCount?: number
  state?: {
    waiting?: { reason?: string; message?: string }
    terminated?: { reason?: string; message?: string; exitCode?: number }
  }
  lastState?: { terminated?: { reason?: string; message?: string; exitCode?: number; finishedAt?: string } }
}

function* brokenPod(pod: KubeObject): Walk {
  const scheduled = conditionOf(pod, 'PodScheduled')
  if (scheduled?.status === 'False')
    return (yield* pendingVolume(pod)) ?? linkOf('pod-unschedulable', pod, 'PodScheduled')
  // Before its containers: what a kubelet that is gone said last is no news.
  const node = yield* brokenNode(pod)
  if (node) return node
  for (const wanted of objectsOf(pod)) {
    const missing = yield* missingObject(wanted, idOfObject(pod))
    if (missing) return missing
  }
  const volume = yield* pendingVolume(pod)
  if (volume) return volume
  const container = brokenContainer(pod)
  if (container) return container
  return isReady(pod) || !conditionOf(pod, 'Ready') ? undefined : linkOf('pod-not-ready', pod)
}

function brokenContainer(pod: KubeObject): Link | undefined {
  const statuses = ['initContainerStatuses', 'containerStatuses'].flatMap(
    (field) => (pod.status?.[field] ?? []) as ContainerStatus[],
  )
  const object = idOfObject(pod)
  const since = conditionOf(pod, 'Ready')?.lastTransitionTime ?? pod.metadata.creationTimestamp ?? null
  for (const { name, state, lastState } of statuses) {
    const waiting = state?.waiting
    const ended = state?.terminated ?? lastState?.terminated
    const said = (text: string | undefined) => `container ${name}: ${text ?? ''}`
    if (/Image|Registry/.test(waiting?.reason ?? ''))
      return { class: 'image-failed', object, message: said(waiting?.message ?? waiting?.reason), since }
    if (waiting?.reason === 'CrashLoopBackOff' || (ended && ended.exitCode !== 0)) {
      const last = ended ? `${ended.reason ?? 'Error'}, exit code ${ended.exitCode ?? '?'}` : waiting?.message
      const text = ended?.message ? `${last}: ${ended.message}` : last
      return { class: 'container-crashed', object, message: said(text), since }
    }
    if (/Config|Create|Run/.test(waiting?.reason ?? '') && waiting?.reason !== 'ContainerCreating')
      return { class: 'container-misconfigured', object, message: said(waiting?.message ?? waiting?.reason), since }
  }
  return undefined
}

interface PodSpec {
  nodeName?: string
  volumes?: {
    persistentVolumeClaim?: { claimName: string }
    secret?: { secretName?: string; optional?: boolean }
    configMap?: { name?: string; optional?: boolean }
  }[]
  imagePullSecrets?: { name: string }[]
  initContainers?: Container[]
  containers?: Container[]
}
interface Container {
  env?: { valueFrom?: { secretKeyRef?: Named; configMapKeyRef?: Named } }[]
  envFrom?: { secretRef?: Named; configMapRef?: Named }[]
}
interface Named {
  name?: string
  optional?: boolean
}

const specOf = (pod: KubeObject): PodSpec => (pod.spec ?? {}) as PodSpec

/** What a pod can not start without. */
function objectsOf(pod: KubeObject): Wanted[] {
  const { namespace = '' } = pod.metadata
  const { volumes = [], containers = [], initContainers = [] } = specOf(pod)
  const secrets: (Named | undefined)[] = volumes.map(({ secret }) =>
    secret ? { name: secret.secretName ?? '', optional: secret.optional ?? false } : undefined,
  )
  const settings: (Named | undefined)[] = volumes.map(({ configMap }) => configMap)
  for (const { env = [], envFrom = [] } of [...initContainers, ...containers]) {
    secrets.push(...env.map(({ valueFrom }) => valueFrom?.secretKeyRef), ...envFrom.map(({ secretRef }) => secretRef))
    settings.push(
      ...env.map(({ valueFrom }) => valueFrom?.configMapKeyRef),
      ...envFrom.map(({ configMapRef }) => configMapRef),
    )
  }
  const wanted = (kind: Wanted['kind'], all: (Named | undefined)[]) => {
    const names = all.flatMap((one) => (one?.name && one.optional !== true ? [one.name] : []))
    return [...new Set(names)].map((name): Wanted => ({ kind, namespace, name }))
  }
  return [...wanted('Secret', secrets), ...wanted('ConfigMap', settings)]
}

function* pendingVolume(pod: KubeObject): Walk {
  const { namespace = '' } = pod.metadata
  for (const { persistentVolumeClaim } of specOf(pod).volumes ?? []) {
    if (!persistentVolumeClaim) continue
    const name = persistentVolumeClaim.claimName
    const claim = yield* askOne({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name })
    const object = `PersistentVolumeClaim/${namespace}/${name}`
    if (!claim)
      return {
        class: 'volume-pending',
        object,
        message: `${idOfObject(pod)} needs it, and it is not there`,
        since: null,
      }
    const phase = String(claim.status?.phase ?? 'Pending')
    if (phase === 'Bound') continue
    const storageClass = claim.spec?.storageClassName ? ` of class ${claim.spec.storageClassName}` : ''
    return {
      class: 'volume-pending',
      object,
      message: `it is ${phase}${storageClass}`,
      since: claim.metadata.creationTimestamp ?? null,
    }
  }
  return undefined
}

/** Without these a machine runs no pods. */
const podServices = ['containerd', 'cri', 'kubelet']

function* brokenNode(pod: KubeObject): Walk {
  const { nodeName } = specOf(pod)
  if (!nodeName) return undefined
  const node = yield* askOne({ apiVersion: 'v1', kind: 'Node', name: nodeName })
  if (!node)
    return {
      class: 'node-not-ready',
      object: `Node/${nodeName}`,
      message: 'the cluster has no such node any more',
      since: null,
    }
  if (isReady(node)) return undefined
  const answers = yield [{ talosServices: nodeName }]
  const [services] = answers
  const down = services?.ok ? downService(services.value) : undefined
  const since = conditionOf(node, 'Ready')?.lastTransitionTime ?? null
  if (down) return { class: 'machine-service-down', object: `Node/${nodeName}`, message: down, since }
  const link = linkOf('node-not-ready', node)
  return services && !services.ok
    ? { ...link, message: `${link.message}; its machine does not answer: ${services.detail}` }
    : link
}

/** Talos tears the resource of a service down when it stops (talos.md): one that is missing does not run. */
function downService(services: KubeObject[]): string | undefined {
  if (services.length === 0) return undefined
  const stopped = podServices.find((name) => !services.some(({ metadata }) => metadata.name === name))
  if (stopped) return `service ${stopped} does not run`
  const ill = services.find(({ spec }) => spec?.running !== true || (spec.unknown !== true && spec.healthy !== true))
  return ill
    ? `service ${ill.metadata.name} ${ill.spec?.running === true ? 'is not healthy' : 'does not run'}`
    : undefined
}
