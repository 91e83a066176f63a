/** Argv of kubectl 1.35 for a node whose OSDs are at rest on purpose: cordon and hold in one request, their eviction, and back. */
import type { Command } from '../types.ts'
import { cordonedBy } from './kubectl.args.ts'
import { fieldManager, type HoldNote, holdKeys, noteAnnotations } from './kubectl-hold.args.ts'
import { cordonedSince, cordonReason } from './kubectl-node.args.ts'

/** Rook's label of an OSD, on its Deployment and its pod. */
export const osdSelector = 'app=rook-ceph-osd'

/** Rook (1.19) keeps data off the network only while the node of resting OSDs is cordoned. @param by see `holdNodeArgs` */
export function restNodeArgs(context: string, node: string, by: string, note: HoldNote): Command {
  const annotations = {
    ...noteAnnotations(note),
    [cordonedBy]: by,
    [cordonReason]: note.reason,
    [cordonedSince]: note.since,
  }
  return patchNodeArgs(context, node, { metadata: { annotations }, spec: { unschedulable: true } })
}

/** Evicts the OSDs of a node, and nothing else that runs there. @param timeoutSec for the whole of it */
export function evictOsdsArgs(context: string, node: string, timeoutSec: number): Command {
  const flags = [`--pod-selector=${osdSelector}`, '--delete-emptydir-data', `--timeout=${timeoutSec}s`]
  return { tool: 'kubectl', args: ['--context', context, 'drain', node, ...flags] }
}

/** Only as long as `resourceVersion` is the one that was looked at: the API server answers 409 otherwise. */
export function wakeNodeArgs(context: string, node: string, resourceVersion: string): Command {
  const keys = [...Object.values(holdKeys), cordonedBy, cordonReason, cordonedSince]
  const annotations = Object.fromEntries(keys.map((key) => [key, null]))
  return patchNodeArgs(context, node, { metadata: { resourceVersion, annotations }, spec: { unschedulable: null } })
}

const patchNodeArgs = (context: string, node: string, patch: object): Command => ({
  tool: 'kubectl',
  args: [
    '--context',
    context,
    'patch',
    'node',
    node,
    '--type',
    'merge',
    '--field-manager',
    fieldManager,
    '-p',
    JSON.stringify(patch),
  ],
})
