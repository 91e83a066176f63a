/** Commands on holds: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const holdsCommands: CommandEntry[] = [
  {
    path: 'holds expire',
    summary: 'End the holds whose time is up',
    load: async () => (await import('./change.ts')).holdsExpire,
  },
  {
    path: 'holds extend',
    summary: 'Let a hold last longer',
    load: async () => (await import('./change.ts')).holdsExtend,
  },
  {
    path: 'holds list',
    summary: 'Show everything that is held open, on all clusters',
    load: async () => (await import('./list.ts')).holdsList,
  },
  {
    path: 'holds release',
    summary: 'End a hold',
    load: async () => (await import('./change.ts')).holdsRelease,
  },
]
