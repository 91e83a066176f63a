import type { CommandEntry } from '../../lib/cli/registry.ts'

export const appCommands: CommandEntry[] = [
  {
    path: 'app disable',
    summary: 'Take an application off a cluster',
    load: async () => (await import('./enable.ts')).appDisable,
  },
  {
    path: 'app enable',
    summary: 'Put an application on a cluster',
    load: async () => (await import('./enable.ts')).appEnable,
  },
  {
    path: 'app list',
    summary: 'List applications, and which cluster runs them',
    load: async () => (await import('./list.ts')).appList,
  },
  {
    path: 'app new',
    summary: 'Write the files of a new application',
    load: async () => (await import('./new.ts')).appNew,
  },
]
