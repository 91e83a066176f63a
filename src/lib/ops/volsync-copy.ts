/**
 * `volsync restore --to`: what a repository has comes into a new claim of another namespace, beside the application, which goes on. Nothing is
 * overwritten. The keys of the repository are in that namespace for as long as it takes.
 */
import { copyArgs, destinationArgs, type RestoreChoice } from '../tools/filters.args.ts'
import {
  applyInArgs,
  deleteDestinationArgs,
  deleteSecretArgs,
  getObjectInArgs,
  getSourceArgs,
  noteClaimArgs,
  type Place,
} from '../tools/kubectl-volsync.args.ts'
import type { Basis, Check, Command, Plan, Step } from '../types.ts'
import { backupRunbook } from './backup-status.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldPlace } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'
import { choiceText, destinationOf } from './volsync-restore.ts'
import { syncedCheck } from './volsync-sync.ts'
import type { SourceView } from './volsync-view.ts'

export interface CopyInput extends HoldPlace {
  source: SourceView
  /** Namespace that the claim is made in, under the name that it has at home. */
  to: string
  choice: RestoreChoice
  token: string
  expectSec: number | undefined
  limitSec: number
}

export const copyOperation = 'volsync.copy'

export function planCopy(input: CopyInput, basis: Basis): Plan {
  const { cluster, target, source, to, choice, token, expectSec, limitSec } = input
  const from: Place = { namespace: source.namespace, name: source.name }
  const secret: Place = { namespace: to, name: `${destinationOf(from).name}-repository` }
  const destination: Place = { namespace: to, name: destinationOf(from).name }
  const claim: Place = { namespace: to, name: source.claim }
  const { context } = target
  const synced = syncedCheck('ReplicationDestination', destination, token, String(expectSec ?? ''))
  const noted = check('claim-restored', { ...claim, token })
  const id = `${to}.${source.claim}`
  const step = (verb: string, title: string, pipeline: Command[], done: Check, more: Partial<Step> = {}): Step => ({
    id: `${id}/${verb}`,
    title,
    unless: [done],
    verify: [done],
    interrupt: 'now',
    timeoutSec: 60,
    action: { kind: 'exec', pipeline, retry: whileApiIsAway(cluster.endpoint) },
    runbook: backupRunbook,
    ...more,
  })
  // A run that goes on must not write once more what was written.
  const before = { orUnless: [noted] }
  const copied = (kind: string, name: string, place: Place) => [
    getObjectInArgs(context, kind, { namespace: source.namespace, name }),
    copyArgs(place),
    applyInArgs(context, to),
  ]
  const params = { source: `${from.namespace}/${from.name}`, claim: source.claim, to, token }
  const head = { operation: copyOperation, cluster: cluster.name, scope: `namespace/${to}` }
  return planOf({ ...head, params: { ...params, at: choice.at ?? null, previous: choice.previous } }, basis, [
    step(
      'secret',
      `Lend namespace ${to} the keys of the repository`,
      copied('secrets', source.repository, secret),
      check('secret-present', { ...secret, keys: 'RESTIC_REPOSITORY,RESTIC_PASSWORD' }),
      before,
    ),
    step(
      'claim',
      `Make claim ${to}/${claim.name}, as large as ${from.namespace}/${source.claim}`,
      copied('persistentvolumeclaims', source.claim, claim),
      check('claim-present', { ...claim }),
      before,
    ),
    step(
      'restore',
      `Fill it with ${choiceText(choice)} of ${from.namespace}/${source.claim}`,
      [
        getSourceArgs(context, from),
        destinationArgs(destination.name, token, choice, secret),
        applyInArgs(context, to),
      ],
      synced,
      { ...before, timeoutSec: limitSec },
    ),
    step('note', 'Write on it what it holds', [noteClaimArgs(context, claim, token)], noted),
    step(
      'end',
      `Delete ReplicationDestination ${to}/${destination.name}`,
      [deleteDestinationArgs(context, destination)],
      check('volsync-destination-absent', { ...destination }),
    ),
    step(
      'forget',
      `Take the keys of the repository from namespace ${to}`,
      [deleteSecretArgs(context, secret)],
      check('secret-absent', { ...secret }),
    ),
  ])
}
