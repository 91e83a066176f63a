/** One look at the first cluster, as evidence: what Flux runs, and what is amiss. Pure; `observe.ts` reads. */
import type { Check, Condition, KubeObject, Verdict } from '../../types.ts'
import { commitOf, type FluxView, nameOf } from '../flux-view.ts'
import type { Reason, ReasonKind, Sample } from './evidence.ts'

export interface SeenCluster {
  flux: FluxView[]
  nodes: KubeObject[]
  pods: KubeObject[]
  gates: { check: Check; verdict: Verdict }[]
  /** What could not be read, one line each. */
  unread: string[]
}

/** By `namespace/pod`: how often its containers were restarted. Pods without a restart are left out. */
export type Restarts = Record<string, number>

export interface SampleRule {
  at: string
  /** Of the look before, if there was one. */
  restartsBefore: Restarts | undefined
  /** So many since then are a regression. */
  restartLimit: number
}

export interface Looked {
  sample: Sample
  restarts: Restarts
}

export function sampleOf(seen: SeenCluster, { at, restartsBefore, restartLimit }: SampleRule): Looked {
  const restarts = restartsOf(seen.pods)
  const kustomizations = seen.flux.filter(
    ({ kind, source }) => kind === 'Kustomization' && source?.kind === 'GitRepository',
  )
  const reasons = [
    ...seen.unread.map(because('unknown')),
    ...kustomizations.flatMap(ofKustomization),
    ...seen.flux.filter(({ kind }) => kind === 'HelmRelease').flatMap(ofHelmRelease),
    ...seen.nodes.flatMap(ofNode),
    ...ofRestarts(restarts, restartsBefore, restartLimit),
    ...seen.gates.flatMap(ofGate),
  ]
  return {
    sample: { at, ...revisionOf(kustomizations), reasons: [...reasons, ...unsettled(kustomizations)] },
    restarts,
  }
}

const because =
  (kind: ReasonKind) =>
  (detail: string): Reason => ({ kind, detail })

/** What is held is somebody's own business, and keeps its revision. */
function commitsOf(kustomizations: FluxView[]): Set<string | undefined> {
  return new Set(kustomizations.filter(({ hold }) => hold === null).map(({ revision }) => commitOf(revision)))
}

function revisionOf(kustomizations: FluxView[]): { revision: string | null } {
  const commits = commitsOf(kustomizations)
  const [only] = commits
  return { revision: commits.size === 1 ? (only ?? null) : null }
}

function unsettled(kustomizations: FluxView[]): Reason[] {
  if (kustomizations.length === 0) return [because('unknown')('no Kustomization of Flux is made from git')]
  const commits = [...commitsOf(kustomizations)]
  if (commits.length <= 1) return []
  const names = commits.map((commit) => commit?.slice(0, 9) ?? 'none').join(', ')
  return [because('settling')(`Kustomizations have applied different commits: ${names}`)]
}

function ofKustomization(view: FluxView): Reason[] {
  const { state, suspended, hold, message } = view
  const name = `Kustomization ${nameOf(view)}`
  if (suspended) return hold ? [] : [because('kustomization')(`${name} is suspended, and nobody says why`)]
  if (state === 'failed')
    return [because('kustomization')(`${name} is not Ready: ${message ?? view.reason ?? 'failed'}`)]
  return state === 'ready' ? [] : [because('settling')(`${name}: ${message ?? state}`)]
}

function ofHelmRelease(view: FluxView): Reason[] {
  const { state, suspended, remediation, message } = view
  const name = `HelmRelease ${nameOf(view)}`
  // A rollback leaves it Ready or not: what Git asks for does not run either way.
  if (remediation !== null) return [because('helmrelease')(`${name}: ${remediation}`)]
  if (suspended) return []
  if (state === 'failed') return [because('helmrelease')(`${name} is not Ready: ${message ?? view.reason ?? 'failed'}`)]
  return state === 'ready' ? [] : [because('settling')(`${name}: ${message ?? state}`)]
}

function ofNode({ metadata, status }: KubeObject): Reason[] {
  const ready = ((status?.conditions ?? []) as Condition[]).find(({ type }) => type === 'Ready')
  if (ready?.status === 'True') return []
  return [because('node')(`Node ${metadata.name} is not Ready${ready?.reason ? `: ${ready.reason}` : ''}`)]
}

function restartsOf(pods: KubeObject[]): Restarts {
  const counted = pods.map(({ metadata, status }): [string, number] => {
    const containers = (status?.containerStatuses ?? []) as { restartCount?: number }[]
    const count = containers.reduce((sum, { restartCount = 0 }) => sum + restartCount, 0)
    return [`${metadata.namespace}/${metadata.name}`, count]
  })
  return Object.fromEntries(counted.filter(([, count]) => count > 0).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

/** A pod of that name with fewer restarts than before is a new one. Without a look before there is nothing to compare with. */
function ofRestarts(now: Restarts, before: Restarts | undefined, limit: number): Reason[] {
  if (before === undefined) return []
  const fresh = Object.entries(now)
    .map(([pod, count]) => ({ pod, count: count - ((before[pod] ?? 0) <= count ? (before[pod] ?? 0) : 0) }))
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => b.count - a.count)
  const total = fresh.reduce((sum, { count }) => sum + count, 0)
  if (total < limit) return []
  const named = fresh.slice(0, 3).map(({ pod, count }) => `${pod} ${count} x`)
  return [because('restarts')(`${total} restarts of containers since the last look: ${named.join(', ')}`)]
}

function ofGate({ check, verdict }: SeenCluster['gates'][number]): Reason[] {
  if (verdict.status === 'pass') return []
  const detail = `${check.gate}: ${verdict.detail}`
  // Controllers at work on something is no verdict on the commit.
  if (verdict.status === 'unknown' || verdict.settling)
    return [because(verdict.settling ? 'settling' : 'unknown')(detail)]
  return [because(check.gate === 'alerts-quiet' ? 'alert' : 'gate')(detail)]
}
