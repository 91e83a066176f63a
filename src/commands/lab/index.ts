/** Commands on the lab: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const labCommands: CommandEntry[] = [
  {
    path: 'lab down',
    summary: 'End a lab and remove its state',
    load: async () => (await import('./down.ts')).labDown,
  },
  {
    path: 'lab exec',
    summary: "Run a command with a lab's environment",
    load: async () => (await import('./exec.ts')).labExec,
  },
  {
    path: 'lab fault add',
    summary: 'Break something in a lab',
    load: async () => (await import('./fault.ts')).labFaultAdd,
  },
  {
    path: 'lab fault clear',
    summary: 'Repair what was broken',
    load: async () => (await import('./fault.ts')).labFaultClear,
  },
  {
    path: 'lab fault list',
    summary: 'List the faults that the lab can play',
    load: async () => (await import('./fault.ts')).labFaultList,
  },
  {
    path: 'lab fixtures add',
    summary: 'Give a lab storage, databases and guarded workloads',
    load: async () => (await import('./fixtures.ts')).labFixturesAdd,
  },
  {
    path: 'lab status',
    summary: 'Show the labs of this machine',
    load: async () => (await import('./status.ts')).labStatus,
  },
  {
    path: 'lab up',
    summary: 'Start a rehearsal cluster on this machine',
    load: async () => (await import('./up.ts')).labUp,
  },
]
