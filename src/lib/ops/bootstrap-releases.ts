/** Bootstrap's third part: the releases that Flux needs under it, Flux, and everything that Flux brings. */
import { renderKustomizationArgs, selectKindArgs } from '../tools/filters.args.ts'
import { syncReleaseArgs } from '../tools/helmfile.args.ts'
import { applyStdinArgs, deletePendingReleasesArgs } from '../tools/kubectl.args.ts'
import type { Check, Step } from '../types.ts'
import { type BootstrapRelease, fluxNamespace, type SecretStores } from './bootstrap-files.ts'
import { type BootstrapInput, bootstrapRunbook, check, whileApiIsAway } from './bootstrap-input.ts'

/** Everything that Flux manages may take as long as the target for a whole cluster (NFR2: 30 minutes). */
const reconcileTimeoutSec = 1800
const releaseTimeoutSec = 600

export function releaseSteps(input: BootstrapInput): Step[] {
  const { cluster, files, params } = input
  const names = cluster.nodes.map(({ hostname }) => hostname).join(',')
  const isFlux = ({ namespace }: BootstrapRelease) => namespace === fluxNamespace
  const before = files.releases.filter((release) => !isFlux(release))
  const flux = files.releases.filter(isFlux)
  const nodesReady: Step = {
    id: 'nodes/ready',
    title: `Wait until all ${cluster.nodes.length} nodes are Ready`,
    action: { kind: 'wait' },
    verify: [check('nodes-ready', { names })],
    interrupt: 'now',
    timeoutSec: params.nodeTimeoutSec,
    runbook: bootstrapRunbook,
  }
  return [
    ...settle(input, before),
    ...before.map((release) => sync(input, release)),
    ...files.secretStores.filter(({ beforeFlux }) => beforeFlux).map((stores) => secretStores(input, stores)),
    nodesReady,
    ...(params.skipFlux
      ? []
      : [
          ...settle(input, flux),
          ...flux.slice(0, -1).map((release) => sync(input, release)),
          // The last one starts Flux, which goes on by itself when our helm is killed: a second helm would meet Flux's at
          // the same release, and the record of whoever comes last would stay.
          ...flux.slice(-1).map((release) => sync(input, release, [check('flux-instance-present')])),
          reconciled(input),
        ]),
  ]
}

/** One step per namespace: an interrupted helm leaves its release `pending`, and helm then refuses every further change. */
function settle({ cluster, target }: BootstrapInput, releases: BootstrapRelease[]): Step[] {
  const namespaces = [...new Set(releases.map(({ namespace }) => namespace))]
  return namespaces.map((namespace) => {
    const names = releases.filter((release) => release.namespace === namespace).map(({ name }) => name)
    const settled = [check('releases-settled', { releases: names.map((name) => `${namespace}/${name}`).join(',') })]
    return {
      id: `${namespace}/settle`,
      title: `Forget installs in ${namespace} that were cut off`,
      unless: settled,
      action: {
        kind: 'exec',
        pipeline: [deletePendingReleasesArgs(target.context, namespace, names)],
        retry: whileApiIsAway(cluster.endpoint),
      },
      verify: settled,
      interrupt: 'now',
      timeoutSec: 60,
      runbook: bootstrapRunbook,
    }
  })
}

/** @param unless instead of the release being in place */
function sync({ cluster, target, files }: BootstrapInput, release: BootstrapRelease, unless?: Check[]): Step {
  const { namespace, name, version } = release
  const inPlace = [check('release-in-place', { namespace, name, version })]
  const selection = { file: files.appsHelmfile, environment: cluster.name, context: target.context }
  return {
    id: `${name}/sync`,
    title: `Install ${name} ${version}`,
    unless: unless ?? inPlace,
    action: {
      kind: 'exec',
      pipeline: [syncReleaseArgs(selection, { name, namespace })],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: inPlace,
    // helm records `pending` until it is through; ending it in the middle is what `settle` repairs.
    interrupt: 'after',
    timeoutSec: releaseTimeoutSec,
    runbook: release.runbook,
  }
}

/**
 * Flux's first reconciliation must find its secrets (ADR 0013). The manifest is what Flux itself applies later, so that it
 * takes the object over without a change; while Flux disagrees with the file kubectl refuses, since nothing is forced.
 */
function secretStores({ cluster, target }: BootstrapInput, { kustomization, names, runbook }: SecretStores): Step {
  const ready = names.map((name) => check('clustersecretstore-ready', { name }))
  const [, short = kustomization] = kustomization.split('/')
  const again = whileApiIsAway(cluster.endpoint)
  return {
    id: `${short}/apply`,
    title: `Apply ${names.length === 1 ? 'the secret store' : 'the secret stores'} ${names.join(', ')}`,
    unless: ready,
    action: {
      kind: 'exec',
      pipeline: [
        renderKustomizationArgs(cluster.name, kustomization),
        selectKindArgs('ClusterSecretStore'),
        applyStdinArgs(target.context),
      ],
      // External Secrets' webhook has pods before its certificate is everywhere.
      retry: { ...again, while: [...again.while, 'failed calling webhook'] },
    },
    verify: ready,
    interrupt: 'now',
    timeoutSec: 300,
    runbook,
  }
}

function reconciled({ files }: BootstrapInput): Step {
  return {
    id: 'flux/reconciled',
    title: 'Wait until everything that Flux manages is Ready',
    action: { kind: 'wait' },
    verify: [
      check('flux-instance-ready'),
      check('kustomizations-ready', { names: files.fluxKustomizations.join(',') }),
      check('helmreleases-ready', {
        names: files.releases.map(({ namespace, name }) => `${namespace}/${name}`).join(','),
      }),
      ...files.secretStores.flatMap(({ names }) => names.map((name) => check('clustersecretstore-ready', { name }))),
    ],
    interrupt: 'now',
    timeoutSec: reconcileTimeoutSec,
    runbook: 'docs/runbooks/flux.md',
  }
}
