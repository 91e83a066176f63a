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
