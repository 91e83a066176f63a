/** Argv of kubectl 1.35 for a node that an operator holds out of service, and for one that is gone for good. */
import type { Command } from '../types.ts'
import { cordonedBy } from './kubectl.args.ts'

/** Beside who it was: why, and since when (ISO 8601). */
export const cordonReason = 'k8sops.dev/cordon-reason'
export const cordonedSince = 'k8sops.dev/cordoned-since'

export interface Hold {
  /** Stands in the annotation, and only the same name brings the node back. */
  by: string
  reason: string
  /** ISO 8601. */
  since: string
}

const kubectl = (context: string, args: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, ...args],
})

/** Cordon and annotations in one request, as cordonArgs does it. */
export function holdNodeArgs(context: string, node: string, { by, reason, since }: Hold): Command {
  const annotations = { [cordonedBy]: by, [cordonReason]: reason, [cordonedSince]: since }
  const patch = { metadata: { annotations }, spec: { unschedulable: true } }
  return kubectl(context, ['patch', 'node', node, '--type', 'merge', '-p', JSON.stringify(patch)])
}

/**
 * Brings back a node whoever took it out, but only as long as `resourceVersion` is still the one that was looked at: what
 * somebody does meanwhile is not undone unseen (the API server answers 409).
 */
export function releaseNodeArgs(context: string, node: string, resourceVersion: string): Command {
  const annotations = { [cordonedBy]: null, [cordonReason]: null, [cordonedSince]: null }
  const patch = { metadata: { resourceVersion, annotations }, spec: { unschedulable: null } }
  return kubectl(context, ['patch', 'node', node, '--type', 'merge', '-p', JSON.stringify(patch)])
}

/** Forgets a node that does not come back: its pods are then started elsewhere, its volumes released. */
export function deleteNodeArgs(context: string, node: string): Command {
  return kubectl(context, ['delete', 'node', node, '--ignore-not-found'])
}
