/** Commands on backups: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const backupCommands: CommandEntry[] = [
  {
    path: 'backup status',
    summary: 'Show what is backed up, how old that is against its schedule, and what nobody backs up',
    load: async () => (await import('./status.ts')).backupStatus,
  },
]
