/** Argv of kubectl 1.35 for base backups of CloudNativePG; its plugin for kubectl is not in the tool-chain. */
import type { Command } from '../types.ts'
import { fieldManager } from './kubectl-hold.args.ts'
import type { Place } from './kubectl-volsync.args.ts'

const kubectl = (context: string, namespace: string, args: string[]): Command => ({
  tool: 'kubectl',
  args: ['--context', context, '-n', namespace, ...args],
})

export const getScheduleArgs = (context: string, namespace: string, name: string): Command =>
  kubectl(context, namespace, ['get', 'scheduledbackups.postgresql.cnpg.io', name, '-o', 'json'])

/**
 * What `kubectl cnpg promote` writes into the status (CloudNativePG 1.30, internal/cmd/plugin/promote). The API server refuses the whole patch
 * when somebody else is primary by now, or is about to be.
 * @param at RFC 3339
 */
export function promoteArgs(
  context: string,
  { namespace, name }: Place,
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
    'patch',
    'clusters.postgresql.cnpg.io',
    name,
    '--subresource',
    'status',
    '--type',
    'json',
    '--field-manager',
    fieldManager,
    '-p',
    JSON.stringify(patch),
  ])
}

const clusters = 'clusters.postgresql.cnpg.io'

export const getDatabaseArgs = (context: string, { namespace, name }: Place): Command =>
  kubectl(context, namespace, ['get', clusters, name, '-o', 'json'])

export const listDatabasesArgs = (context: string, namespace: string): Command =>
  kubectl(context, namespace, ['get', clusters, '-o', 'json'])

/** With its instances and their volumes, which its owner references take along. */
export const deleteDatabaseArgs = (context: string, { namespace, name }: Place): Command =>
  kubectl(context, namespace, ['delete', clusters, name, '--ignore-not-found', '--wait=false'])

/** On a Cluster; an entry with null is taken away. */
export const annotateDatabaseArgs = (
  context: string,
  { namespace, name }: Place,
  annotations: Record<string, string | null>,
): Command =>
  kubectl(context, namespace, [
    'patch',
    clusters,
    name,
    '--type',
    'merge',
    '--field-manager',
    fieldManager,
    '-p',
    JSON.stringify({ metadata: { annotations } }),
  ])
