/** Everything that is held open on a cluster, as one list: Flux objects, nodes, policies. Pure. */
import { UsageError } from '../errors.ts'
import type { AlertSilence, Json, KubeObject } from '../types.ts'
import { restingNodes } from './ceph-maintenance.ts'
import { type HoldableView, isHoldable } from './flux-choice.ts'
import { type FluxView, idOf } from './flux-view.ts'
import { holdOf, isExpired } from './hold.ts'
import { type BypassView, bypasses, bypassName } from './netpol-bypass.ts'
import { nodeView } from './node-view.ts'

export type HoldKind = 'flux' | 'node' | 'policy' | 'rollout' | 'silence'

export interface OpenHold {
  kind: HoldKind
  /** What it is known by: `app/odoo`, `cluster`, `node/apps-w1`, `ceph/apps-w1`, `policy/business`; the object itself where nobody left a note. */
  name: string
  /** Empty where nobody left a note. */
  id: string
  objects: string[]
  owner: string | null
  reason: string | null
  since: string | null
  until: string | null
  expired: boolean
}

export interface HoldSources {
  flux: FluxView[]
  nodes: KubeObject[]
  namespaces: KubeObject[]
  /** The rollout's record, where there is one. */
  rollout: KubeObject[]
}

/** @param now milliseconds since 1970 */
export function openHolds({ flux, nodes, namespaces, rollout }: HoldSources, now: number): OpenHold[] {
  const noted = Map.groupBy(
    flux.filter(({ hold }) => hold !== null),
    ({ hold }) => hold?.id ?? '',
  )
  const byNote = [...noted.values()].flatMap((views): OpenHold[] => {
    const hold = views[0]?.hold
    if (!hold) return []
    const { id, scope, owner, reason, since, until } = hold
    const objects = views.map(idOf)
    return [
      { kind: 'flux', name: scope || id, id, objects, owner, reason, since, until, expired: isExpired(hold, now) },
    ]
  })
  // What Git suspends is in review there: nobody forgets it unseen.
  const unowned = flux.filter(({ suspended, hold, suspendInGit }) => suspended && !hold && suspendInGit !== true)
  return [
    ...byNote,
    ...unowned.map(unownedHold),
    ...nodes.flatMap((node) => nodeHold(node, now)),
    ...bypasses(namespaces).map((view) => bypassHold(view, now)),
    ...rollout.flatMap(frozenOf(now)),
  ]
}

function unownedHold(view: FluxView): OpenHold {
  const { manager, time } = view.suspendedBy ?? { manager: null, time: null }
  return {
    kind: 'flux',
    name: idOf(view),
    id: '',
    objects: [idOf(view)],
    owner: null,
    until: null,
    expired: false,
    reason: manager === null ? null : `suspended by ${manager}, without a note`,
    since: time,
  }
}

function nodeHold(node: KubeObject, now: number): OpenHold[] {
  const { name, schedulable, holder, reason, since } = nodeView(node)
  if (schedulable) return []
  const [rest] = restingNodes([node])
  if (rest) {
    const { hold } = rest
    const { scope, id, owner, until } = hold
    const objects = [`node/${name}`]
    const expired = isExpired(hold, now)
    return [{ kind: 'node', name: scope, id, objects, owner, reason: hold.reason, since: hold.since, until, expired }]
  }
  const id = `node/${name}`
  return [{ kind: 'node', name: id, id, objects: [id], owner: holder, reason, since, until: null, expired: false }]
}

function bypassHold(view: BypassView, now: number): OpenHold {
  const { id = '', owner = null, reason = null, since = null, until = null } = view.hold ?? {}
  return {
    kind: 'policy',
    name: bypassName(view),
    id,
    objects: [`Namespace/${view.namespace}`],
    owner,
    reason,
    since,
    until,
    expired: view.hold !== null && isExpired(view.hold, now),
  }
}

/** `rollout tick` ends it. */
const frozenOf =
  (now: number) =>
  (record: KubeObject): OpenHold[] => {
    const hold = holdOf(record)
    if (!hold) return []
    const { id, owner, reason, since, until } = hold
    const objects = [`ConfigMap/${record.metadata.namespace}/${record.metadata.name}`]
    return [
      { kind: 'rollout', name: 'rollout', id, objects, owner, reason, since, until, expired: isExpired(hold, now) },
    ]
  }

/** Alertmanager ends it by itself. */
export function silenceHold({ id, by, comment, until, matchers }: AlertSilence): OpenHold {
  const name = `silence/${id.slice(0, 8)}`
  return {
    kind: 'silence',
    name,
    id,
    objects: matchers,
    owner: by,
    reason: comment,
    since: null,
    until,
    expired: false,
  }
}

export const holdRow = (cluster: string, hold: OpenHold): { [key: string]: Json } => ({ cluster, ...hold })

/**
 * The Flux objects of the holds that are named: by name (`app/odoo`, or just `odoo`), by id or the end of one.
 * @throws UsageError for names that fit none, or several
 */
export function heldObjects(views: FluxView[], names: string[]): HoldableView[] {
  const held = views.filter(isHoldable).filter(({ hold }) => hold !== null)
  const ids = names.map((name) => {
    const fits = ({ hold }: HoldableView) =>
      hold !== null &&
      (hold.id === name || hold.id.endsWith(`-${name}`) || hold.scope === name || hold.scope === `app/${name}`)
    const found = new Set(held.filter(fits).map(({ hold }) => hold?.id))
    if (found.size === 1) return [...found][0]
    if (found.size === 0) throw new UsageError(`there is no hold ${name}`, { next: 'k8sops holds list' })
    throw new UsageError(`${name} is ambiguous: ${[...found].join(', ')}`, { next: 'give the id' })
  })
  return held.filter(({ hold }) => ids.includes(hold?.id))
}

/**
 * Which of the names are those of bypassed namespaces (`policy/business`, the id or the end of one), and which are left.
 * @throws UsageError for a namespace that is not bypassed
 */
export function namedHolds(
  bypassed: BypassView[],
  names: string[],
): { bypassed: BypassView[]; others: string[]; scopes: string[] } {
  const fitting = (name: string) =>
    bypassed.filter(
      (view) => bypassName(view) === name || view.hold?.id === name || view.hold?.id.endsWith(`-${name}`) === true,
    )
  const strangers = names.filter((name) => name.startsWith('policy/') && fitting(name).length === 0)
  if (strangers.length > 0)
    throw new UsageError(`there is no hold ${strangers.join(', ')}`, { next: 'k8sops holds list' })
  const found = [...new Set(names.flatMap(fitting))]
  return {
    bypassed: found,
    others: names.filter((name) => fitting(name).length === 0),
    scopes: found.map(bypassName),
  }
}
