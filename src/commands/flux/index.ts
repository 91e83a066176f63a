/** Commands on Flux: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const fluxCommands: CommandEntry[] = [
  {
    path: 'flux diff',
    summary: 'Show how live objects differ from the files here',
    load: async () => (await import('./diff.ts')).fluxDiff,
  },
  {
    path: 'flux errors',
    summary: 'Show whole messages of what has failed',
    load: async () => (await import('./errors.ts')).fluxErrors,
  },
  {
    path: 'flux events',
    summary: 'Show what Flux did and what went wrong',
    load: async () => (await import('./events.ts')).fluxEvents,
  },
  {
    path: 'flux logs',
    summary: "Show what Flux' controllers say",
    load: async () => (await import('./logs.ts')).fluxLogs,
  },
  {
    path: 'flux reconcile',
    summary: 'Have Flux look at applications now',
    load: async () => (await import('./reconcile.ts')).fluxReconcile,
  },
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
  {
    path: 'flux trace',
    summary: 'Tell which commit an object comes from',
    load: async () => (await import('./trace.ts')).fluxTrace,
  },
  {
    path: 'flux tree',
    summary: 'Draw what an application waits for and applies',
    load: async () => (await import('./tree.ts')).fluxTreeCommand,
  },
  {
    path: 'flux wait',
    summary: 'Wait until a commit is live',
    load: async () => (await import('./wait.ts')).fluxWait,
  },
]
