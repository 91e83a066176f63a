/** Probes of helm releases, read from helm's own records: one Secret per revision. */
import type { KubeObject, KubePort, Result } from '../../types.ts'
import { judge, valueAt } from '../conditions.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import { unreadable } from '../unreadable.ts'
import { type Release, readRelease, workloadsOf } from './helm-record.ts'

type ReleaseProbe = 'release-in-place' | 'releases-settled'

/** What must be true of each workload that a release brought. */
const workloadReady = {
  Deployment: { path: 'status.availableReplicas', atLeastPath: 'spec.replicas' },
  StatefulSet: { path: 'status.readyReplicas', atLeastPath: 'spec.replicas' },
  DaemonSet: { path: 'status.numberReady', atLeastPath: 'status.desiredNumberScheduled' },
} as const

export function releaseProbes(kube: KubePort): Record<ReleaseProbe, Probe> {
  return {
    /**
     * Release `namespace/name` needs no install: Flux has taken it over (then its HelmRelease is judged, not this), or
     * its newest revision is deployed with `version` of its chart and its workloads are there.
     */
    async 'release-in-place'(params, signal) {
      const { namespace = '', name = '', version = '' } = params
      const owned = await fluxOwns(kube, namespace, name, signal)
      if (!owned.ok) return unreadable(owned)
      if (owned.value) return { status: 'pass', detail: `Flux owns release ${namespace}/${name}` }
      const release = await newestRevision(kube, namespace, name, signal)
      if (!release.ok) return unreadable(release)
      if (!release.value) return { status: 'fail', detail: `release ${namespace}/${name} is not installed` }
      const { status, chartVersion } = release.value
      if (status !== 'deployed') return { status: 'fail', detail: `release ${namespace}/${name} is ${status}` }
      if (chartVersion !== version) {
        return {
          status: 'fail',
          detail: `release ${namespace}/${name} has chart version ${chartVersion}, not ${version}`,
        }
      }
      const lagging = await laggingWorkloads(kube, namespace, release.value, signal)
      if (!lagging.ok) return unreadable(lagging)
      if (lagging.value[0]) return { status: 'fail', detail: lagging.value[0], waitingFor: lagging.value }
      return { status: 'pass', detail: `release ${namespace}/${name} has chart version ${version}` }
    },

    /** None of `releases` (`namespace/name`) was left pending by a helm that is gone. What Flux owns is Flux's business. */
    async 'releases-settled'(params, signal) {
      const states = await Promise.all(
        listOf(params.releases).map(async (release) => {
          const [namespace = '', name = ''] = release.split('/')
          const newest = await newestRevision(kube, namespace, name, signal)
          if (!newest.ok || !newest.value?.status.startsWith('pending-')) return newest
          const owned = await fluxOwns(kube, namespace, name, signal)
          if (!owned.ok || owned.value) return owned.ok ? { ok: true as const, value: undefined } : owned
          return newest
        }),
      )
      const unread = states.find((state) => !state.ok)
      if (unread && !unread.ok) return unreadable(unread)
      const pending = states.flatMap((state) =>
        state.ok && state.value?.status.startsWith('pending-') ? [`${state.value.name} is ${state.value.status}`] : [],
      )
      if (pending.length === 0) return { status: 'pass', detail: 'no release is pending' }
      return { status: 'fail', detail: pending.join('; '), waitingFor: pending }
    },
  }
}

/** Flux owns a release from the moment that its HelmRelease exists; a missing kind means that Flux isn't there yet. */
async function fluxOwns(
  kube: KubePort,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Result<boolean>> {
  const found = await kube.list(
    { apiVersion: 'helm.toolkit.fluxcd.io/v2', kind: 'HelmRelease', namespace, name },
    signal,
  )
  if (found.ok) return { ok: true, value: found.value.length > 0 }
  return found.why === 'not-found' ? { ok: true, value: false } : found
}

async function newestRevision(
  kube: KubePort,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Result<Release | undefined>> {
  const labelSelector = `owner=helm,name=${name}`
  const secrets = await kube.list({ apiVersion: 'v1', kind: 'Secret', namespace, labelSelector }, signal)
  if (!secrets.ok) return secrets
  const revision = (secret: KubeObject) => Number(secret.metadata.labels?.version ?? 0)
  const newest = secrets.value.toSorted((left, right) => revision(right) - revision(left))[0]
  return newest ? readRelease(newest) : { ok: true, value: undefined }
}

async function laggingWorkloads(
  kube: KubePort,
  namespace: string,
  release: Release,
  signal: AbortSignal,
): Promise<Result<string[]>> {
  const workloads = await workloadsOf(release.manifest)
  const lines: string[] = []
  for (const workload of workloads) {
    const at = {
      apiVersion: 'apps/v1',
      kind: workload.kind,
      namespace: workload.namespace ?? namespace,
      name: workload.name,
    }
    const found = await kube.list(at, signal)
    if (!found.ok) return found
    // Scaled to nothing on purpose is not a thing to wait for.
    if (found.value[0] && valueAt(found.value[0], 'spec.replicas') === 0) continue
    const verdict = judge(workload.kind, found.value, {
      atLeast: 1,
      named: workload.name,
      every: [workloadReady[workload.kind]],
    })
    if (verdict.status !== 'pass') lines.push(...(verdict.waitingFor ?? [verdict.detail]))
  }
  return { ok: true, value: lines }
}
