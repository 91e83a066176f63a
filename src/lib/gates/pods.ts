/** Why a workload isn't there yet: what its pods say. */
import type { KubeObject, KubePort } from '../types.ts'
import { oneLine, valueAt } from './conditions.ts'

interface ContainerStatus {
  name: string
  ready?: boolean
  state?: { waiting?: { reason?: string; message?: string }; terminated?: { reason?: string; exitCode?: number } }
}

/** One line for each of the first pods that aren't ready; empty when that can't be read. */
export async function podReasons(kube: KubePort, workload: KubeObject, signal: AbortSignal): Promise<string[]> {
  const labels = valueAt(workload, 'spec.selector.matchLabels') as Record<string, string> | undefined
  if (!labels || !workload.metadata.namespace) return []
  const labelSelector = Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
  const pods = await kube.list(
    { apiVersion: 'v1', kind: 'Pod', namespace: workload.metadata.namespace, labelSelector },
    signal,
  )
  if (!pods.ok) return []
  return pods.value
    .flatMap((pod) => {
      const reason = podReason(pod)
      return reason ? [`Pod ${pod.metadata.namespace}/${pod.metadata.name}: ${reason}`] : []
    })
    .slice(0, 3)
}

/** Undefined for a pod that is Ready. */
export function podReason(pod: KubeObject): string | undefined {
  const conditions = (valueAt(pod, 'status.conditions') ?? []) as { type: string; status: string; message?: string }[]
  if (conditions.find((condition) => condition.type === 'Ready')?.status === 'True') return undefined
  const unscheduled = conditions.find((condition) => condition.type === 'PodScheduled' && condition.status === 'False')
  if (unscheduled) return `not scheduled: ${oneLine(unscheduled.message)}`
  const statuses = ['initContainerStatuses', 'containerStatuses'].flatMap(
    (list) => (valueAt(pod, `status.${list}`) ?? []) as ContainerStatus[],
  )
  for (const { name, ready, state } of statuses) {
    if (ready) continue
    const { waiting, terminated } = state ?? {}
    if (waiting?.reason) return oneLine(`${name}: ${waiting.reason}${waiting.message ? `: ${waiting.message}` : ''}`)
    if (terminated && terminated.exitCode !== 0)
      return `${name}: ended with ${terminated.reason ?? terminated.exitCode}`
  }
  return `phase ${valueAt(pod, 'status.phase') ?? 'unknown'}`
}
