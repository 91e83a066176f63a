/**
 * What is known of the rollout, kept where every machine sees it: a ConfigMap on the first cluster. `token` changes with each write, so that
 * a writer who has not seen the last one is refused by the API server.
 */
import { GateError } from '../../errors.ts'
import type { Json, KubeObject } from '../../types.ts'
import { type Hold, holdOf } from '../hold.ts'
import type { Stretch } from './evidence.ts'
import type { Restarts } from './sample.ts'

export const rolloutRunbook = 'docs/runbooks/rollout.md'
export const recordName = { namespace: 'flux-system', name: 'k8sops-rollout' } as const

/** Why a commit went on: it has soaked; somebody could not wait; it was made on the release itself. */
export type PromotionKind = 'soaked' | 'override' | 'hotfix' | 'rollback'

export interface Promotion {
  kind: PromotionKind
  from: string
  to: string
  /** RFC 3339; when the branch was about to be moved. */
  at: string
  /** `user@host` */
  by: string
  reason: string | null
  /** What had not soaked, one line each; empty for what had. */
  unsoaked: string[]
}

export interface RolloutRecord {
  /** Where the release was left, or first seen. */
  release: string | null
  stretches: Stretch[]
  /** At the last look. */
  restarts: Restarts | null
  /** Begun, and not seen to its end. */
  promotion: Promotion | null
}

export interface StoredRecord {
  record: RolloutRecord
  /** Of the last write; empty before the first one. */
  token: string
  hold: Hold | undefined
  exists: boolean
}

export const emptyRecord: RolloutRecord = { release: null, stretches: [], restarts: null, promotion: null }

/**
 * @param object undefined when there is none yet
 * @throws GateError for one that can't be read: to begin anew without saying so would lose what was earned, and a hold
 */
export function storedRecord(object: KubeObject | undefined): StoredRecord {
  if (!object) return { record: emptyRecord, token: '', hold: undefined, exists: false }
  const { token = '', record: text } = object.data ?? {}
  return { record: text ? parsed(text) : emptyRecord, token, hold: holdOf(object), exists: true }
}

function parsed(text: string): RolloutRecord {
  try {
    const { release, stretches, restarts, promotion } = JSON.parse(text) as Partial<RolloutRecord>
    if (Array.isArray(stretches))
      return { release: release ?? null, stretches, restarts: restarts ?? null, promotion: promotion ?? null }
  } catch {
    // Said below.
  }
  throw new GateError("the rollout's record can't be read", {
    output: `ConfigMap ${recordName.namespace}/${recordName.name}: ${text.slice(0, 200)}`,
    next: `kubectl -n ${recordName.namespace} delete configmap ${recordName.name} begins it anew: every commit soaks again`,
    runbook: rolloutRunbook,
  })
}

export const recordText = (record: RolloutRecord): string => JSON.stringify(record)

/** The promotion that is under way has come to its end; what it was stays on the commit, as its attestation. */
export function finished(record: RolloutRecord): RolloutRecord {
  const { promotion } = record
  return promotion ? { ...record, release: promotion.to, promotion: null } : record
}

export const promotionFields = (promotion: Promotion): { [key: string]: Json } => ({ ...promotion })
