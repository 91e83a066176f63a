/** Commands on nodes: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const nodeCommands: CommandEntry[] = [
  {
    path: 'node add',
    summary: 'Let a machine in maintenance mode join the cluster',

    load: async () => (await import('./add.ts')).nodeAdd,
  },
  {
    path: 'node cordon',
    summary: 'Hold nodes out of service, with a reason',
    load: async () => (await import('./cordon.ts')).nodeCordon,
  },
  {
    path: 'node drain',
    summary: 'Take nodes out of service and evict what runs there',
    load: async () => (await import('./drain.ts')).nodeDrain,
  },
  {
    path: 'node list',
    summary: 'Show every node: role, versions, Ready, holder, etcd',
    load: async () => (await import('./list.ts')).nodeList,
  },
  {
    path: 'node reboot',
    summary: 'Restart nodes, one at a time',
    load: async () => (await import('./reboot.ts')).nodeReboot,
  },
  {
    path: 'node remove',
    summary: 'Take a node out of the cluster for good',

    load: async () => (await import('./remove.ts')).nodeRemove,
  },
  {
    path: 'node replace',
    summary: "Let another machine take a node's name and address",

    load: async () => (await import('./replace.ts')).nodeReplace,
  },
  {
    path: 'node uncordon',
    summary: 'Bring nodes back into service',
    load: async () => (await import('./uncordon.ts')).nodeUncordon,
  },
]
