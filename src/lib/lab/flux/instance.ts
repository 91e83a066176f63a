/** flux-operator's part: turns a FluxInstance into Flux's CRDs, controllers and sync, and reports how far they are. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KubeObject } from '../../types.ts'
import { type ClusterView, isEstablished } from '../kube/cluster-view.ts'
import { type Condition, isTrue, nextConditions, statusHolds } from '../kube/conditions.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Lab } from '../types.ts'
import { type BuiltDistribution, buildDistribution } from './build.ts'
import type { FluxInstanceSpec } from './distribution.ts'

const fieldManager = 'flux-operator'
/** flux-operator's own default, `fluxcd.controlplane.io/reconcileTimeout`. */
const healthTimeoutMs = 5 * 60_000
/** Of the distribution's CRDs; `flux check` finds them by the second. */
const crdLabels = `  labels:
    app.kubernetes.io/managed-by: flux-operator
    app.kubernetes.io/part-of: flux
`

interface Applied {
  fingerprint: string
  built: BuiltDistribution
  startedAt: number
}

export interface InstanceTools {
  kustomize: string
  /** Directory with Flux's CRDs, `<group>_<plural>.yaml`. */
  crds: string
}

/** What waits for readiness: looked up by kind, namespace and name in what the caller watches. */
export type FindObject = (kind: string, namespace: string, name: string) => KubeObject | undefined

/**
 * Reconciles one FluxInstance; returns milliseconds after which to look again while something isn't ready.
 * Errors become the instance's Ready condition, with flux-operator's reasons.
 */
export function createInstanceReconciler(lab: Lab, view: ClusterView, tools: () => InstanceTools, find: FindObject) {
  const applied = new Map<string, Applied>()
  const established = new Set<string>()

  return async (instance: KubeObject): Promise<number | undefined> => {
    const { name, namespace = '', uid = '', generation = 1, annotations } = instance.metadata
    if (annotations?.['fluxcd.controlplane.io/reconcile'] === 'disabled') return undefined
    const spec = instance.spec as unknown as FluxInstanceSpec
    // For one named Kustomization or HelmRelease the fault lives in operators/never-ready.ts.
    const active = lab.faults.active('flux-never-ready')
    const fault = active?.params?.name ? undefined : active
    const fingerprint = JSON.stringify([uid, generation, fault, annotations?.['reconcile.fluxcd.io/requestedAt']])
    let state = applied.get(uid)
    if (state?.fingerprint !== fingerprint) {
      await report(instance, inProgress, {})
      const directory = join(lab.spec.dir, 'flux', name)
      const built = await buildDistribution({ name, namespace, spec }, tools().kustomize, directory, fault?.name).catch(
        (error: Error) => error,
      )
      if (built instanceof Error) {
        await report(instance, failure('BuildFailed', `build failed: ${built.message}`, true), {})
        return undefined
      }
      await report(instance, inProgress, { lastAttemptedRevision: built.revision })
      await applyAll(built)
      state = { fingerprint, built, startedAt: Date.now() }
      applied.set(uid, state)
      lab.log('flux', `applied Flux ${built.revision} for FluxInstance ${namespace}/${name}`)
    }
    return reportHealth(instance, state)
  }

  async function applyAll({ objects }: BuiltDistribution): Promise<void> {
    const apply = (chosen: Manifest[]) => Promise.all(chosen.map((object) => view.writer().apply(object, fieldManager)))
    const stage = ({ kind }: Manifest) => (kind === 'Namespace' ? 0 : kind === 'Deployment' ? 2 : 1)
    const staged = [0, 1, 2].map((number) => objects.filter((object) => stage(object) === number))
    // As flux-operator stages them: all else needs the namespace and the kinds, and a pod its service account.
    await apply(staged[0] ?? [])
    await applyCrds()
    await apply(staged[1] ?? [])
    await apply(staged[2] ?? [])
  }

  async function applyCrds(): Promise<void> {
    const directory = tools().crds
    const files = (await readdir(directory)).filter((file) => file.endsWith('.yaml'))
    const wanted: string[] = []
    for (const file of files) {
      const [group = '', plural = ''] = file.replace(/\.yaml$/, '').split('_')
      const crd = `${plural}.${group}`
      if (lab.faults.active('crd-missing')?.params?.crd === crd) continue
      wanted.push(crd)
      if (established.has(crd) && view.crds().some(({ metadata }) => metadata.name === crd)) continue
      const ref = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', name: crd }
      const text = await readFile(join(directory, file), 'utf8')
      await view.writer().applyText(ref, text.replace(/^metadata:\n/m, `$&${crdLabels}`), fieldManager)
      established.add(crd)
    }
    await untilEstablished(wanted)
  }

  async function untilEstablished(wanted: string[]): Promise<void> {
    const missing = () =>
      wanted.filter((name) => !view.crds().some((crd) => crd.metadata.name === name && isEstablished(crd)))
    if (missing().length === 0) return
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const end = view.onCrds(() => {
      if (missing().length === 0) resolve()
    })
    const deadline = setTimeout(() => reject(new Error(`timeout waiting for: [${missing().join(', ')}]`)), 60_000)
    await promise.finally(() => {
      clearTimeout(deadline)
      end()
    })
  }

  async function reportHealth(instance: KubeObject, { built, startedAt }: Applied): Promise<number | undefined> {
    const unready = built.objects.filter((object) => !isHealthy(object, find))
    const details = {
      lastAttemptedRevision: built.revision,
      components: built.components.map(({ name, repository, tag }) => ({ name, repository, tag })),
      inventory: { entries: built.objects.map(inventoryEntry) },
    }
    if (unready.length === 0) {
      const seconds = Math.max(1, Math.round((Date.now() - startedAt) / 1000))
      const message = isTrue(instance, 'Ready') ? readyMessage(instance) : `Reconciliation finished in ${seconds}s`
      await report(instance, [{ type: 'Ready', status: 'True', reason: 'ReconciliationSucceeded', message }], {
        ...details,
        lastAppliedRevision: built.revision,
      })
      return undefined
    }
    if (Date.now() - startedAt < healthTimeoutMs) {
      await report(instance, inProgress, details)
      return 1_000
    }
    const named = unready.map(
      ({ kind, metadata }) => `${kind}/${metadata.namespace}/${metadata.name} status: 'InProgress'`,
    )
    const message = `reconciliation failed: timeout waiting for: [${named.join(', ')}]`
    await report(instance, failure('ReconciliationFailed', message, false), details)
    return 5_000
  }

  async function report(instance: KubeObject, conditions: Condition[], details: Record<string, unknown>) {
    const asked = instance.metadata.annotations?.['reconcile.fluxcd.io/requestedAt']
    const status = {
      ...details,
      ...(asked === undefined ? {} : { lastHandledReconcileAt: asked }),
      conditions: nextConditions(instance, conditions),
    }
    if (!statusHolds(instance, status)) await view.writer().patchStatus(instance, status)
  }
}

const inProgress: Condition[] = ['Ready', 'Reconciling'].map((type) => ({
  type,
  status: type === 'Ready' ? 'Unknown' : 'True',
  reason: 'Progressing',
  message: 'Reconciliation in progress',
}))

function failure(reason: string, message: string, stalled: boolean): Condition[] {
  const ready: Condition = { type: 'Ready', status: 'False', reason, message }
  return stalled ? [ready, { type: 'Stalled', status: 'True', reason, message }] : [ready]
}

function readyMessage(instance: KubeObject): string {
  const conditions = (instance.status?.conditions ?? []) as Condition[]
  return conditions.find(({ type }) => type === 'Ready')?.message ?? ''
}

/** Deployments that are rolled out and Flux's own objects that are Ready; everything else is healthy once applied. */
function isHealthy({ apiVersion, kind, metadata }: Manifest, find: FindObject): boolean {
  const ofFlux = apiVersion.includes('.toolkit.fluxcd.io/')
  if (kind !== 'Deployment' && !ofFlux) return true
  const object = find(kind, metadata.namespace ?? '', metadata.name)
  if (!object || Number(object.status?.observedGeneration ?? -1) < (object.metadata.generation ?? 1)) return false
  if (ofFlux) return isTrue(object, 'Ready')
  const {
    updatedReplicas = 0,
    availableReplicas = 0,
    unavailableReplicas = 0,
  } = (object.status ?? {}) as Record<string, number>
  const replicas = Number(object.spec?.replicas ?? 1)
  return updatedReplicas >= replicas && availableReplicas >= replicas && unavailableReplicas === 0
}

/** `<namespace>_<name>_<group>_<kind>`, as cli-utils writes object ids. */
function inventoryEntry({ apiVersion, kind, metadata }: Manifest) {
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion]
  return { id: `${metadata.namespace ?? ''}_${metadata.name.replaceAll(':', '__')}_${group}_${kind}`, v: version }
}
