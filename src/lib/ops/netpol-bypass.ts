/** `netpol bypass` and `netpol restore`: namespaces that are left out of the default deny for a while (ADR 0006). */
import { GateError, UsageError } from '../errors.ts'
import type { HoldNote } from '../tools/kubectl-hold.args.ts'
import { bypassArgs, bypassLabel, extendBypassArgs, restoreArgs } from '../tools/kubectl-netpol.args.ts'
import type { Basis, Check, Command, KubeObject, Plan, Step } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldPlace } from './flux-hold.ts'
import { type Hold, holderText, holdOf, isExpired } from './hold.ts'
import { planOf } from './machine-plan.ts'

export const netpolRunbook = 'docs/runbooks/network-policies.md'
/** Neither is closed by the default deny, so there is nothing to bypass. */
export const neverClosed = ['flux-system', 'kube-system']

export interface BypassView {
  namespace: string
  /** Null where somebody set the label without a note. */
  hold: Hold | null
}

/** The namespaces that are bypassed now. */
export const bypasses = (namespaces: KubeObject[]): BypassView[] =>
  namespaces
    .filter(({ metadata }) => metadata.labels?.[bypassLabel] !== undefined)
    .map((object) => ({ namespace: object.metadata.name, hold: holdOf(object) ?? null }))

export const bypassName = ({ namespace }: { namespace: string }): string => `policy/${namespace}`

/** Bypasses whose time is up. One without a note has no end, and is left to whoever set it. */
export const expiredBypasses = (views: BypassView[], now: number): BypassView[] =>
  views.filter(({ hold }) => hold !== null && isExpired(hold, now))

export interface BypassInput extends HoldPlace {
  note: HoldNote
  namespace: string
  /** All that are bypassed already, and every namespace that there is. */
  bypassed: BypassView[]
  namespaces: string[]
  /** Also where somebody else has one. */
  force: boolean
}

/**
 * `k8sops netpol bypass`. Ends along the way what has expired.
 * @throws UsageError for a namespace that is not there, or is never closed; GateError where somebody else has a bypass
 */
export function planBypass(input: BypassInput, now: number, basis: Basis): Plan {
  const { cluster, target, note, namespace, bypassed, namespaces, force } = input
  if (!namespaces.includes(namespace))
    throw new UsageError(`cluster ${cluster.name} has no namespace ${namespace}`, {
      next: `there are: ${namespaces.join(', ')}`,
    })
  if (neverClosed.includes(namespace))
    throw new UsageError(`${namespace} is not closed by the default deny: there is nothing to bypass`)
  const own = bypassed.filter((view) => view.namespace === namespace)
  if (!force) refuseForeignBypass(own, note.owner, now)
  const held = [
    check('netpol-bypassed', { namespace, hold: note.id }),
    check('netpol-bypassed-until', { namespace, until: note.until }),
  ]
  const others = expiredBypasses(bypassed, now).filter((view) => view.namespace !== namespace)
  const params = { namespace, reason: note.reason, by: note.owner, until: note.until, force }
  return planOf(
    { operation: 'netpol.bypass', cluster: cluster.name, params, scope: bypassName({ namespace }) },
    basis,
    [
      ...restoreSteps(input, others, 'expired'),
      step(input, `${namespace}/bypass`, `Leave namespace ${namespace} out of the default deny until ${note.until}`, {
        command: bypassArgs(target.context, namespace, note),
        held,
      }),
    ],
  )
}

/** @throws GateError for a bypass of somebody else, or of nobody known */
export function refuseForeignBypass(views: BypassView[], owner: string, now: number): void {
  const foreign = views.filter(({ hold }) => hold?.owner !== owner)
  if (foreign.length === 0) return
  const holder = ({ hold }: BypassView) => (hold ? holderText(hold, now) : 'set without a note')
  throw new GateError('somebody else bypasses this', {
    output: foreign.map((view) => `${bypassName(view)}: ${holder(view)}`).join('\n'),
    next: 'find out why (k8sops holds list), then add --force',
    runbook: netpolRunbook,
  })
}

export interface RestoreInput extends HoldPlace {
  namespaces: string[]
  bypassed: BypassView[]
}

/** `k8sops netpol restore`: what is not bypassed is left as it is. */
export function planRestore(input: RestoreInput, now: number, basis: Basis): Plan {
  const { cluster, namespaces, bypassed } = input
  const own = bypassed.filter(({ namespace }) => namespaces.includes(namespace))
  const others = expiredBypasses(bypassed, now).filter((view) => !own.includes(view))
  const steps = [...restoreSteps(input, own, 'restore'), ...restoreSteps(input, others, 'expired')]
  const scope = bypassName({ namespace: namespaces.toSorted().join('-') })
  return planOf({ operation: 'netpol.restore', cluster: cluster.name, params: { namespaces }, scope }, basis, steps)
}

export const restoreSteps = (place: HoldPlace, views: BypassView[], why: 'restore' | 'expired'): Step[] =>
  views.map(({ namespace, hold }) => {
    // One that somebody has begun anew since has another id, and is left alone.
    const closed = hold
      ? check('netpol-released', { namespace, hold: hold.id })
      : check('netpol-restored', { namespace })
    const verb = why === 'expired' ? 'End the expired bypass of' : 'Have the default deny hold again in'
    return step(place, `${namespace}/${why === 'expired' ? 'expire' : 'restore'}`, `${verb} namespace ${namespace}`, {
      command: restoreArgs(place.target.context, namespace),
      held: [closed],
      accept: ['\\(NotFound\\)'],
    })
  })

/** `k8sops holds extend policy/business`. */
export const extendBypassSteps = (place: HoldPlace, views: BypassView[], until: string): Step[] =>
  views.map(({ namespace, hold }) => ({
    ...step(place, `${namespace}/extend`, `Leave namespace ${namespace} out of the default deny until ${until}`, {
      command: extendBypassArgs(place.target.context, namespace, until),
      held: [check('netpol-bypassed-until', { namespace, until })],
    }),
    ...(hold ? { require: [check('netpol-bypassed', { namespace, hold: hold.id })] } : {}),
  }))

function step(
  { cluster }: HoldPlace,
  id: string,
  title: string,
  { command, held, accept }: { command: Command; held: Check[]; accept?: string[] },
): Step {
  return {
    id,
    title,
    unless: held,
    verify: held,
    interrupt: 'now',
    timeoutSec: 60,
    runbook: netpolRunbook,
    action: {
      kind: 'exec',
      pipeline: [command],
      retry: whileApiIsAway(cluster.endpoint),
      ...(accept ? { accept } : {}),
    },
  }
}

/** For a plan's basis: what was seen of each namespace. */
export const bypassFacts = (views: BypassView[]): { [name: string]: string } =>
  Object.fromEntries(
    views.map((view) => [bypassName(view), view.hold ? `bypassed by ${view.hold.owner}` : 'bypassed, unowned']),
  )
