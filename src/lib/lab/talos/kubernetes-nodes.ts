/** The Kubernetes nodes as machines see them: readiness, cordons and the drain that Talos does by itself. */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { CoreV1Api } from '@kubernetes/client-node'
import { parse } from 'yaml'
import { createKubePort } from '../../kube/client.ts'
import type { KubeObject, KubePort } from '../../types.ts'
import type { Lab } from '../types.ts'

export interface NodeFacts {
  ready: boolean
  unschedulable: boolean
  labels: Record<string, string>
  annotations: Record<string, string>
}

export interface KubernetesNodes {
  /** Last known facts of a node; undefined before the API has shown it. */
  facts(name: string): NodeFacts | undefined
  onChange(listener: () => void): void
  /** Reads for the health check; undefined before the API server has been up. */
  port(): KubePort | undefined
  /** Marks the node unschedulable with Talos's own annotation, and the reverse only where that annotation stands. */
  cordon(name: string): Promise<void>
  uncordon(name: string): Promise<void>
  /** Evicts the node's pods, trying again where a budget forbids it, until the signal aborts. */
  drain(name: string, retryMs: number, signal: AbortSignal): Promise<void>
  stop(): void
}

/** constants.AnnotationCordonedKey */
const cordonedAnnotation = 'talos.dev/cordoned'

/** One watch for all machines of a lab; it begins when the API server is up for the first time. */
export function watchKubernetesNodes(lab: Lab): KubernetesNodes {
  const nodes = new Map<string, NodeFacts>()
  const listeners = new Set<() => void>()
  const ended = new AbortController()
  let port: KubePort | undefined
  let writer: Promise<CoreV1Api> | undefined

  lab.onApiUp(() => {
    if (port || ended.signal.aborted) return
    void start().catch((error: unknown) => lab.log('talos', `no node watch: ${error}`))
  })
  const start = async () => {
    const context = String(
      (parse(await readFile(lab.adminKubeconfig, 'utf8')) as Record<string, unknown>)['current-context'],
    )
    port = createKubePort({ kubeconfig: lab.adminKubeconfig, context })
    await port.watch({ apiVersion: 'v1', kind: 'Node' }, ended.signal, (result) => {
      // While the API is away the last facts stay, as they do in a machine whose kubelet lost its API server.
      if (!result.ok) return
      nodes.clear()
      for (const node of result.value) nodes.set(node.metadata.name, factsOf(node))
      for (const listener of listeners) listener()
    })
  }
  const api = () => {
    writer ??= coreApi(lab)
    return writer
  }
  const cordon = async (name: string, unschedulable: boolean) => {
    const { PatchStrategy, setHeaderOptions } = await import('@kubernetes/client-node')
    const body = {
      metadata: { annotations: { [cordonedAnnotation]: unschedulable ? 'true' : null } },
      spec: { unschedulable: unschedulable ? true : null },
    }
    await (await api()).patchNode({ name, body }, setHeaderOptions('Content-Type', PatchStrategy.MergePatch))
  }
  return {
    facts: (name) => nodes.get(name),
    onChange: (listener) => void listeners.add(listener),
    port: () => port,
    async cordon(name) {
      // Talos leaves a node that is cordoned already without its annotation, and so doesn't free it (1.12 node_apply.go).
      if (nodes.get(name)?.unschedulable !== true) await cordon(name, true)
    },
    async uncordon(name) {
      if (nodes.get(name)?.annotations[cordonedAnnotation] !== undefined) await cordon(name, false)
    },
    drain: async (name, retryMs, signal) => drainNode(await api(), name, retryMs, signal),
    stop: () => ended.abort(),
  }
}

function factsOf(node: KubeObject): NodeFacts {
  const conditions = (node.status?.conditions ?? []) as { type: string; status: string }[]
  return {
    ready: conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True'),
    unschedulable: node.spec?.unschedulable === true,
    labels: node.metadata.labels ?? {},
    annotations: node.metadata.annotations ?? {},
  }
}

async function coreApi(lab: Lab): Promise<CoreV1Api> {
  const { CoreV1Api, KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  config.loadFromFile(lab.adminKubeconfig)
  return config.makeApiClient(CoreV1Api)
}

/** Talos's drain (pkg/kubernetes): every pod that neither is a static pod's mirror nor belongs to a DaemonSet. */
async function drainNode(api: CoreV1Api, name: string, retryMs: number, signal: AbortSignal): Promise<void> {
  for (;;) {
    const pods = await api.listPodForAllNamespaces({ fieldSelector: `spec.nodeName=${name}` })
    const left = pods.items.filter(
      (pod) =>
        pod.metadata?.annotations?.['kubernetes.io/config.mirror'] === undefined &&
        !pod.metadata?.ownerReferences?.some((owner) => owner.kind === 'DaemonSet') &&
        pod.status?.phase !== 'Succeeded' &&
        pod.status?.phase !== 'Failed',
    )
    if (left.length === 0) return
    const waiting = left.filter((pod) => pod.metadata?.deletionTimestamp === undefined)
    await Promise.all(waiting.map((pod) => evict(api, pod.metadata?.namespace ?? '', pod.metadata?.name ?? '')))
    await delay(retryMs, undefined, { signal })
  }
}

/** A budget's refusal (429) and a pod that is gone (404) are no errors: the next round looks again. */
async function evict(api: CoreV1Api, namespace: string, name: string): Promise<void> {
  const body = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { namespace, name } }
  try {
    await api.createNamespacedPodEviction({ namespace, name, body })
  } catch (error) {
    const code = (error as { code?: number }).code
    if (code !== 429 && code !== 404) throw error
  }
}
