/** `k8sops flux reconcile`: has Flux look at objects now. A request without an answer is no success. */
import { GateError } from '../errors.ts'
import { reconcileArgs } from '../tools/kubectl-flux.args.ts'
import type { Basis, Cluster, Plan, Step, Target } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import { heldBy } from './flux-status.ts'
import { type FluxKind, type FluxView, fluxRef, idOf, nameOf } from './flux-view.ts'
import { planOf } from './machine-plan.ts'

export interface ReconcileInput {
  cluster: Cluster
  target: Pick<Target, 'context'>
  objects: FluxView[]
  /** Common to the request; the controllers repeat it in their status. */
  token: string
  /** `app/odoo`, or `flux` for several. */
  scope: string
  reset: boolean
  force: boolean
  /** Wait so long until all of it is Ready; without it only until the requests stand. */
  waitSec?: number
}

const plurals: Record<FluxKind, string> = {
  GitRepository: 'gitrepositories.v1.source.toolkit.fluxcd.io',
  OCIRepository: 'ocirepositories.v1.source.toolkit.fluxcd.io',
  HelmRepository: 'helmrepositories.v1.source.toolkit.fluxcd.io',
  HelmChart: 'helmcharts.v1.source.toolkit.fluxcd.io',
  Bucket: 'buckets.v1.source.toolkit.fluxcd.io',
  Kustomization: 'kustomizations.v1.kustomize.toolkit.fluxcd.io',
  HelmRelease: 'helmreleases.v2.helm.toolkit.fluxcd.io',
}
/** Each level uses what the one before brought. */
const levels: FluxKind[][] = [
  ['GitRepository', 'OCIRepository', 'HelmRepository', 'Bucket', 'HelmChart'],
  ['Kustomization'],
  ['HelmRelease'],
]
const runbook = 'docs/runbooks/flux.md'

/** Sources of what is meant, before it. */
export function withSources(objects: FluxView[], views: FluxView[]): FluxView[] {
  const wanted = new Set(objects.flatMap(({ source }) => (source ? [idOf(source)] : [])))
  return [...views.filter((view) => wanted.has(idOf(view)) && view.source === null), ...objects]
}

/** @throws GateError for what is suspended: Flux would not answer, and say nothing about it */
export function planReconcile(input: ReconcileInput, basis: Basis): Plan {
  const { cluster, objects, token, scope } = input
  const held = objects.filter(({ suspended }) => suspended)
  if (held.length > 0)
    throw new GateError('Flux does not look at what is suspended', {
      output: held.map((view) => `${idOf(view)}: ${heldBy(view, Date.now())}`).join('\n'),
      next: 'k8sops flux resume NAME',
      runbook,
    })
  const params = { token, objects: objects.map(idOf), reset: input.reset, force: input.force }
  return planOf({ operation: 'flux.reconcile', cluster: cluster.name, params, scope }, basis, stepsOf(input))
}

function stepsOf(input: ReconcileInput): Step[] {
  const { cluster, target, objects, token, waitSec } = input
  return levels.flatMap((kinds, level) => {
    const groups = Map.groupBy(
      objects.filter(({ kind }) => kinds.includes(kind)),
      ({ kind, namespace }) => `${kind} ${namespace}`,
    )
    return [...groups.values()].map((views): Step => {
      const { kind, namespace } = views[0] as FluxView
      const names = views.map(({ name }) => name)
      const slots = { apiVersion: fluxRef(kind).apiVersion, kind, namespace, names: names.join(',') }
      // What is made from a source must not begin with the old one.
      const awaited = waitSec !== undefined || level === 0
      const isRelease = kind === 'HelmRelease'
      const request = {
        resource: plurals[kind],
        namespace,
        names,
        token,
        reset: isRelease && input.reset,
        force: isRelease && input.force,
      }
      const subject =
        names.length === 1 ? `${kind} ${nameOf(views[0] as FluxView)}` : `${names.length} ${kind}s of ${namespace}`
      return {
        id: `${kind.toLowerCase()}.${names.length === 1 ? `${namespace}.${names[0]}` : namespace}/reconcile`,
        title: `Reconcile ${subject}`,
        unless: [check(awaited ? 'flux-reconciled' : 'flux-requested', { ...slots, token })],
        action: {
          kind: 'exec',
          pipeline: [reconcileArgs(target.context, request)],
          retry: whileApiIsAway(cluster.endpoint),
        },
        verify: [check(awaited ? 'flux-reconciled' : 'flux-requested', { ...slots, token })],
        interrupt: 'now',
        timeoutSec: level === 0 ? 120 : (waitSec ?? 60),
        group: `level-${level}`,
        runbook,
      }
    })
  })
}
