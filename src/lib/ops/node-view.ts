/** Kubernetes Nodes as tables and plans need them: Ready, in or out of service, and by whom. */
import { cordonedBy } from '../tools/kubectl.args.ts'
import { cordonedSince, cordonReason } from '../tools/kubectl-node.args.ts'
import type { KubeObject } from '../types.ts'

export interface NodeView {
  name: string
  kubelet: string | null
  ready: boolean
  schedulable: boolean
  /** Who cordoned it; null when nobody did. */
  holder: string | null
  reason: string | null
  since: string | null
  resourceVersion: string
  /** Another one after the node was deleted and registered anew. */
  uid: string
}

/** Talos's own mark on a node that it drains (talos.md 0, trap 7). */
const talosCordon = 'talos.dev/cordoned'

export function nodeView({ metadata, spec, status }: KubeObject): NodeView {
  const annotations = metadata.annotations ?? {}
  const info = status?.nodeInfo as { kubeletVersion?: string } | undefined
  const conditions = (status?.conditions ?? []) as { type: string; status: string }[]
  const schedulable = spec?.unschedulable !== true
  const by = annotations[cordonedBy]
  const stranger = annotations[talosCordon] === undefined ? 'somebody, without a note' : 'Talos'
  return {
    name: metadata.name,
    kubelet: info?.kubeletVersion ?? null,
    ready: conditions.find(({ type }) => type === 'Ready')?.status === 'True',
    schedulable,
    holder: schedulable ? null : (by ?? stranger),
    reason: annotations[cordonReason] ?? null,
    since: annotations[cordonedSince] ?? null,
    resourceVersion: metadata.resourceVersion ?? '',
    uid: metadata.uid ?? '',
  }
}
