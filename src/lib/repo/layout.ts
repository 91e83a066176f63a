/** The only place that knows the repository's folder names (design section 2). All paths are relative to its root. */
export const layout = {
  repositoryFile: 'k8sops.yaml',
  sopsConfig: '.sops.yaml',
  /** Parent of one directory per cluster. */
  clusters: 'kubernetes/clusters',
  /** Everything that Flux may read. */
  kubernetes: 'kubernetes',
  infrastructure: 'kubernetes/infrastructure',
  apps: 'kubernetes/apps',
  /** Opt-in pieces for applications. */
  components: 'kubernetes/apps/components',
  /** One directory per application, which clusters share. */
  appBases: 'kubernetes/apps/base',
  /** One directory per namespace, with its quota and its limits. */
  namespaces: 'kubernetes/infrastructure/base/namespaces',
  clusterApps: (cluster: string) => `kubernetes/clusters/${cluster}/apps`,
  /** What of it the cluster runs. */
  appList: (cluster: string) => `kubernetes/clusters/${cluster}/apps/kustomization.yaml`,
  talosRoot: 'talos',
  /** Patches that the clusters share. */
  talosPatches: 'talos/patches',
  bootstrap: 'bootstrap',
  runbooks: 'docs/runbooks',
  /** What has to be there before a bootstrap: among it the items of 1Password. */
  prerequisites: 'docs/prerequisites.md',
  /** Workflows, and actions that they use. */
  github: '.github',
  /** Facts about charts (value keys, workloads, CRDs), one file per chart and version. */
  chartRecords: 'lab/charts',
  /** Schemas of custom resources. */
  schemaTables: 'lab/crds/schemas',
  cluster: (cluster: string) => `kubernetes/clusters/${cluster}`,
  settings: (cluster: string) => `kubernetes/clusters/${cluster}/cluster-settings.yaml`,
  /** Name of the ConfigMap in it. */
  settingsName: 'cluster-settings',
  /** What the cluster's FluxInstance syncs: the entry from which everything else is reached. */
  fluxEntry: (cluster: string) => `kubernetes/clusters/${cluster}/flux`,
  talos: (cluster: string) => `talos/${cluster}`,
  talconfig: (cluster: string) => `talos/${cluster}/talconfig.yaml`,
  talsecret: (cluster: string) => `talos/${cluster}/talsecret.sops.yaml`,
  /** Made by `talhelper genconfig`, never committed. */
  clusterconfig: (cluster: string) => `talos/${cluster}/clusterconfig`,
  talosconfig: (cluster: string) => `talos/${cluster}/clusterconfig/talosconfig`,
  bootstrapOf: (cluster: string) => `bootstrap/${cluster}`,
  chartRecord: (chart: string, version: string) => `lab/charts/${chart}-${version}.json`,
  /** Runs, plans and lock files. */
  state: '.k8sops',
} as const
