/**
 * Which policy decides about a connection, from manifests alone. Pure. The rules of Cilium 1.19: a connection needs both its ends to
 * agree; a deny beats every allow; what no policy closes is open; a pod that one policy closes is open only to what some policy allows;
 * a node always reaches the pods on itself. What depends on DNS, on layer 7 or on what no manifest says is `unknown`, never `allowed`.
 */

import { once } from '../once.ts'
import type { Answer, Direction, Endpoint, Labels, PolicyName, PolicySet } from './model.ts'
import { type Match, matchRule, type Port } from './peers.ts'
import { selects } from './selector.ts'

export type Verdict = 'allowed' | 'denied' | 'unknown'

export interface Decision {
  direction: Direction
  verdict: Verdict
  why: string
  /** The policies that decide, with the rule where it is one rule. */
  by: (PolicyName & { at?: string })[]
}

export interface Explanation {
  verdict: Verdict
  egress: Decision
  ingress: Decision
}

export function explain(set: PolicySet, source: Endpoint, target: Endpoint, port: Port): Explanation {
  const egress = decide(set, 'egress', source, target, port)
  const ingress = decide(set, 'ingress', target, source, port)
  return { verdict: worst([egress, ingress]).verdict, egress, ingress }
}

const badness: Record<Verdict, number> = { allowed: 0, unknown: 1, denied: 2 }

const worst = (decisions: [Decision, ...Decision[]]): Decision =>
  decisions.reduce((a, b) => (badness[b.verdict] > badness[a.verdict] ? b : a))

/** What has to hold of every variant of both ends holds as badly as in the worst of them. */
function decide(set: PolicySet, direction: Direction, subject: Endpoint, peer: Endpoint, port: Port): Decision {
  if (subject.kind !== 'pod') {
    const why = subject.kind === 'node' ? 'pods in the network of a node have no policies' : 'it is outside the cluster'
    return { direction, verdict: 'allowed', why, by: [] }
  }
  const target = direction === 'ingress' ? subject : peer
  const [own = new Map()] = subject.variants
  const decisions = peer.variants.map((labels) => one(set, direction, own, peer, labels, port, target))
  const decision = worst(decisions as [Decision, ...Decision[]])
  const differs = decisions.some(({ verdict }) => verdict !== decision.verdict)
  return differs ? { ...decision, why: `${decision.why}; not so for each of ${variantsText(peer)}` } : decision
}

const variantsText = ({ variants }: Endpoint): string =>
  variants.map((labels) => [...labels.keys()].map((key) => key.replace('reserved:', '')).join('+')).join(', ')

/** Of a set what is about a pod, or may be: asked for each of its connections. */
const concerning = once((set: PolicySet) =>
  once((own: Labels) => ({
    rules: set.rules.map((rule) => ({ rule, applies: selects(rule.subject, own) })).filter(isAbout),
    isolations: set.isolations
      .map((isolation) => ({ isolation, applies: selects(isolation.subject, own) }))
      .filter(isAbout),
  })),
)

const isAbout = ({ applies }: { applies: Answer }): boolean => applies !== 'no'

function one(
  set: PolicySet,
  direction: Direction,
  own: Labels,
  peer: Endpoint,
  labels: Labels,
  port: Port,
  target: Endpoint,
): Decision {
  const denies: Found[] = []
  const allows: Found[] = []
  const { rules, isolations } = concerning(set)(own)
  for (const { rule, applies } of rules) {
    if (rule.direction !== direction) continue
    const match = matchRule(rule, peer, labels, port, target)
    if (match.answer === 'no') continue
    const by = { ...rule.policy, at: rule.at }
    const found =
      applies === 'maybe'
        ? { by, answer: 'maybe' as const, because: ['whom it selects is not known'] }
        : { by, ...match }
    ;(rule.deny ? denies : allows).push(found)
  }
  const answer = (verdict: Verdict, why: string, by: Decision['by']): Decision => ({ direction, verdict, why, by })
  const denied = sure(denies)
  if (denied.length > 0) return answer('denied', 'a rule denies it', namesOf(denied))
  const allowed = sure(allows)
  const closing = isolations.filter(({ isolation }) => isolation.direction === direction)
  const closed = closing.filter(({ applies }) => applies === 'yes').map(({ isolation }) => isolation.policy)
  const perhaps = closing.filter(({ applies }) => applies === 'maybe').map(({ isolation }) => isolation.policy)
  const isOwnNode = direction === 'ingress' && labels.has('reserved:host')
  if (allowed.length > 0 || isOwnNode || closed.length + perhaps.length === 0) {
    if (denies.length > 0) return answer('unknown', `a rule may deny it: ${reasons(denies)}`, namesOf(denies))
    if (allowed.length > 0) return answer('allowed', 'a rule allows it', namesOf(allowed))
    if (isOwnNode) return answer('allowed', 'a node reaches the pods on itself', [])
    return answer('allowed', 'no policy closes this direction', [])
  }
  if (allows.length > 0) return answer('unknown', reasons(allows), namesOf(allows))
  if (closed.length > 0) return answer('denied', 'no rule allows it, and these close the direction', closed)
  return answer('unknown', 'whom these close is not known', perhaps)
}

interface Found extends Match {
  by: PolicyName & { at: string }
}

const sure = (found: Found[]): Found[] => found.filter(({ answer }) => answer === 'yes')
const namesOf = (found: Found[]) => found.map(({ by }) => by)
const reasons = (found: Found[]): string => [...new Set(found.flatMap(({ because }) => because))].join('; ')
