/** Argv of kubectl 1.35. */
import type { Command } from '../types.ts'

const kubectl = (context: string, args: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, ...args],
})

export interface ApplyOptions {
  /** Take over fields that another manager owns (CRDs that a chart brought before). */
  forceConflicts?: boolean
}

/** Applies what comes on stdin. */
export function applyStdinArgs(context: string, options: ApplyOptions = {}): Command {
  const force = options.forceConflicts ? ['--force-conflicts'] : []
  return kubectl(context, ['apply', '--server-side', ...force, '-f', '-'])
}

/** Asks the API server what it would say to what comes on stdin: schema, admission, quota. Nothing is changed. */
export function dryRunStdinArgs(context: string): Command {
  return kubectl(context, ['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-o', 'name', '-f', '-'])
}

/**
 * Deletes the record of releases whose install or upgrade was cut off. helm keeps one Secret per revision and refuses
 * every further change while the newest one is `pending-*` ("another operation is in progress", helm#10599); without
 * it the next sync goes on from the last whole revision and adopts what is already there.
 * @param releases names, all of one namespace
 */
export function deletePendingReleasesArgs(context: string, namespace: string, releases: string[]): Command {
  const selector = `owner=helm,name in (${releases.join(',')}),status in (${pendingStates.join(',')})`
  return kubectl(context, ['-n', namespace, 'delete', 'secret', '-l', selector])
}

/** States of a helm release that a dead helm leaves behind. */
export const pendingStates = ['pending-install', 'pending-upgrade', 'pending-rollback']

/** Who took a node out of service: nothing else may bring it back. */
export const cordonedBy = 'k8sops.dev/cordoned-by'

/**
 * Takes a node out of scheduling and writes down who did it, in one request: `kubectl cordon` and `kubectl annotate` after each
 * other would leave a node that nobody knows the owner of, if they were cut off in between.
 * @param by stands in the annotation, e.g. `talos.upgrade/20261124T1150-3f9c`
 */
export function cordonArgs(context: string, node: string, by: string): Command {
  const patch = { metadata: { annotations: { [cordonedBy]: by } }, spec: { unschedulable: true } }
  return kubectl(context, ['patch', 'node', node, '--type', 'merge', '-p', JSON.stringify(patch)])
}

/**
 * Brings back a node that `by` has taken out. The API server refuses the whole patch (exit code 1) when somebody else's name
 * stands there, or nobody's: the test and the change are one request.
 */
export function uncordonArgs(context: string, node: string, by: string): Command {
  const path = `/metadata/annotations/${cordonedBy.replaceAll('/', '~1')}`
  const patch = [
    { op: 'test', path, value: by },
    { op: 'remove', path },
    // `add` also replaces; `remove` would fail on a node that somebody has uncordoned by hand.
    { op: 'add', path: '/spec/unschedulable', value: false },
  ]
  return kubectl(context, ['patch', 'node', node, '--type', 'json', '-p', JSON.stringify(patch)])
}

/**
 * Evicts what runs on a node through the eviction API, which honours PodDisruptionBudgets; kubectl asks again every 5 s. No
 * `--force`: a pod that nobody would start again elsewhere stops the drain (`talos upgrade --forecast` names it beforehand).
 * @param timeoutSec for the whole drain; then kubectl ends with exit code 1 and names the pods that are left
 */
export function drainArgs(context: string, node: string, timeoutSec: number): Command {
  const flags = ['--ignore-daemonsets', '--delete-emptydir-data', `--timeout=${timeoutSec}s`]
  return kubectl(context, ['drain', node, ...flags])
}

/** One object, whole, by any of the names of its kind. */
export function getObjectArgs(context: string, kind: string, name: string, namespace?: string): Command {
  return kubectl(context, [...(namespace ? ['-n', namespace] : []), 'get', kind, name, '-o', 'json'])
}
