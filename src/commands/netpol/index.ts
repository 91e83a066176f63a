/** Commands on network policies: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const netpolCommands: CommandEntry[] = [
  {
    path: 'netpol explain',
    summary: 'Tell which policy decides about a connection',
    load: async () => (await import('./explain.ts')).netpolExplain,
  },
]
