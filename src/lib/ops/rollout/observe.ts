/** Reads the first cluster, the record on it, and git: everything that a decision is made from. */
import type { Git } from '../../config/source.ts'
import { UnreachableError } from '../../errors.ts'
import type { Check, KubeObject, KubePort, Result, RolloutPolicy, Verdict } from '../../types.ts'
import { observeFlux } from '../flux-observe.ts'
import { isExpired, shortTime } from '../hold.ts'
import { type Branches, containment, isAncestor, observeBranches, type RolloutClusters } from './branches.ts'
import { type Decision, decide } from './decide.ts'
import { recordName, type StoredRecord, storedRecord } from './record.ts'
import type { SeenCluster } from './sample.ts'

/** @throws UnreachableError when the first cluster does not tell */
export async function observeRecord(kube: KubePort, cluster: string, signal: AbortSignal): Promise<StoredRecord> {
  const read = await kube.list({ apiVersion: 'v1', kind: 'ConfigMap', ...recordName }, signal)
  if (read.ok) return storedRecord(read.value[0])
  if (read.why === 'not-found') return storedRecord(undefined)
  throw new UnreachableError(`the rollout's record on ${cluster} can't be read`, {
    output: read.detail,
    next: `k8sops doctor --cluster ${cluster}`,
  })
}

/** What can't be read is said to be so, and makes the look no evidence. */
export async function observeCluster(
  kube: KubePort,
  checks: Check[],
  evaluate: (checks: Check[]) => Promise<Verdict[]>,
  signal: AbortSignal,
): Promise<SeenCluster> {
  const [flux, nodes, pods, verdicts] = await Promise.all([
    observeFlux(kube, signal, ['Kustomization', 'HelmRelease']),
    kube.list({ apiVersion: 'v1', kind: 'Node' }, signal, reducedNode),
    kube.list({ apiVersion: 'v1', kind: 'Pod' }, signal, reducedPod),
    evaluate(checks),
  ])
  const unread: string[] = []
  const read = <T>(what: string, result: Result<T[]>): T[] => {
    if (result.ok) return result.value
    unread.push(`${what}: ${result.detail}`)
    return []
  }
  return {
    flux: read('Flux', flux),
    nodes: read<KubeObject>('nodes', nodes),
    pods: read<KubeObject>('pods', pods),
    gates: checks.map((check, index) => ({
      check,
      verdict: verdicts[index] ?? { status: 'unknown', detail: 'not asked' },
    })),
    unread,
  }
}

const reducedNode = ({ apiVersion, kind, metadata: { name }, status }: KubeObject): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name },
  status: { conditions: status?.conditions },
})

function reducedPod({ apiVersion, kind, metadata: { name, namespace = '' }, status }: KubeObject): KubeObject {
  const containers = (status?.containerStatuses ?? []) as { restartCount?: number }[]
  const containerStatuses = containers.map(({ restartCount = 0 }) => ({ restartCount }))
  return { apiVersion, kind, metadata: { name, namespace }, status: { containerStatuses } }
}

export interface Observed {
  branches: Branches
  stored: StoredRecord
  /** What keeps everything, one line each. */
  blocked: string[]
  /** The release is ahead of where the record has it, and goes on from there: a person has moved it. */
  movedAhead: boolean
  /** It does not even follow from there. */
  forced: boolean
  /** What was held until a time that has passed. */
  holdOver: boolean
}

export interface ObserveRequest {
  git: Git
  clusters: RolloutClusters
  policy: RolloutPolicy
  kube: KubePort
  signal: AbortSignal
  /** Milliseconds since 1970. */
  now: number
}

export async function observeRollout({ git, clusters, policy, kube, signal, now }: ObserveRequest): Promise<Observed> {
  const [branches, stored] = await Promise.all([
    observeBranches(git, clusters, policy),
    observeRecord(kube, clusters.first.name, signal),
  ])
  const { record, hold } = stored
  const expected = record.promotion && branches.release === record.promotion.to ? record.promotion.to : record.release
  const moved = expected !== null && expected !== branches.release
  const movedAhead = moved && (await isAncestor(git, expected, branches.release))
  const { promotion } = record
  return {
    branches,
    stored,
    movedAhead,
    forced: moved && !movedAhead,
    holdOver: hold !== undefined && isExpired(hold, now),
    blocked: [
      ...(moved && !movedAhead
        ? [
            `${clusters.release} was moved by force: from ${short(expected)} to ${short(branches.release)}, which does not contain it`,
          ]
        : []),
      ...(branches.lacking.length > 0
        ? [`${clusters.main} lacks what is on ${clusters.release}: ${branches.lacking.slice(0, 3).join('; ')}`]
        : []),
      ...(promotion && branches.release === promotion.to
        ? [
            `${clusters.later.map(({ name }) => name).join(', ')} is not known to be Ready on ${short(promotion.to)} yet`,
          ]
        : []),
      ...(hold && !isExpired(hold, now)
        ? [`held by ${hold.owner}${hold.until ? ` until ${shortTime(hold.until, now)}` : ''}: ${hold.reason ?? ''}`]
        : []),
    ],
  }
}

/** @param stretches the record's, or those with one more look */
export async function decided(
  { git, policy }: Pick<ObserveRequest, 'git' | 'policy'>,
  { branches, blocked }: Pick<Observed, 'branches' | 'blocked'>,
  stretches: StoredRecord['record']['stretches'],
  timeScale: number,
): Promise<Decision> {
  const contains = await containment(
    git,
    stretches.map(({ revision }) => revision),
    branches.release,
  )
  return decide({ waiting: branches.waiting, stretches, policy, timeScale, contains, blocked })
}

export const short = (sha: string): string => sha.slice(0, 9)
