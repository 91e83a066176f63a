/** Every command: one line each. A file is loaded when its command is used, so that --help and --version stay fast. */
import type { CommandEntry } from '../lib/cli/registry.ts'
import { fluxCommands } from './flux/index.ts'
import { holdsCommands } from './holds/index.ts'

/** What the first words with verbs below them are about. */
export const topics: Record<string, string> = {
  cluster: 'Whole clusters',
  flux: 'Flux: what it runs, and holding it still',
  gate: 'Gates: facts that must hold before a cluster is worked on',
  holds: 'What is held open on purpose',
  kubeconfig: 'The kubeconfig file of this machine',
  lab: 'The rehearsal cluster on this machine',
  'lab fault': 'Faults that the lab can play',
  'lab fixtures': 'Workloads that an upgrade has to look after, for a lab',
  node: 'Nodes: in and out of service, restarted, added, removed',
  repo: 'The GitOps repository',
  run: 'Runs: what was done, and going on with what was not',
  sops: 'Encrypted files of the repository',
  talos: 'Talos machines and their secrets',
  'talos talconfig': 'Edits of talconfig.yaml',
  'talos etcd': "The cluster's etcd: its members, snapshots, restore",
  yaml: 'YAML as a filter',
}

export const commands: CommandEntry[] = [
  {
    path: '__complete',
    summary: 'Names for the shell completion',
    hidden: true,
    load: async () => (await import('./completion.ts')).complete,
  },
  {
    path: 'bootstrap',
    summary: 'Make a cluster out of machines in maintenance mode',
    load: async () => (await import('./bootstrap.ts')).bootstrap,
  },
  {
    path: 'cluster status',
    summary: 'Show on one screen whether clusters are well, and what is not',
    load: async () => (await import('./cluster/status.ts')).clusterStatus,
  },
  {
    path: 'completion',
    summary: 'Print the completion script of a shell',
    load: async () => (await import('./completion.ts')).completion,
  },
  {
    path: 'diff',
    summary: 'Show what a commit changes on every cluster',
    load: async () => (await import('./diff.ts')).diff,
  },
  {
    path: 'doctor',
    summary: 'Check tools, versions, secrets and access',
    load: async () => (await import('./doctor.ts')).doctor,
  },
  ...fluxCommands,
  {
    path: 'gate check',
    summary: 'Look at gates of a cluster: do they hold, and if not, why',
    load: async () => (await import('./gate/check.ts')).gateCheck,
  },
  {
    path: 'gate list',
    summary: 'List the gates: what each asserts, and where it is asked',
    load: async () => (await import('./gate/list.ts')).gateList,
  },
  {
    path: 'graph',
    summary: 'Draw what waits for what on a cluster',
    load: async () => (await import('./graph.ts')).graph,
  },
  { path: 'help', summary: 'Explain a topic, or a command', load: async () => (await import('./help.ts')).help },
  ...holdsCommands,
  {
    path: 'kubeconfig merge',
    summary: 'Put a kubeconfig from stdin into your own',
    load: async () => (await import('./kubeconfig/merge.ts')).kubeconfigMerge,
  },
  {
    path: 'lab down',
    summary: 'End a lab and remove its state',
    load: async () => (await import('./lab/down.ts')).labDown,
  },
  {
    path: 'lab exec',
    summary: "Run a command with a lab's environment",
    load: async () => (await import('./lab/exec.ts')).labExec,
  },
  {
    path: 'lab fault add',
    summary: 'Break something in a lab',
    load: async () => (await import('./lab/fault.ts')).labFaultAdd,
  },
  {
    path: 'lab fault clear',
    summary: 'Repair what was broken',
    load: async () => (await import('./lab/fault.ts')).labFaultClear,
  },
  {
    path: 'lab fault list',
    summary: 'List the faults that the lab can play',
    load: async () => (await import('./lab/fault.ts')).labFaultList,
  },
  {
    path: 'lab fixtures add',
    summary: 'Give a lab storage, databases and guarded workloads',
    load: async () => (await import('./lab/fixtures.ts')).labFixturesAdd,
  },
  {
    path: 'lab status',
    summary: 'Show the labs of this machine',
    load: async () => (await import('./lab/status.ts')).labStatus,
  },
  {
    path: 'lab up',
    summary: 'Start a rehearsal cluster on this machine',
    load: async () => (await import('./lab/up.ts')).labUp,
  },
  {
    path: 'node add',
    summary: 'Let a machine in maintenance mode join the cluster',

    load: async () => (await import('./node/add.ts')).nodeAdd,
  },
  {
    path: 'node cordon',
    summary: 'Hold nodes out of service, with a reason',
    load: async () => (await import('./node/cordon.ts')).nodeCordon,
  },
  {
    path: 'node drain',
    summary: 'Take nodes out of service and evict what runs there',
    load: async () => (await import('./node/drain.ts')).nodeDrain,
  },
  {
    path: 'node list',
    summary: 'Show every node: role, versions, Ready, holder, etcd',
    load: async () => (await import('./node/list.ts')).nodeList,
  },
  {
    path: 'node reboot',
    summary: 'Restart nodes, one at a time',
    load: async () => (await import('./node/reboot.ts')).nodeReboot,
  },
  {
    path: 'node remove',
    summary: 'Take a node out of the cluster for good',

    load: async () => (await import('./node/remove.ts')).nodeRemove,
  },
  {
    path: 'node replace',
    summary: "Let another machine take a node's name and address",

    load: async () => (await import('./node/replace.ts')).nodeReplace,
  },
  {
    path: 'node uncordon',
    summary: 'Bring nodes back into service',
    load: async () => (await import('./node/uncordon.ts')).nodeUncordon,
  },
  {
    path: 'repo releases',
    summary: "List a cluster's Helm releases as Flux would install them",
    load: async () => (await import('./repo/releases.ts')).repoReleases,
  },
  {
    path: 'repo render',
    summary: 'Print what Flux would apply',
    load: async () => (await import('./repo/render.ts')).repoRender,
  },
  {
    path: 'run exec',
    summary: 'Run a saved plan, if nothing it was made from has moved',
    load: async () => (await import('./run/exec.ts')).runExec,
  },
  { path: 'run list', summary: 'List runs, newest first', load: async () => (await import('./run/list.ts')).runList },
  {
    path: 'run resume',
    summary: 'Go on with a run that was stopped',
    load: async () => (await import('./run/resume.ts')).runResume,
  },
  {
    path: 'run show',
    summary: 'Show one run: its steps, its journal, its logs',
    load: async () => (await import('./run/show.ts')).runShow,
  },
  {
    path: 'sops store',
    summary: 'Keep an encrypted file from stdin',
    load: async () => (await import('./sops/store.ts')).sopsStore,
  },
  {
    path: 'talos apply',
    summary: 'Give the nodes the machine configs of the repository',
    load: async () => (await import('./talos/apply.ts')).talosApply,
  },
  {
    path: 'talos dashboard',
    summary: "Show a node's own console in this terminal",
    load: async () => (await import('./talos/dashboard.ts')).talosDashboard,
  },
  {
    path: 'talos diff',
    summary: 'Show what the machine configs of the repository would change',
    load: async () => (await import('./talos/diff.ts')).talosDiff,
  },
  {
    path: 'talos etcd keep',
    summary: 'Put an etcd snapshot where snapshots are kept',
    hidden: true,
    load: async () => (await import('./talos/etcd-keep.ts')).talosEtcdKeep,
  },
  {
    path: 'talos etcd restore',
    summary: 'Go back to an etcd snapshot',
    load: async () => (await import('./talos/etcd-restore.ts')).talosEtcdRestore,
  },
  {
    path: 'talos etcd snapshot',
    summary: 'Keep a snapshot of etcd, with its digest',
    load: async () => (await import('./talos/etcd-snapshot.ts')).talosEtcdSnapshot,
  },
  {
    path: 'talos etcd status',
    summary: "Show etcd's members, leader, size and alarms",
    load: async () => (await import('./talos/etcd-status.ts')).talosEtcdStatus,
  },
  {
    path: 'talos gen',
    summary: 'Generate machine configs',
    load: async () => (await import('./talos/gen.ts')).talosGen,
  },
  {
    path: 'talos gensecret',
    summary: "Make a new cluster's Talos secrets",
    load: async () => (await import('./talos/gensecret.ts')).talosGensecret,
  },
  {
    path: 'talos health',
    summary: 'Tell whether machines, etcd and nodes are well',
    load: async () => (await import('./talos/health.ts')).talosHealth,
  },
  {
    path: 'talos kubeconfig',
    summary: "Put the cluster's admin kubeconfig into your own",
    load: async () => (await import('./talos/kubeconfig.ts')).talosKubeconfig,
  },
  {
    path: 'talos support',
    summary: 'Collect logs and state of the machines in one zip',
    load: async () => (await import('./talos/support.ts')).talosSupport,
  },
  {
    path: 'talos upgrade',
    summary: 'Roll every node to the Talos version and schematic that Git names',
    load: async () => (await import('./talos/upgrade.ts')).talosUpgrade,
  },
  {
    path: 'talos upgrade-k8s',
    summary: 'Upgrade Kubernetes on every node',
    load: async () => (await import('./talos/upgrade-k8s.ts')).talosUpgradeK8s,
  },
  {
    path: 'talos talosconfig',
    summary: "Make the cluster's talosconfig anew",
    load: async () => (await import('./talos/talosconfig.ts')).talosTalosconfig,
  },
  {
    path: 'talos talconfig remove',
    summary: 'Take a node out of a talconfig.yaml',
    hidden: true,
    load: async () => (await import('./talos/talconfig-remove.ts')).talosTalconfigRemove,
  },
  {
    path: 'talos validate',
    summary: 'Check generated machine configs',
    load: async () => (await import('./talos/validate.ts')).talosValidate,
  },
  {
    path: 'talos versions',
    summary: 'Show what every node runs beside what Git wants',
    load: async () => (await import('./talos/versions.ts')).talosVersions,
  },
  {
    path: 'validate',
    summary: 'Check configuration and manifests',
    load: async () => (await import('./validate.ts')).validate,
  },
  {
    path: 'yaml select',
    summary: 'Copy only the YAML documents of some kinds from stdin to stdout',
    hidden: true,
    load: async () => (await import('./repo/yaml-select.ts')).yamlSelect,
  },
]
