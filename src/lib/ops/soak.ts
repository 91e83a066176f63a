/**
 * NFR39: a version reaches a cluster only after the clusters before it in `rollout.order` have run it healthily for the soak.
 * The evidence is live state, which nobody has to write down: a Node says what it runs, and since when it is Ready without a
 * break; a restart, for whatever reason, begins its time anew.
 */
import { GateError } from '../errors.ts'
import type { Json, KubeObject } from '../types.ts'

export type Soaked = 'talos' | 'kubernetes'

export interface SoakEvidence {
  cluster: string
  nodes: KubeObject[]
  /** The control plane's static pods; only Kubernetes itself is soaked by them. */
  staticPods: KubeObject[]
  /** What is not well there now, one line each; also that it could not be asked. */
  unwell: string[]
}

export interface SoakRule {
  what: Soaked
  version: string
  soakSec: number
  now: Date
}

/** Why a cluster's evidence is not enough, one line each; empty when it is. */
export function soakFaults({ cluster, nodes, staticPods, unwell }: SoakEvidence, rule: SoakRule): string[] {
  const faults = unwell.map((line) => `${cluster}: ${line}`)
  if (nodes.length === 0) return faults.length > 0 ? faults : [`${cluster}: it has no nodes`]
  const runs = [
    ...nodes.map((node) => ({
      name: node.metadata.name,
      version: rule.what === 'talos' ? talosOf(node) : infoOf(node).kubeletVersion,
      since: readySince(node),
    })),
    ...(rule.what === 'kubernetes' ? staticPods.map(podRuns) : []),
  ]
  for (const { name, version, since } of runs) {
    if (version !== rule.version) {
      faults.push(`${cluster}: ${name} runs ${version ?? 'an unknown version'}, not ${rule.version}`)
      continue
    }
    const ageSec = since === undefined ? 0 : (rule.now.getTime() - since.getTime()) / 1000
    if (ageSec < rule.soakSec)
      faults.push(`${cluster}: ${name} has run it without a break for ${hours(ageSec)} of ${hours(rule.soakSec)}`)
  }
  return faults
}

/** @throws GateError (exit 3) with everything that is missing, unless there is a reason not to wait */
export function requireSoak(faults: string[], rule: SoakRule, reason: string | undefined): void {
  if (faults.length === 0 || reason !== undefined) return
  const name = rule.what === 'talos' ? 'Talos' : 'Kubernetes'
  throw new GateError(`${name} ${rule.version} has not soaked yet where it has to come first`, {
    output: faults.join('\n'),
    next: 'wait, or say why it can not: --now --reason TEXT (it is recorded in the run)',
  })
}

/** What the plan shows of it. */
export function soakFact(faults: string[], earlier: string[], reason: string | undefined): Json {
  if (earlier.length === 0) return 'first in the rollout order'
  if (faults.length === 0) return `soaked on ${earlier.join(', ')}`
  return reason === undefined ? { missing: faults } : { missing: faults, now: reason }
}

/** Clusters that come before this one; a cluster that the order doesn't name comes after all of them. */
export function earlierClusters(order: string[], cluster: string): string[] {
  const at = order.indexOf(cluster)
  return at < 0 ? order : order.slice(0, at)
}

const infoOf = (node: KubeObject) => (node.status?.nodeInfo ?? {}) as { osImage?: string; kubeletVersion?: string }

/** `Talos (v1.12.11)` */
const talosOf = (node: KubeObject) => /^Talos \((v[^)]+)\)$/.exec(infoOf(node).osImage ?? '')?.[1]

function readySince(node: KubeObject): Date | undefined {
  const conditions = (node.status?.conditions ?? []) as { type: string; status: string; lastTransitionTime?: string }[]
  const ready = conditions.find(({ type, status }) => type === 'Ready' && status === 'True')
  return ready?.lastTransitionTime === undefined ? undefined : new Date(ready.lastTransitionTime)
}

function podRuns(pod: KubeObject) {
  const [container] = (pod.spec?.containers ?? []) as { image?: string }[]
  const [status] = (pod.status?.containerStatuses ?? []) as { state?: { running?: { startedAt?: string } } }[]
  const startedAt = status?.state?.running?.startedAt
  return {
    name: pod.metadata.name,
    version: /:(v[^:@]+)/.exec(container?.image ?? '')?.[1],
    since: startedAt === undefined ? undefined : new Date(startedAt),
  }
}

const hours = (seconds: number) => `${Math.floor(seconds / 360) / 10} h`
