/** Helm releases and Flux. */
import type { Condition, Gate } from '../types.ts'

const talosRunbook = 'docs/runbooks/talos.md'
const gatesRunbook = 'docs/runbooks/gates.md'

/** What Flux's kinds mean by done: the controller has seen this generation, and says Ready for it. */
const fluxReady: Condition[] = [
  { path: 'spec.suspend', notIn: ['true'] },
  // Before the generation, because its message says why.
  { condition: 'Ready', is: 'True' },
  { observed: true },
]

/** An operator who suspends on purpose leaves a hold, which says who, why and until when. */
const settled = (atLeast: number) => ({
  atLeast,
  where: [{ path: 'metadata.annotations[k8sops.dev/hold-id]', empty: true }] as Condition[],
  every: fluxReady,
})

export const releaseGates = {
  'release-in-place': {
    title: 'release $namespace/$name has chart version $version and its workloads run, or Flux owns it',
    probe: 'release-in-place',
    params: ['namespace', 'name', 'version'],
    runbook: talosRunbook,
  },
  'releases-settled': {
    title: 'none of the releases $releases was left pending',
    probe: 'releases-settled',
    params: ['releases'],
    runbook: talosRunbook,
  },
  'clustersecretstore-ready': {
    title: 'ClusterSecretStore $name reaches 1Password',
    object: { apiVersion: 'external-secrets.io/v1', kind: 'ClusterSecretStore', name: '$name' },
    expect: { atLeast: 1, every: [{ condition: 'Ready', is: 'True' }] },
    params: ['name'],
    next: 'kubectl describe clustersecretstore $name; kubectl -n external-secrets logs deploy/onepassword-connect',
    runbook: 'docs/runbooks/external-secrets.md',
  },
  'flux-instance-present': {
    title: 'Flux has been told what to install',
    object: { apiVersion: 'fluxcd.controlplane.io/v1', kind: 'FluxInstance', namespace: 'flux-system', name: 'flux' },
    expect: { atLeast: 1, every: [] },
    params: [],
    runbook: 'docs/runbooks/flux.md',
  },
  'flux-instance-ready': {
    title: 'Flux is installed and syncs',
    object: { apiVersion: 'fluxcd.controlplane.io/v1', kind: 'FluxInstance', namespace: 'flux-system', name: 'flux' },
    expect: { atLeast: 1, every: [{ condition: 'Ready', is: 'True' }] },
    params: [],
    runbook: 'docs/runbooks/flux.md',
  },
  'kustomizations-ready': {
    title: 'every Kustomization is Ready, among them $names',
    object: { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' },
    expect: { atLeast: 1, including: '$names', every: fluxReady },
    params: ['names'],
    mayBeEmpty: ['names'],
    next: 'flux get kustomizations -A --status-selector ready=false',
    runbook: 'docs/runbooks/flux.md',
  },
  'helmreleases-ready': {
    title: 'every HelmRelease is Ready, among them $names',
    object: { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' },
    expect: { atLeast: 1, including: '$names', every: fluxReady },
    params: ['names'],
    mayBeEmpty: ['names'],
    next: 'flux get helmreleases -A --status-selector ready=false',
    runbook: 'docs/runbooks/flux.md',
  },

  'flux-settled': {
    title: 'Flux has applied what Git says: sources, Kustomizations and HelmReleases, but for those on hold',
    all: [
      { object: { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' }, expect: settled(1) },
      { object: { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease' }, expect: settled(1) },
      // A cluster needs one of them at most; without any, no Kustomization is Ready.
      { object: { apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'GitRepository' }, expect: settled(0) },
      { object: { apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'OCIRepository' }, expect: settled(0) },
    ],
    params: [],
    next: 'flux get all -A --status-selector ready=false',
    runbook: gatesRunbook,
  },
} as const satisfies Record<string, Gate>
