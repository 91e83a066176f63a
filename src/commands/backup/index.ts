/** Commands on backups: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const backupCommands: CommandEntry[] = [
  {
    path: 'backup drill-app',
    summary: 'Make what is started on a restored volume out of the workload on stdin',
    hidden: true,
    load: async () => (await import('./drill-filters.ts')).backupDrillApp,
  },
  {
    path: 'backup drill-namespace',
    summary: "Make a drill's namespace, its quota and its policy out of the Namespace on stdin",
    hidden: true,
    load: async () => (await import('./drill-filters.ts')).backupDrillNamespace,
  },
  {
    path: 'backup drill-record',
    summary: 'Make the record of a drill out of the List of what is in its namespace, on stdin',
    hidden: true,
    load: async () => (await import('./drill-filters.ts')).backupDrillRecord,
  },
  {
    path: 'backup status',
    summary: 'Show what is backed up, how old that is against its schedule, and what nobody backs up',
    load: async () => (await import('./status.ts')).backupStatus,
  },
  {
    path: 'backup verify',
    summary: 'Prove a backup: restore it into a namespace that is thrown away, and start the application on it',
    load: async () => (await import('./verify.ts')).backupVerify,
  },
]
