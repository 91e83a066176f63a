/** Commands on whole clusters that are lost: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const drCommands: CommandEntry[] = [
  {
    path: 'dr plan',
    summary: 'Tell what a recovery of a cluster needs, what it brings back, and how long that takes',
    load: async () => (await import('./plan.ts')).drPlan,
  },
  {
    path: 'dr run',
    summary: 'Make a cluster out of Git, its backups and 1Password',
    load: async () => (await import('./run.ts')).drRun,
  },
]
