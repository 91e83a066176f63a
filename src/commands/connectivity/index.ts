/** Commands on the network: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const connectivityCommands: CommandEntry[] = [
  {
    path: 'connectivity judge',
    summary: 'Make a record out of what one part of a test has left',
    hidden: true,
    load: async () => (await import('./filters.ts')).connectivityJudge,
  },
  {
    path: 'connectivity probe',
    summary: 'Ask the network from where this runs',
    hidden: true,
    load: async () => (await import('./filters.ts')).connectivityProbe,
  },
  {
    path: 'connectivity probes',
    summary: 'Make the probes of a test out of nodes, routes and gateways on stdin',
    hidden: true,
    load: async () => (await import('./filters.ts')).connectivityProbes,
  },
  {
    path: 'connectivity results',
    summary: 'Show what the last test of the network has found',
    load: async () => (await import('./results.ts')).connectivityResults,
  },
  {
    path: 'connectivity test',
    summary: 'Test the network of a cluster, from inside',
    load: async () => (await import('./test.ts')).connectivityTest,
  },
]
