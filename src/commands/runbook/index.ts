import type { CommandEntry } from '../../lib/cli/registry.ts'

export const runbookCommands: CommandEntry[] = [
  {
    path: 'runbook list',
    summary: 'Find a runbook by what is wrong',
    load: async () => (await import('./list.ts')).runbookList,
  },
  {
    path: 'runbook run',
    summary: "Rehearse a runbook's commands in a lab",
    load: async () => (await import('./run.ts')).runbookRun,
  },
  {
    path: 'runbook show',
    summary: 'Print a runbook',
    load: async () => (await import('./show.ts')).runbookShow,
  },
]
