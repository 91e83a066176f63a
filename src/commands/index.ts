/** Every command: one line each. A file is loaded when its command is used, so that --help and --version stay fast. */
import type { CommandEntry } from '../lib/cli/registry.ts'
import { alertsCommands } from './alerts/index.ts'
import { appCommands } from './app/index.ts'
import { backupCommands } from './backup/index.ts'
import { cephCommands } from './ceph/index.ts'
import { cnpgCommands } from './cnpg/index.ts'
import { componentCommands } from './component/index.ts'
import { connectivityCommands } from './connectivity/index.ts'
import { drCommands } from './dr/index.ts'
import { fluxCommands } from './flux/index.ts'
import { holdsCommands } from './holds/index.ts'
import { labCommands } from './lab/index.ts'
import { netpolCommands } from './netpol/index.ts'
import { nodeCommands } from './node/index.ts'
import { platformCommands } from './platform/index.ts'
import { rolloutCommands } from './rollout/index.ts'
import { runbookCommands } from './runbook/index.ts'
import { secretsCommands } from './secrets/index.ts'
import { talosCommands } from './talos/index.ts'
import { volsyncCommands } from './volsync/index.ts'

/** What the first words with verbs below them are about. */
export const topics: Record<string, string> = {
  app: 'Applications of this repository',
  alerts: 'What Alertmanager has to say, and silences',
  backup: 'Backups of volumes and databases',
  bench: 'Figures of what runs',
  ceph: "Ceph's state, nodes whose OSDs are at rest, OSDs that come and go",
  'ceph osd': 'OSDs that leave Ceph for good',
  cluster: 'Whole clusters',
  cnpg: 'PostgreSQL of CloudNativePG',
  component: 'Pieces that an application may be given',
  connectivity: 'The network: whether everything is reached that may be, and nothing else',
  dr: 'A whole cluster out of Git, its backups and 1Password',
  flux: 'Flux: what it runs, and holding it still',
  gate: 'Gates: facts that must hold before a cluster is worked on',
  holds: 'What is held open on purpose',
  kubeconfig: 'The kubeconfig file of this machine',
  lab: 'The rehearsal cluster on this machine',
  'lab fault': 'Faults that the lab can play',
  'lab fixtures': 'Workloads that an upgrade has to look after, for a lab',
  metrics: 'What VictoriaMetrics knows of all clusters',
  netpol: 'Network policies: what they decide, and whether the live ones are those of Git',
  node: 'Nodes: in and out of service, restarted, added, removed',
  platform: "The developers' platform: databases, Kafka, tokens, secrets",
  repo: 'The GitOps repository',
  rollout: 'From the first cluster to the next: soak, evidence, release',
  'rollout hotfix': 'Changes that can not wait, and bring nothing else along',
  runbook: 'What to do when something is wrong',
  run: 'Runs: what was done, and going on with what was not',
  secrets: 'Secrets: in git, in 1Password, and the keys between them',
  'secrets age': 'The age key that opens the encrypted files',
  sops: 'Encrypted files of the repository',
  talos: 'Talos machines and their secrets',
  'talos talconfig': 'Edits of talconfig.yaml',
  'talos etcd': "The cluster's etcd: its members, snapshots, restore",
  volsync: 'Volumes that VolSync copies: saved now, brought back',
  yaml: 'YAML as a filter',
}

export const commands: CommandEntry[] = [
  {
    path: '__complete',
    summary: 'Names for the shell completion',
    hidden: true,
    load: async () => (await import('./completion.ts')).complete,
  },
  ...alertsCommands,
  ...appCommands,
  ...backupCommands,
  {
    path: 'bench query',
    summary: "Measure how fast the dashboards' queries and log searches are answered",
    load: async () => (await import('./bench/query.ts')).benchQuery,
  },
  {
    path: 'bootstrap',
    summary: 'Make a cluster out of machines in maintenance mode',
    load: async () => (await import('./bootstrap.ts')).bootstrap,
  },
  ...cephCommands,
  {
    path: 'cluster new',
    summary: 'Write the files of a new cluster, after the example of one that there is',
    load: async () => (await import('./cluster/new.ts')).clusterNew,
  },
  {
    path: 'cluster remove',
    summary: 'Take a cluster out of the repository',
    load: async () => (await import('./cluster/remove.ts')).clusterRemove,
  },
  {
    path: 'cluster status',
    summary: 'Show on one screen whether clusters are well, and what is not',
    load: async () => (await import('./cluster/status.ts')).clusterStatus,
  },
  ...cnpgCommands,
  {
    path: 'completion',
    summary: 'Print the completion script of a shell',
    load: async () => (await import('./completion.ts')).completion,
  },
  ...componentCommands,
  ...connectivityCommands,
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
  ...drCommands,
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
    path: 'init',
    summary: 'Make a new repository with one cluster',
    load: async () => (await import('./init.ts')).init,
  },
  {
    path: 'kubeconfig merge',
    summary: 'Put a kubeconfig from stdin into your own',
    load: async () => (await import('./kubeconfig/merge.ts')).kubeconfigMerge,
  },
  ...labCommands,
  { path: 'logs', summary: 'Show what pods say, on all clusters', load: async () => (await import('./logs.ts')).logs },
  {
    path: 'metrics query',
    summary: 'Ask VictoriaMetrics for values as they are now, or were',
    load: async () => (await import('./metrics/query.ts')).metricsQuery,
  },
  {
    path: 'metrics range',
    summary: 'Show how values went over a time, as a line for each series',
    load: async () => (await import('./metrics/range.ts')).metricsRange,
  },
  ...netpolCommands,
  ...nodeCommands,
  ...platformCommands,
  {
    path: 'report',
    summary: 'Tell how clusters were over the last week, and where their capacity leads',
    load: async () => (await import('./report.ts')).report,
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
  ...rolloutCommands,
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
  ...runbookCommands,
  ...secretsCommands,
  {
    path: 'sops store',
    summary: 'Keep an encrypted file from stdin',
    load: async () => (await import('./sops/store.ts')).sopsStore,
  },
  ...talosCommands,
  {
    path: 'validate',
    summary: 'Check configuration and manifests',
    load: async () => (await import('./validate.ts')).validate,
  },
  ...volsyncCommands,
  {
    path: 'why',
    summary: 'Tell why an application is not well',
    load: async () => (await import('./why.ts')).why,
  },
  {
    path: 'yaml select',
    summary: 'Copy only the YAML documents of some kinds from stdin to stdout',
    hidden: true,
    load: async () => (await import('./repo/yaml-select.ts')).yamlSelect,
  },
]
