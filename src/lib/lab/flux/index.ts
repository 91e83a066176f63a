/** Flux in the lab: flux-operator's part is played here, kustomize-controller and helm-controller are the real ones. */

import { pinnedVersion, toolNamed } from '../../tools/catalog.ts'
import type { KubeObject } from '../../types.ts'
import { hasRunningPod, openClusterView } from '../kube/cluster-view.ts'
import { isTrue } from '../kube/conditions.ts'
import { createReconciler, keyOf } from '../kube/reconciler.ts'
import type { Lab, Part } from '../types.ts'
import { createPodProcess, type PodProcess } from './controllers.ts'
import { createInstanceReconciler, type FindObject } from './instance.ts'
import { fluxReport } from './report.ts'

const controllers = [
  { name: 'kustomize-controller', metricsPort: 18081, healthPort: 18082, concurrent: 20 },
  { name: 'helm-controller', metricsPort: 18083, healthPort: 18084, concurrent: 10 },
]

/** What a FluxInstance waits for, and its controllers' Deployments. */
const watched = [
  { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'flux-system' },
  { apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'GitRepository', namespace: 'flux-system' },
  { apiVersion: 'source.toolkit.fluxcd.io/v1', kind: 'OCIRepository', namespace: 'flux-system' },
  { apiVersion: 'kustomize.toolkit.fluxcd.io/v1', kind: 'Kustomization', namespace: 'flux-system' },
]

export async function startFluxControllers(lab: Lab): Promise<Part> {
  const { view, close } = openClusterView(lab)
  const operatorRuns = () => hasRunningPod(view, { 'app.kubernetes.io/name': 'flux-operator' })
  const seen = new Map<string, KubeObject[]>()
  const find: FindObject = (kind, namespace, name) =>
    seen.get(kind)?.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)

  const processes = controllers.map((controller) => ({
    name: controller.name,
    process: createPodProcess(lab, view, { ...controller, binary: tool(lab, controller.name) }),
  }))

  const reconcile = createInstanceReconciler(
    lab,
    view,
    () => ({ kustomize: tool(lab, 'kustomize'), crds: tool(lab, 'flux-crds') }),
    find,
  )
  const reports = new Map<string, string>()
  const reconcileWithReport = async (instance: KubeObject) => {
    const againMs = await reconcile(instance)
    const { status, ...report } = fluxReport(instance, find)
    const text = JSON.stringify(report)
    if (reports.get(keyOf(instance)) !== text) {
      await view.writer().apply(report, 'flux-operator')
      await view.writer().patchStatus(report as KubeObject, status as Record<string, unknown>)
      reports.set(keyOf(instance), text)
    }
    return againMs
  }
  const instances = createReconciler(reconcileWithReport, {
    active: operatorRuns,
    onError: (object, error) => lab.log('flux', `FluxInstance ${keyOf(object)}: ${error.message}`),
  })

  let operatorRan = false
  const endings = [
    view.watch({ apiVersion: 'fluxcd.controlplane.io/v1', kind: 'FluxInstance' }, instances.set),
    ...watched.map((ref) =>
      view.watch(ref, (objects) => {
        seen.set(ref.kind, objects)
        instances.again()
      }),
    ),
    view.onPods(() => {
      for (const { process } of processes) process.follow()
      const runs = operatorRuns()
      if (runs && !operatorRan) instances.again()
      operatorRan = runs
    }),
    lab.faults.onChange(() => instances.again()),
  ]

  return {
    name: 'flux',
    status: () => ({
      operator: operatorRuns(),
      instances: Object.fromEntries(instances.objects().map((object) => [keyOf(object), isTrue(object, 'Ready')])),
      controllers: Object.fromEntries(
        processes.map(({ name, process }) => [name, { version: pinnedVersion(toolNamed(name)), ...process.status() }]),
      ),
      real: `${processes.map(({ name, process }) => inWords(name, process)).join(' and ')} are the real binaries, with the service accounts and flags of their pods`,
      simulated:
        'flux-operator (the lab applies what a FluxInstance asks for, rendered by the real kustomize; deleting the instance removes nothing) and notification-controller (its pod runs, nothing is sent)',
    }),
    async stop() {
      for (const end of endings) end()
      instances.stop()
      await Promise.all(processes.map(({ process }) => process.stop()))
      close()
    },
  }
}

/** Says so when the cluster asks for another version than the one that is built here. */
function inWords(name: string, process: PodProcess): string {
  const version = pinnedVersion(toolNamed(name))
  const tag = String(process.status().image ?? '')
    .split(':')
    .at(-1)
  return tag && tag !== `v${version}` ? `${name} ${version} (in place of ${tag})` : `${name} ${version}`
}

function tool(lab: Lab, name: string): string {
  const path = lab.spec.tools[name]
  if (!path) throw new Error(`the lab was started without ${name}; it needs a path in spec.tools`)
  return path
}
