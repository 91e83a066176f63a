/** Commands on Flux: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const fluxCommands: CommandEntry[] = [
  {
    path: 'flux resume',
    summary: 'Let Flux go on with what is held',
    load: async () => (await import('./resume.ts')).fluxResume,
  },
  {
    path: 'flux status',
    summary: 'Show what Flux runs, on one cluster or on all',
    load: async () => (await import('./status.ts')).fluxStatus,
  },
  {
    path: 'flux suspend',
    summary: 'Hold applications still, with owner, reason and end',
    load: async () => (await import('./suspend.ts')).fluxSuspend,
  },
]
