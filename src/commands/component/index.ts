import type { CommandEntry } from '../../lib/cli/registry.ts'

export const componentCommands: CommandEntry[] = [
  {
    path: 'component list',
    summary: 'List the pieces that an application may be given',
    load: async () => (await import('./list.ts')).componentList,
  },
  {
    path: 'component show',
    summary: 'Show one: what it makes, its variables, how to have it',
    load: async () => (await import('./show.ts')).componentShow,
  },
]
