/** Commands on network policies: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const netpolCommands: CommandEntry[] = [
  {
    path: 'netpol audit',
    summary: 'Compare the live network policies with those in Git',
    load: async () => (await import('./audit.ts')).netpolAudit,
  },
  {
    path: 'netpol bypass',
    summary: 'Leave a namespace out of the default deny for a while',
    load: async () => (await import('./bypass.ts')).netpolBypass,
  },
  {
    path: 'netpol explain',
    summary: 'Tell which policy decides about a connection',
    load: async () => (await import('./explain.ts')).netpolExplain,
  },
  {
    path: 'netpol restore',
    summary: 'End the bypass of namespaces',
    load: async () => (await import('./bypass.ts')).netpolRestore,
  },
]
