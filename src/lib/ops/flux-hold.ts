/** `flux suspend`, `flux resume` and `holds`: Flux objects that an operator holds still, and lets go again. */
import { GateError } from '../errors.ts'
import {
  extendArgs,
  type HeldKind,
  type HeldObjects,
  type HoldNote,
  resumeArgs,
  suspendArgs,
} from '../tools/kubectl-hold.args.ts'
import type { Basis, Cluster, Command, Plan, Step, Target } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldableView } from './flux-choice.ts'
import { type FluxView, fluxRef, idOf } from './flux-view.ts'
import { holderText } from './hold.ts'
import { planOf } from './machine-plan.ts'

export const holdsRunbook = 'docs/runbooks/holds.md'
export type HoldScope = 'app' | 'namespace' | 'cluster'

export interface HoldPlace {
  cluster: Cluster
  target: Pick<Target, 'context'>
}

export interface SuspendInput extends HoldPlace {
  note: HoldNote
  /** What the operator means; those that run are suspended. */
  objects: HoldableView[]
  /** Also what somebody else holds. */
  force: boolean
  /** Ended along the way, because their time is up. */
  expired: HoldableView[]
}

/**
 * Of what is meant: what would be suspended now. For an application that includes what somebody suspended without a note, which
 * then has one; for a namespace or a cluster it does not, so that a resume brings back exactly what was running.
 */
export function toSuspend(objects: HoldableView[], scope: HoldScope): HoldableView[] {
  return objects.filter((view) => {
    if (view.suspendInGit === true) return false
    return scope === 'app' || !view.suspended
  })
}

/**
 * `k8sops flux suspend`. All of it at a time: what its parent would set back is taken from the parent in the same request.
 * @throws GateError when somebody else holds one of the objects of an application
 */
export function planSuspend(input: SuspendInput, scope: HoldScope, basis: Basis): Plan {
  const { cluster, note, objects, force } = input
  const chosen = toSuspend(objects, scope)
  const foreign = chosen.filter(({ hold }) => hold !== null && hold.owner !== note.owner)
  if (foreign.length > 0 && !force) throw heldByOthers(foreign)
  const params = { scope: note.scope, reason: note.reason, by: note.owner, until: note.until, force }
  const steps = [...releaseSteps(input, input.expired, 'expired'), ...holdSteps(input, chosen)]
  return planOf({ operation: 'flux.suspend', cluster: cluster.name, params, scope: lockOf(note.scope) }, basis, steps)
}

export interface ReleaseInput extends HoldPlace {
  /** `flux.resume`, `holds.release`, `holds.expire` */
  operation: string
  /** What is let go, as it was seen. */
  objects: HoldableView[]
  expired: HoldableView[]
  /** `app/odoo`, `cluster`: what the lock is about. */
  scope: string
  /** Wait until what is let go is Ready on what its source has. */
  waitSec?: number
}

/** Brings back what is held, HelmReleases first: what a Kustomization changes in them then has one effect, not two. */
export function planRelease(input: ReleaseInput, basis: Basis): Plan {
  const { cluster, operation, objects, expired, scope } = input
  const own = new Set(objects.map(idOf))
  const others = expired.filter((view) => !own.has(idOf(view)))
  const params = { scope, holds: [...new Set(objects.map(({ hold }) => hold?.id || 'unowned'))] }
  const steps = [
    ...releaseSteps(input, objects, 'release'),
    ...releaseSteps(input, others, 'expired'),
    ...(input.waitSec === undefined ? [] : readySteps(objects, input.waitSec)),
  ]
  return planOf({ operation, cluster: cluster.name, params, scope: lockOf(scope) }, basis, steps)
}

export interface ExtendInput extends HoldPlace {
  objects: HoldableView[]
  until: string
  scope: string
}

/** `k8sops holds extend`. */
export function planExtend({ cluster, target, objects, until, scope }: ExtendInput, basis: Basis): Plan {
  const steps = grouped(objects, ({ hold }) => hold?.id ?? '').map(({ key, group }): Step => {
    const held = check('flux-held', { ...slotsOf(group), hold: key })
    const extended = [held, check('flux-held-until', { ...slotsOf(group), until })]
    return {
      ...frameOf(`${label(group)}/extend`, `Hold ${titleOf(group)} until ${until}`),
      unless: extended,
      require: [held],
      action: patch(cluster, extendArgs(target.context, group, until)),
      verify: extended,
    }
  })
  return planOf(
    { operation: 'holds.extend', cluster: cluster.name, params: { scope, until }, scope: lockOf(scope) },
    basis,
    steps,
  )
}

export function holdSteps(
  { cluster, target, note }: HoldPlace & Pick<SuspendInput, 'note'>,
  objects: HoldableView[],
): Step[] {
  const detaches = (view: HoldableView) => view.suspendInGit === false || view.hold?.detached === true
  return grouped(kustomizationsFirst(objects), (view) => String(detaches(view))).map(({ key, group }): Step => {
    const detach = key === 'true'
    const held = [
      check('flux-held', { ...slotsOf(group), hold: note.id }),
      ...(detach ? [check('flux-detached', slotsOf(group))] : []),
    ]
    const also = detach ? ', which Git wants running: its Kustomization leaves it alone meanwhile' : ''
    return {
      ...frameOf(`${label(group)}/suspend${detach ? '-detached' : ''}`, `Suspend ${titleOf(group)}${also}`),
      unless: held,
      action: patch(cluster, suspendArgs(target.context, group, note, detach)),
      verify: held,
      group: 'suspend',
    }
  })
}

export function releaseSteps(
  { cluster, target }: HoldPlace,
  objects: HoldableView[],
  why: 'release' | 'expired',
): Step[] {
  const keyOf = (view: HoldableView) => `${view.hold?.id ?? ''} ${view.hold?.detached ?? false}`
  const releasesFirst = kustomizationsFirst(objects).toReversed()
  return grouped(releasesFirst, keyOf).map(({ key, group }): Step => {
    const [hold = '', detached] = key.split(' ')
    // One that somebody has taken anew since has another id, and is left alone.
    const released = [
      hold ? check('flux-released', { ...slotsOf(group), hold }) : check('flux-running', slotsOf(group)),
    ]
    const suffix = `${detached === 'true' ? '-detached' : ''}${hold ? `-${hold.split('-').at(-1)}` : ''}`
    const verb = why === 'expired' ? 'End the expired hold of' : 'Resume'
    return {
      ...frameOf(`${label(group)}/${why === 'expired' ? 'expire' : 'resume'}${suffix}`, `${verb} ${titleOf(group)}`),
      unless: released,
      action: {
        ...patch(cluster, resumeArgs(target.context, group, detached === 'true')),
        // Deleted meanwhile: then nothing of it is held any more, which `verify` looks at.
        accept: ['\\(NotFound\\)'],
      },
      verify: released,
      group: group.kind,
    }
  })
}

/** Each kind of a namespace is waited for as one; both at a time. */
export function readySteps(objects: HoldableView[], waitSec: number): Step[] {
  return grouped(kustomizationsFirst(objects), () => '').map(({ group }): Step => {
    return {
      ...frameOf(`${label(group)}/ready`, `Wait until ${titleOf(group)} is Ready`),
      action: { kind: 'wait' },
      verify: [check('flux-objects-ready', slotsOf(group))],
      timeoutSec: waitSec,
      group: 'ready',
    }
  })
}

const frameOf = (id: string, title: string): Pick<Step, 'id' | 'title' | 'interrupt' | 'timeoutSec' | 'runbook'> => ({
  id,
  title,
  interrupt: 'now',
  timeoutSec: 60,
  runbook: holdsRunbook,
})

const patch = (cluster: Cluster, command: Command): Extract<Step['action'], { kind: 'exec' }> => ({
  kind: 'exec',
  pipeline: [command],
  retry: whileApiIsAway(cluster.endpoint),
})

/** So many names stand in one command. */
const atMost = 100

/** By kind and namespace, and what else tells them apart; in the order in which they come. */
function grouped(
  objects: HoldableView[],
  keyOf: (view: HoldableView) => string,
): { key: string; group: HeldObjects & { part: number } }[] {
  const groups = Map.groupBy(objects, (view) => JSON.stringify([view.kind, view.namespace, keyOf(view)]))
  return [...groups].flatMap(([text, views]) => {
    const [kind, namespace, key] = JSON.parse(text) as [HeldKind, string, string]
    const parts = Array.from({ length: Math.ceil(views.length / atMost) }, (_, index) =>
      views.slice(index * atMost, (index + 1) * atMost),
    )
    return parts.map((part, index) => ({
      key,
      group: { kind, namespace, names: part.map(({ name }) => name), part: parts.length > 1 ? index + 1 : 0 },
    }))
  })
}

const kustomizationsFirst = (objects: HoldableView[]): HoldableView[] =>
  objects.toSorted((left, right) => Number(left.kind === 'HelmRelease') - Number(right.kind === 'HelmRelease'))

/** Unique in a plan, and stable when it is made anew. */
function label({ kind, namespace, names, part }: HeldObjects & { part: number }): string {
  const subject = names.length === 1 ? `${namespace}.${names[0]}` : `${namespace}${part ? `.${part}` : ''}`
  return `${kind.toLowerCase()}.${subject}`
}

const titleOf = ({ kind, namespace, names }: HeldObjects): string =>
  names.length === 1 ? `${kind} ${namespace}/${names[0]}` : `${names.length} ${kind}s of ${namespace}`

const slotsOf = ({ kind, namespace, names }: HeldObjects): Record<string, string> => ({
  apiVersion: fluxRef(kind).apiVersion,
  kind,
  namespace,
  names: names.join(','),
})

/** An operation on one application does not exclude one on another; on the whole cluster's Flux there is one at a time. */
const lockOf = (scope: string): string => (scope === 'cluster' ? 'flux' : scope)

export function heldByOthers(views: FluxView[]): GateError {
  return new GateError('somebody else holds this already', {
    output: views.map((view) => `${idOf(view)}: ${view.hold ? holderText(view.hold, Date.now()) : ''}`).join('\n'),
    next: 'k8sops holds list; --force takes it over with your reason',
    runbook: holdsRunbook,
  })
}

/** For a plan's basis: what was seen of each object. */
export const holdFacts = (objects: FluxView[]): { [name: string]: string } =>
  Object.fromEntries(
    objects.map((view) => {
      const held = view.hold ? `held by ${view.hold.owner}` : view.suspended ? 'suspended, unowned' : 'running'
      return [idOf(view), view.suspendInGit === null ? held : `${held}, spec.suspend is set in Git`]
    }),
  )
