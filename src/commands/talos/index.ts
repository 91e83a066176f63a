/** Commands on machines: one line each, as in ../index.ts. */
import type { CommandEntry } from '../../lib/cli/registry.ts'

export const talosCommands: CommandEntry[] = [
  {
    path: 'talos apply',
    summary: 'Give the nodes the machine configs of the repository',
    load: async () => (await import('./apply.ts')).talosApply,
  },
  {
    path: 'talos dashboard',
    summary: "Show a node's own console in this terminal",
    load: async () => (await import('./dashboard.ts')).talosDashboard,
  },
  {
    path: 'talos diff',
    summary: 'Show what the machine configs of the repository would change',
    load: async () => (await import('./diff.ts')).talosDiff,
  },
  {
    path: 'talos etcd keep',
    summary: 'Put an etcd snapshot where snapshots are kept',
    hidden: true,
    load: async () => (await import('./etcd-keep.ts')).talosEtcdKeep,
  },
  {
    path: 'talos etcd restore',
    summary: 'Go back to an etcd snapshot',
    load: async () => (await import('./etcd-restore.ts')).talosEtcdRestore,
  },
  {
    path: 'talos etcd snapshot',
    summary: 'Keep a snapshot of etcd, with its digest',
    load: async () => (await import('./etcd-snapshot.ts')).talosEtcdSnapshot,
  },
  {
    path: 'talos etcd status',
    summary: "Show etcd's members, leader, size and alarms",
    load: async () => (await import('./etcd-status.ts')).talosEtcdStatus,
  },
  {
    path: 'talos gen',
    summary: 'Generate machine configs',
    load: async () => (await import('./gen.ts')).talosGen,
  },
  {
    path: 'talos gensecret',
    summary: "Make a new cluster's Talos secrets",
    load: async () => (await import('./gensecret.ts')).talosGensecret,
  },
  {
    path: 'talos health',
    summary: 'Tell whether machines, etcd and nodes are well',
    load: async () => (await import('./health.ts')).talosHealth,
  },
  {
    path: 'talos kubeconfig',
    summary: "Put the cluster's admin kubeconfig into your own",
    load: async () => (await import('./kubeconfig.ts')).talosKubeconfig,
  },
  {
    path: 'talos support',
    summary: 'Collect logs and state of the machines in one zip',
    load: async () => (await import('./support.ts')).talosSupport,
  },
  {
    path: 'talos upgrade',
    summary: 'Roll every node to the Talos version and schematic that Git names',
    load: async () => (await import('./upgrade.ts')).talosUpgrade,
  },
  {
    path: 'talos upgrade-k8s',
    summary: 'Upgrade Kubernetes on every node',
    load: async () => (await import('./upgrade-k8s.ts')).talosUpgradeK8s,
  },
  {
    path: 'talos talosconfig',
    summary: "Make the cluster's talosconfig anew",
    load: async () => (await import('./talosconfig.ts')).talosTalosconfig,
  },
  {
    path: 'talos talconfig remove',
    summary: 'Take a node out of a talconfig.yaml',
    hidden: true,
    load: async () => (await import('./talconfig-remove.ts')).talosTalconfigRemove,
  },
  {
    path: 'talos validate',
    summary: 'Check generated machine configs',
    load: async () => (await import('./validate.ts')).talosValidate,
  },
  {
    path: 'talos versions',
    summary: 'Show what every node runs beside what Git wants',
    load: async () => (await import('./versions.ts')).talosVersions,
  },
]
