/** Commands on Ceph: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const cephCommands: CommandEntry[] = [
  {
    path: 'ceph expand',
    summary: 'Let Ceph grow onto new disks or nodes, and watch how it moves its data',
    load: async () => (await import('./expand.ts')).cephExpand,
  },
  {
    path: 'ceph job',
    summary: "Make a Job that asks Ceph, or has it do something, out of the Deployment of Rook's operator on stdin",
    hidden: true,
    load: async () => (await import('./job.ts')).cephJob,
  },
  {
    path: 'ceph maintenance',
    summary: "Put a node's OSDs to rest while Ceph leaves its data where they are, and back",
    load: async () => (await import('./maintenance.ts')).cephMaintenance,
  },
  {
    path: 'ceph osd remove',
    summary: 'Take an OSD out of Ceph for good, once its data are elsewhere',
    load: async () => (await import('./osd-remove.ts')).cephOsdRemove,
  },
  {
    path: 'ceph status',
    summary: "Show Ceph's health with its reasons, and when it fills",
    load: async () => (await import('./status.ts')).cephStatus,
  },
]
