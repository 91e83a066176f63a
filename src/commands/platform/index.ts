/** Commands on the developers' platform: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const platformCommands: CommandEntry[] = [
  {
    path: 'platform connect',
    summary: "Print addresses and a client's configuration for a service of the platform",
    load: async () => (await import('./connect.ts')).platformConnect,
  },
  {
    path: 'platform openbao-init',
    summary: 'Initialize OpenBao, its keys straight into 1Password, and run its setup',
    load: async () => (await import('./openbao-init.ts')).platformOpenbaoInit,
  },
  {
    path: 'platform openbao-item',
    summary: "Make 1Password's template of an item from what bao operator init printed",
    load: async () => (await import('./openbao-item.ts')).platformOpenbaoItem,
  },
  {
    path: 'platform status',
    summary: "Show whether the developers' platform of a cluster is well",
    load: async () => (await import('./status.ts')).platformStatus,
  },
]
