/** The steps that plans of the rollout are made of. */
import { postCheckArgs, stampArgs } from '../../tools/filters.args.ts'
import { addNoteArgs, pushBranchArgs, pushNotesArgs } from '../../tools/git.args.ts'
import type { HoldNote } from '../../tools/kubectl-hold.args.ts'
import {
  createRecordArgs,
  holdRecordArgs,
  patchRecordArgs,
  type RecordPlace,
  recordPatch,
} from '../../tools/kubectl-rollout.args.ts'
import type { Command, Step } from '../../types.ts'
import { check } from '../bootstrap-input.ts'
import type { Statement } from './attestation.ts'
import { notesRef, remote } from './branches.ts'
import { finished, type RolloutRecord, recordText, rolloutRunbook } from './record.ts'

const runbook = rolloutRunbook
const short = (sha: string) => sha.slice(0, 9)

export function createRecordStep(place: RecordPlace): Step {
  const present = check('rollout-record-present')
  return writing('record/create', "Make the rollout's record", [createRecordArgs(place)], [present], [present])
}

export interface RecordWrite {
  /** The token that must stand there. */
  before: string
  token: string
  record: RolloutRecord
}

/** @param title says what the look was */
export function recordStep(place: RecordPlace, { before, token, record }: RecordWrite, title: string): Step {
  const done = check('rollout-recorded', { token })
  const patch = recordPatch(before, token, recordText(record))
  return {
    ...writing('record/write', title, [patchRecordArgs(place, patch)], [done], [done]),
    require: [check('rollout-unwritten', { token: before })],
  }
}

/** The record, with the promotion that is under way at its end. */
export function finishStep(place: RecordPlace, { before, token, record }: RecordWrite): Step {
  const done = check('rollout-recorded', { token })
  const patch = recordPatch(before, token, recordText(finished(record)))
  return writing('record/finish', 'Record that it is through', [patchRecordArgs(place, patch)], [done], [done])
}

export interface Move {
  branch: string
  from: string
  to: string
}

export interface MoveRule {
  /** Must still stand in the record: nobody has decided anything else meanwhile. */
  token: string
  /** Also while it is held. */
  freely: boolean
}

export function moveStep({ branch, from, to }: Move, rule: MoveRule | undefined, id = 'release/push'): Step {
  const there = check('branch-at', { branch, commit: to })
  return {
    id,
    title: `Move ${branch} forward from ${short(from)} to ${short(to)}`,
    unless: [there],
    require: [
      check('branch-advances', { branch, from, to }),
      ...(rule ? [check('rollout-unwritten', { token: rule.token })] : []),
      ...(rule && !rule.freely ? [check('rollout-not-held')] : []),
    ],
    action: { kind: 'exec', pipeline: [pushBranchArgs(remote, to, branch)] },
    verify: [there],
    interrupt: 'after',
    timeoutSec: 120,
    runbook,
  }
}

export function branchStep(branch: string, commit: string): Step {
  const there = [check('branch-at', { branch, commit })]
  return writing(
    'branch/push',
    `Make branch ${branch} at ${short(commit)}`,
    [pushBranchArgs(remote, commit, branch)],
    there,
    there,
  )
}

export function holdStep(place: RecordPlace, note: HoldNote): Step {
  const held = [check('rollout-held', { hold: note.id })]
  return writing('hold/write', `Hold the rollout until ${note.until}`, [holdRecordArgs(place, note)], held, held)
}

export function unholdStep(place: RecordPlace): Step {
  const free = [check('rollout-not-held')]
  return writing('hold/end', 'End the hold of the rollout', [holdRecordArgs(place, null)], free, free)
}

/** Fails the run: somebody has to look. */
export function untouchedStep(branch: string, commit: string): Step {
  return {
    id: 'release/untouched',
    title: `${branch} still contains ${short(commit)}, where the rollout left it`,
    action: { kind: 'wait' },
    verify: [check('branch-at', { branch, commit })],
    interrupt: 'now',
    timeoutSec: 5,
    runbook,
  }
}

/** @param limitSec for each of the clusters, all at once */
export function liveSteps(clusters: string[], commit: string, limitSec: number): Step[] {
  return clusters.map((cluster) => ({
    id: `${cluster}/live`,
    title: `Wait until ${cluster} is Ready on ${short(commit)}`,
    action: { kind: 'wait' as const },
    verify: [check('commit-live', { cluster, commit })],
    interrupt: 'now' as const,
    timeoutSec: limitSec,
    group: 'live',
    runbook,
  }))
}

export function attestSteps(statement: Statement): Step[] {
  const { promotion, digest } = statement.predicate
  const kept = (where: 'local' | 'remote') => [check('attested', { commit: promotion.to, digest, where })]
  const note = [stampArgs(JSON.stringify(statement)), addNoteArgs(notesRef, promotion.to)]
  return [
    writing('attestation/write', `Attest ${short(promotion.to)}`, note, kept('local'), kept('local')),
    writing(
      'attestation/push',
      'Send the attestation',
      [pushNotesArgs(remote, notesRef)],
      kept('remote'),
      kept('remote'),
    ),
  ]
}

/** The attestation as a check on the commit, for those who look there. */
export function checkStep(repository: string, { predicate: { promotion, clusters, digest } }: Statement): Step {
  const { to: commit, kind, by, reason, unsoaked } = promotion
  const title = `${kind} on ${clusters.first}, Ready on ${clusters.later.join(', ')}`
  const summary = [
    `Released by ${by}${reason ? `: ${reason}` : ''}.`,
    ...unsoaked.map((line) => `- had not soaked: ${line}`),
    `k8sops rollout verify ${commit}`,
  ].join('\n')
  const shown = [check('check-on-commit', { repository, commit, id: digest })]
  return writing(
    'check/post',
    `Show it on ${short(commit)} at GitHub`,
    [postCheckArgs({ repository, commit, id: digest, title, summary })],
    shown,
    shown,
  )
}

function writing(id: string, title: string, pipeline: Command[], unless: Step['verify'], verify: Step['verify']): Step {
  return { id, title, unless, action: { kind: 'exec', pipeline }, verify, interrupt: 'after', timeoutSec: 60, runbook }
}
