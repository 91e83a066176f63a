/** Plans of the rollout. Pure: what was observed and decided goes in, steps come out. */
import type { HoldNote } from '../../tools/kubectl-hold.args.ts'
import { firstToken, type RecordPlace } from '../../tools/kubectl-rollout.args.ts'
import type { Basis, Json, Plan, RolloutPolicy, Step } from '../../types.ts'
import { planOf } from '../machine-plan.ts'
import { statementOf } from './attestation.ts'
import type { RolloutClusters } from './branches.ts'
import { withoutDetails } from './evidence.ts'
import { type Promotion, type RolloutRecord, recordName, type StoredRecord } from './record.ts'
import {
  attestSteps,
  branchStep,
  checkStep,
  createRecordStep,
  finishStep,
  holdStep,
  liveSteps,
  moveStep,
  recordStep,
  unholdStep,
  untouchedStep,
} from './steps.ts'

/** One at a time, whatever the command: all of them write the record. */
const scope = 'rollout'
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
  /** How long the later clusters get to be Ready on a commit (s). */
  liveLimitSec: number
  /** `owner/name`, where the remote is at GitHub and there is a token. */
  github?: string
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
  /** A hold whose time is up ends with it. */
  endHold?: boolean
  /** What a landing that was cut off has left to do. */
  takeBack?: Landing['takeBack']
}

/** Records a look, and moves the release if there is something to move it to; goes on with what was begun before. */
export function planAdvance(
  base: RolloutBase,
  { operation, params, title, record, promotion, forced, endHold = false, takeBack = null }: Advance,
): Plan {
  const { clusters } = base
  const begun: RolloutRecord = { ...record, promotion }
  const steps = [
    ...createdFirst(base),
    ...(endHold ? [unholdStep(placeOf(base))] : []),
    recordStep(placeOf(base), writeOf(base, begun), title),
    ...(promotion ? promotionSteps(base, promotion, begun, takeBackSteps(base, takeBack)) : []),
    ...(forced && record.release ? [untouchedStep(clusters.release, record.release)] : []),
  ]
  return planOf({ operation, cluster: clusters.first.name, params, scope }, base.basis, steps)
}

export interface Landing {
  operation: string
  params: { [name: string]: Json }
  promotion: Promotion
  /** What main goes on to, so that it has what was released; null where that is left to a person. */
  takeBack: { from: string; to: string } | null
}

/** Moves the release to a commit that was made on it, and has main take that in. */
export function planLanding(base: RolloutBase, { operation, params, promotion, takeBack }: Landing): Plan {
  const { clusters, stored } = base
  const begun: RolloutRecord = { ...stored.record, release: promotion.from, promotion }
  const title = `Record that ${clusters.release} is to be moved`
  const steps = [
    ...createdFirst(base),
    recordStep(placeOf(base), writeOf(base, begun), title),
    ...promotionSteps(base, promotion, begun, takeBackSteps(base, takeBack)),
  ]
  return planOf({ operation, cluster: clusters.first.name, params, scope }, base.basis, steps)
}

export interface Hold {
  operation: 'rollout.hold' | 'rollout.unhold'
  /** null: the hold ends. */
  note: HoldNote | null
}

/** Nothing is let go while it is held, but for hotfixes and roll-backs; looks go on. */
export function planHold(base: RolloutBase, { operation, note }: Hold): Plan {
  const place = placeOf(base)
  const steps = note ? [...createdFirst(base), holdStep(place, note)] : [unholdStep(place)]
  const params = note ? { reason: note.reason, until: note.until } : {}
  return planOf({ operation, cluster: base.clusters.first.name, params, scope }, base.basis, steps)
}

/** `k8sops rollout hotfix start`: a branch at the commit that the later clusters run. */
export function planBranch(base: RolloutBase, branch: string, commit: string): Plan {
  const params = { branch, commit }
  const head = { operation: 'rollout.hotfix.start', cluster: base.clusters.first.name, params, scope }
  return planOf(head, base.basis, [branchStep(branch, commit)])
}

const takeBackSteps = ({ clusters }: RolloutBase, takeBack: Landing['takeBack']): Step[] =>
  takeBack ? [moveStep({ branch: clusters.main, ...takeBack }, undefined, 'main/push')] : []

const createdFirst = (base: RolloutBase): Step[] => (base.stored.exists ? [] : [createRecordStep(placeOf(base))])

const writeOf = ({ stored, token }: RolloutBase, record: RolloutRecord) => ({
  before: stored.exists ? stored.token : firstToken,
  token,
  record,
})

/** @param beside what goes on once the release has been moved, before it is waited for */
function promotionSteps(base: RolloutBase, promotion: Promotion, record: RolloutRecord, beside: Step[]): Step[] {
  const { clusters, policy, timeScale, token, liveLimitSec } = base
  const later = clusters.later.map(({ name }) => name)
  const move = { branch: clusters.release, from: promotion.from, to: promotion.to }
  const statement = statementOf({
    promotion,
    clusters: { first: clusters.first.name, later },
    policy,
    timeScale,
    stretches: record.stretches.map(withoutDetails),
  })
  // What was made on the release itself goes there also while it is held: that is what it is held for.
  const freely = promotion.kind === 'hotfix' || promotion.kind === 'rollback'
  return [
    moveStep(move, { token, freely }),
    ...beside,
    ...liveSteps(later, promotion.to, liveLimitSec),
    ...attestSteps(statement),
    finishStep(placeOf(base), { before: token, token: `${token}/done`, record }),
    // Last: whatever GitHub says to it, the rollout itself is through.
    ...(base.github ? [checkStep(base.github, statement)] : []),
  ]
}

export const placeOf = ({ context }: Pick<RolloutBase, 'context'>): RecordPlace => ({ context, ...recordName })
