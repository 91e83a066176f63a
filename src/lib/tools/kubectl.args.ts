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
