/** Commands on Ceph: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const cephCommands: CommandEntry[] = [
  {
    path: 'ceph maintenance',
    summary: "Put a node's OSDs to rest while Ceph leaves its data where they are, and back",
    load: async () => (await import('./maintenance.ts')).cephMaintenance,
  },
  {
    path: 'ceph status',
    summary: "Show Ceph's health with its reasons, and when it fills",
    load: async () => (await import('./status.ts')).cephStatus,
  },
]
