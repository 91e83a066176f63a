/** Commands on PostgreSQL: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const cnpgCommands: CommandEntry[] = [
  {
    path: 'cnpg backup',
    summary: 'Make a base backup of a database now',
    load: async () => (await import('./backup.ts')).cnpgBackup,
  },
  {
    path: 'cnpg backup-now',
    summary: 'Make a Backup out of the ScheduledBackup on stdin',
    hidden: true,
    load: async () => (await import('./backup-now.ts')).cnpgBackupNow,
  },
  {
    path: 'cnpg recovery-record',
    summary: 'Make the record of a recovery out of the Clusters on stdin',
    hidden: true,
    load: async () => (await import('./recovery-filters.ts')).cnpgRecoveryRecord,
  },
  {
    path: 'cnpg rehearsal',
    summary: 'Make the Cluster that is recovered beside a database out of the one on stdin',
    hidden: true,
    load: async () => (await import('./recovery-filters.ts')).cnpgRehearsal,
  },
  {
    path: 'cnpg beginning',
    summary: 'Pick a database out of the manifests on stdin, as one that is recovered from its archive',
    hidden: true,
    load: async () => (await import('./recovery-filters.ts')).cnpgBeginning,
  },
  {
    path: 'cnpg restore',
    summary: 'Bring a database back to what its archive has, and its clients with it',
    load: async () => (await import('./restore.ts')).cnpgRestore,
  },
  {
    path: 'cnpg status',
    summary: 'Show whether PostgreSQL is well: instances, primary, archiving, backups',
    load: async () => (await import('./status.ts')).cnpgStatus,
  },
  {
    path: 'cnpg successor',
    summary: 'Make the Cluster that takes the place of a database out of the one beside it, on stdin',
    hidden: true,
    load: async () => (await import('./recovery-filters.ts')).cnpgSuccessor,
  },
  {
    path: 'cnpg switchover',
    summary: 'Have another instance become the primary of a database',
    load: async () => (await import('./switchover.ts')).cnpgSwitchover,
  },
]
