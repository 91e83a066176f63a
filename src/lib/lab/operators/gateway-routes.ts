/** Which listeners of a Gateway take a route, by the rules of Gateway API: section, namespace, host. */
import type { KubeObject } from '../../types.ts'
import type { Condition } from '../kube/conditions.ts'

export interface ParentRef {
  name: string
  namespace?: string
  sectionName?: string
}

export interface Listener {
  name: string
  hostname?: string
  port: number
  protocol: string
  allowedRoutes?: { namespaces?: { from?: string } }
  tls?: { certificateRefs?: { name: string; namespace?: string }[] }
}

export type Gateway = KubeObject & {
  spec: { gatewayClassName: string; listeners: Listener[]; infrastructure?: { annotations?: Record<string, string> } }
}

/** The listeners that a parentRef names, those of them that the route's namespace may use, and those that match its hosts. */
export function listenersOf(route: KubeObject, parent: ParentRef, gateway: Gateway) {
  const named = gateway.spec.listeners.filter(({ name }) => !parent.sectionName || name === parent.sectionName)
  const allowed = named.filter(({ allowedRoutes }) => {
    // A selector on namespaces is not evaluated and counts as a refusal.
    const from = allowedRoutes?.namespaces?.from ?? 'Same'
    return from === 'All' || (from === 'Same' && route.metadata.namespace === gateway.metadata.namespace)
  })
  const { hostnames = [] } = route.spec as { hostnames?: string[] }
  const matching = allowed.filter(
    ({ hostname }) => !hostname || hostnames.length === 0 || hostnames.some((host) => intersect(host, hostname)),
  )
  return {
    named: named.map(({ name }) => name),
    allowed: allowed.map(({ name }) => name),
    accepted: matching.map(({ name }) => name),
  }
}

/** The Accepted condition of a route for one parent. */
export function attachment(route: KubeObject, parent: ParentRef, gateway: Gateway): Condition {
  const { named, allowed, accepted } = listenersOf(route, parent, gateway)
  const refused = (reason: string, message: string): Condition => ({
    type: 'Accepted',
    status: 'False',
    reason,
    message,
  })
  if (named.length === 0) return refused('NoMatchingParent', 'No listeners match this parent ref')
  if (allowed.length === 0)
    return refused('NotAllowedByListeners', 'No listeners included by this parent ref allowed this attachment.')
  if (accepted.length === 0)
    return refused(
      'NoMatchingListenerHostname',
      'There were no hostname intersections between the HTTPRoute and this parent ref’s Listener(s).',
    )
  return { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'Route is accepted' }
}

/** A wildcard stands for one or more labels. */
function intersect(a: string, b: string): boolean {
  const covers = (wildcard: string, host: string) => wildcard.startsWith('*.') && host.endsWith(wildcard.slice(1))
  return a === b || covers(a, b) || covers(b, a)
}
