/** Commands on VolSync: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const volsyncCommands: CommandEntry[] = [
  {
    path: 'volsync copy',
    summary: 'Make a new Secret or claim out of the one on stdin',
    hidden: true,
    load: async () => (await import('./destination.ts')).volsyncCopy,
  },
  {
    path: 'volsync destination',
    summary: 'Make a ReplicationDestination out of the ReplicationSource on stdin',
    hidden: true,
    load: async () => (await import('./destination.ts')).volsyncDestination,
  },
  {
    path: 'volsync list',
    summary: 'Show what VolSync copies and restores, and what restores have left',
    load: async () => (await import('./list.ts')).volsyncList,
  },
  {
    path: 'volsync restore',
    summary: 'Bring a volume back to a snapshot of it, and its application with it',
    load: async () => (await import('./restore.ts')).volsyncRestore,
  },
  {
    path: 'volsync snapshot',
    summary: 'Save a volume now',
    load: async () => (await import('./sync.ts')).volsyncSnapshot,
  },
  {
    path: 'volsync snapshots',
    summary: 'Show to which snapshots of a volume one can go back',
    load: async () => (await import('./snapshots.ts')).volsyncSnapshots,
  },
  {
    path: 'volsync unlock',
    summary: 'Remove stale locks of a repository, and save the volume',
    load: async () => (await import('./sync.ts')).volsyncUnlock,
  },
]
