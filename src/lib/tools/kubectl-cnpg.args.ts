/** Argv of kubectl 1.35 for base backups of CloudNativePG; its plugin for kubectl is not in the tool-chain. */
import type { Command } from '../types.ts'
import { fieldManager } from './kubectl-hold.args.ts'

const kubectl = (context: string, namespace: string, args: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, '-n', namespace, ...args],
})

export const getScheduleArgs = (context: string, namespace: string, name: string): Command =>
  kubectl(context, namespace, ['get', 'scheduledbackups.postgresql.cnpg.io', name, '-o', 'json'])

/** Makes the Backup that comes on stdin. */
export const applyBackupArgs = (context: string, namespace: string): Command =>
  kubectl(context, namespace, ['apply', '--server-side', '--field-manager', fieldManager, '-f', '-'])

/**
 * What `kubectl cnpg promote` writes into the status (CloudNativePG 1.30, internal/cmd/plugin/promote). The API server refuses the whole patch
 * when somebody else is primary by now, or is about to be.
 * @param at RFC 3339
 */
export function promoteArgs(
  context: string,
  { namespace, name }: { namespace: string; name: string },
  { from, to }: { from: string; to: string },
  at: string,
): Command {
  const patch = [
    { op: 'test', path: '/status/currentPrimary', value: from },
    { op: 'test', path: '/status/targetPrimary', value: from },
    { op: 'replace', path: '/status/targetPrimary', value: to },
    { op: 'add', path: '/status/targetPrimaryTimestamp', value: at },
    { op: 'replace', path: '/status/phase', value: 'Switchover in progress' },
    { op: 'add', path: '/status/phaseReason', value: `Switching over to ${to}` },
  ]
  return kubectl(context, namespace, [
    ...['patch', 'clusters.postgresql.cnpg.io', name, '--subresource', 'status', '--type', 'json'],
    ...['--field-manager', fieldManager, '-p', JSON.stringify(patch)],
  ])
}
