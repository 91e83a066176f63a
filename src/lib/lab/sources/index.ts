/**
 * Stands in for source-controller, and only for it: makes artifacts of the kinds that the repository uses and reports
 * them, or why not, in the sources' status. It does so exactly while the controller's pod runs.
 */
import { type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import type { KubeObject } from '../../types.ts'
import { hasRunningPod, openClusterView } from '../kube/cluster-view.ts'
import { isTrue, statusHolds } from '../kube/conditions.ts'
import { createReconciler, keyOf, type Reconciler, specChange } from '../kube/reconciler.ts'
import type { Lab, Part } from '../types.ts'
import { serveArtifacts } from './artifacts.ts'
import { pathsReadOf } from './foreign.ts'
import { fetchGit } from './git.ts'
import { fetchChart, fetchIndex, isAddressOnly } from './helm.ts'
import { fetchOci } from './oci.ts'
import { createRegistryClient, type RegistryClient } from './registry-client.ts'
import { failedStatus, parseDuration, progressingStatus, SourceError, type SourceStatus } from './status.ts'

const group = 'source.toolkit.fluxcd.io/v1'
/** Port of source-controller's file server in its container. */
const artifactPort = 9090
/** A fetch that takes longer shows as progressing. */
const showProgressMs = 1_000
/** source-controller's own kinds that no part of the lab makes artifacts for. An ExternalArtifact is made by others. */
const unplayedKinds = ['Bucket', 'ExternalArtifact']

export async function startSources(lab: Lab): Promise<Part> {
  const { view, close } = openClusterView(lab)
  const active = () => hasRunningPod(view, { app: 'source-controller' })
  const store = await serveArtifacts(
    join(lab.spec.dir, 'artifacts'),
    { host: lab.spec.base, port: artifactPort },
    active,
  )
  let registry: Promise<RegistryClient> | undefined
  let remotes = new Set<string>()
  let readers: KubeObject[] = []
  const unplayed = new Map<string, string[]>()

  const git = (object: KubeObject) =>
    fetchGit(
      {
        repository: lab.spec.root,
        store,
        reads: view.reads,
        standsFor: (url, { metadata }) =>
          remotes.has(url) || (metadata.namespace === 'flux-system' && metadata.name === 'flux-system'),
        pathsReadOf: (object) => pathsReadOf(object, readers),
      },
      object,
    )
  const oci = async (object: KubeObject) => {
    // The proxy's certificate authority is there once the registry has started.
    registry ??= createRegistryClient(lab.spec)
    return fetchOci(await registry, store, object)
  }
  const helm = async () => {
    registry ??= createRegistryClient(lab.spec)
    return { client: await registry, store, reads: view.reads(), repositories: () => helmRepositories.objects() }
  }

  const reconcilers: Reconciler[] = []
  const play = (kind: string, fetch: (object: KubeObject) => Promise<SourceStatus>) => {
    const reconciler = createReconciler((object) => reconcileSource(object, fetch), {
      active,
      matters: specChange,
      firstRetryMs: 750,
      longestRetryMs: 10_000,
      onError: (object, error) => lab.log('sources', `${kind} ${keyOf(object)}: ${error.message}`),
    })
    reconcilers.push(reconciler)
    return [reconciler, view.watch({ apiVersion: group, kind }, reconciler.set)] as const
  }
  const reconcileSource = async (object: KubeObject, fetch: (object: KubeObject) => Promise<SourceStatus>) => {
    if (object.spec?.suspend === true || isAddressOnly(object)) return undefined
    let progress: Promise<void> | undefined
    const slow = setTimeout(() => {
      progress = view
        .writer()
        .patchStatus(object, progressingStatus(object))
        .catch(() => {})
    }, showProgressMs)
    const fetched = await fetch(object).catch((error: Error) => error)
    clearTimeout(slow)
    // Still on its way, it would overtake the outcome and stay.
    await progress
    const report = async (status: SourceStatus) => {
      if (progress === undefined && statusHolds(object, status)) return
      await view.writer().patchStatus(object, status)
    }
    if (fetched instanceof Error) {
      if (!(fetched instanceof SourceError)) throw fetched
      await report(failedStatus(object, fetched))
      if (fetched.stalled) return undefined
      throw fetched
    }
    await report(fetched)
    return parseDuration(object.spec?.interval)
  }

  const [gitRepositories, endGit] = play('GitRepository', git)
  const [, endOci] = play('OCIRepository', oci)
  const [helmRepositories, endRepositories] = play('HelmRepository', async (object) => fetchIndex(await helm(), object))
  const [helmCharts, endCharts] = play('HelmChart', async (object) => fetchChart(await helm(), object))
  const [, endBuckets] = play('Bucket', async () => {
    throw new SourceError('NotInLab', 'the lab has no buckets: nobody makes an artifact for this one', true)
  })
  const endings = [
    endGit,
    endOci,
    endRepositories,
    endCharts,
    endBuckets,
    // A chart waits for its repository, or for a new index of it.
    view.watch({ apiVersion: group, kind: 'HelmRepository' }, () => helmCharts.again()),
    view.watch({ apiVersion: 'fluxcd.controlplane.io/v1', kind: 'FluxInstance' }, (instances) => {
      remotes = new Set(instances.map(({ spec }) => String((spec?.sync as { url?: string } | undefined)?.url)))
      gitRepositories.again()
    }),
    // What a repository of others has to hold shows only in who reads it.
    view.watch({ apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization' }, (objects) => {
      const foreign = (all: KubeObject[]) => gitRepositories.objects().map((object) => pathsReadOf(object, all))
      const before = JSON.stringify(foreign(readers))
      readers = objects
      if (JSON.stringify(foreign(readers)) !== before) gitRepositories.again()
    }),
    ...unplayedKinds.map((kind) =>
      view.watch({ apiVersion: group, kind }, (objects) => {
        unplayed.set(kind, objects.map(keyOf))
        if (objects.length > 0) lab.log('sources', `nobody plays ${kind}: ${objects.map(keyOf).join(', ')}`)
      }),
    ),
    onChange(active, view.onPods, () => {
      for (const reconciler of reconcilers) reconciler.again()
    }),
    watchRepository(lab, () => gitRepositories.again()),
  ]

  return {
    name: 'sources',
    status() {
      const objects = reconcilers.flatMap((reconciler) => reconciler.objects()).filter((one) => !isAddressOnly(one))
      const nobodys = [...unplayed].flatMap(([kind, names]) => names.map((name) => `${kind} ${name}`))
      return {
        running: active(),
        ready: objects.filter((object) => isTrue(object, 'Ready')).length,
        sources: objects.length,
        unplayed: nobodys,
        artifacts: `http://${lab.spec.base}:${artifactPort}`,
        simulated: `source-controller: the lab packs its own copy of the repository for every GitRepository with the cluster's URL and a stand-in of every other one that a Kustomization reads, and pulls OCIRepositories, HelmRepositories and HelmCharts through its proxy; signatures are not verified${nobodys.length > 0 ? `; nobody plays ${nobodys.join(', ')}` : ''}`,
      }
    },
    async stop() {
      for (const end of endings) end()
      for (const reconciler of reconcilers) reconciler.stop()
      close()
      await store.stop()
    },
  }
}

/** Calls `rising` each time that `value` turns true. */
function onChange(
  value: () => boolean,
  subscribe: (listener: () => void) => () => void,
  rising: () => void,
): () => void {
  let before = value()
  return subscribe(() => {
    const current = value()
    if (current && !before) rising()
    before = current
  })
}

/** Calls back when a reference of the lab's repository moves. */
function watchRepository(lab: Lab, moved: () => void): () => void {
  const directory = join(lab.spec.root, '.git')
  const watchers: FSWatcher[] = []
  let timer: NodeJS.Timeout | undefined
  // A commit touches several files within milliseconds.
  const soon = () => {
    clearTimeout(timer)
    timer = setTimeout(moved, 100)
  }
  try {
    // git replaces files, so directories are watched; refs/ is small, unlike objects/.
    watchers.push(watch(directory, soon), watch(join(directory, 'refs'), { recursive: true }, soon))
  } catch (error) {
    lab.log('sources', `new commits are seen only at the interval: ${(error as Error).message}`)
  }
  return () => {
    clearTimeout(timer)
    for (const watcher of watchers) watcher.close()
  }
}
