/** Plans of the rollout. Pure: what was observed and decided goes in, steps come out. */
import { firstToken, type RecordPlace } from '../../tools/kubectl-rollout.args.ts'
import type { Basis, Json, Plan, RolloutPolicy, Step } from '../../types.ts'
import { planOf } from '../machine-plan.ts'
import { statementOf } from './attestation.ts'
import type { RolloutClusters } from './branches.ts'
import { withoutDetails } from './evidence.ts'
import { type Promotion, type RolloutRecord, recordName, type StoredRecord } from './record.ts'
import { attestSteps, createRecordStep, finishStep, liveSteps, moveStep, recordStep, untouchedStep } from './steps.ts'

/** One at a time, whatever the command: all of them write the record. */
const scope = 'rollout'
/** How long the later clusters get to be Ready on a commit (s). */
export const liveLimitSec = 30 * 60

export interface RolloutBase {
  /** kube context of the first cluster. */
  context: string
  clusters: RolloutClusters
  policy: RolloutPolicy
  timeScale: number
  stored: StoredRecord
  /** Of this write, `rollout.tick/20261130T1000Z-3f9c`. */
  token: string
  basis: Basis
}

export interface Advance {
  operation: string
  params: { [name: string]: Json }
  /** What the look was, for the step that records it. */
  title: string
  /** With this look in it. */
  record: RolloutRecord
  /** To be begun, or begun before and not through. */
  promotion: Promotion | null
  /** The release is not where the record left it, and does not follow from there. */
  forced: boolean
}

/** Records a look, and moves the release if there is something to move it to; goes on with what was begun before. */
export function planAdvance(base: RolloutBase, { operation, params, title, record, promotion, forced }: Advance): Plan {
  const { clusters, stored, token, basis } = base
  const place = placeOf(base)
  const begun: RolloutRecord = { ...record, promotion }
  const write = { before: stored.exists ? stored.token : firstToken, token, record: begun }
  const steps = [
    ...(stored.exists ? [] : [createRecordStep(place)]),
    recordStep(place, write, title),
    ...(promotion ? promotionSteps(base, promotion, begun) : []),
    ...(forced && record.release ? [untouchedStep(clusters.release, record.release)] : []),
  ]
  return planOf({ operation, cluster: clusters.first.name, params, scope }, basis, steps)
}

function promotionSteps(base: RolloutBase, promotion: Promotion, record: RolloutRecord): Step[] {
  const { clusters, policy, timeScale, token } = base
  const later = clusters.later.map(({ name }) => name)
  const move = { branch: clusters.release, from: promotion.from, to: promotion.to }
  const statement = statementOf({
    promotion,
    clusters: { first: clusters.first.name, later },
    policy,
    timeScale,
    stretches: record.stretches.map(withoutDetails),
  })
  return [
    moveStep(move, token),
    ...liveSteps(later, promotion.to, liveLimitSec),
    ...attestSteps(statement),
    finishStep(placeOf(base), { before: token, token: `${token}/done`, record }),
  ]
}

export const placeOf = ({ context }: Pick<RolloutBase, 'context'>): RecordPlace => ({ context, ...recordName })
