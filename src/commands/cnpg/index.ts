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
    path: 'cnpg status',
    summary: 'Show whether PostgreSQL is well: instances, primary, archiving, backups',
    load: async () => (await import('./status.ts')).cnpgStatus,
  },
  {
    path: 'cnpg switchover',
    summary: 'Have another instance become the primary of a database',
    load: async () => (await import('./switchover.ts')).cnpgSwitchover,
  },
]
