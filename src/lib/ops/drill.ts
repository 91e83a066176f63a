/**
 * `backup verify`: a backup is proven by restoring it into a namespace that is thrown away, and starting the application on it. However that
 * ends, it is written down on the cluster and everything is removed.
 */
import { GateError } from '../errors.ts'
import type { DrillLimits } from '../gates/drill-outcome.ts'
import {
  applyAllArgs,
  applyRecordArgs,
  deleteNamespaceArgs,
  drillName,
  getDrillArgs,
  getNamespaceArgs,
} from '../tools/drill-record.args.ts'
import { copyArgs, destinationArgs, drillAppArgs, drillNamespaceArgs, drillRecordArgs } from '../tools/filters.args.ts'
import { applyInArgs, getObjectInArgs, getSourceArgs, type Workload } from '../tools/kubectl-volsync.args.ts'
import type { Basis, Check, Command, Plan, Step } from '../types.ts'
import { backupRunbook } from './backup-status.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import type { HoldPlace } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'
import type { SourceView } from './volsync-view.ts'

export const drillOperation = 'backup.verify'

/** One drill at a time on a cluster: a namespace that is there when one begins belongs to nobody who is alive. */
export const drillLock = 'drill'

export const drillNamespaceName = ({ namespace, name }: { namespace: string; name: string }): string =>
  `drill-${namespace}-${name}`.slice(0, 63).replace(/-+$/, '')

export interface DrillOf {
  source: SourceView
  /** Whose image is started on it. */
  workload: Workload
  /** Declared on the source: a command in place of the application's own readiness. */
  check?: string
  /** Of the claim, `20Gi`. */
  size: string
  newest?: { snapshot: string; bytes: number }
}

export interface DrillInput extends HoldPlace {
  drills: DrillOf[]
  token: string
  /** When it begins (RFC 3339). */
  at: string
  limits: DrillLimits
  /** Namespaces that drills before have left. */
  strays: string[]
}

/** What a drill needs is decided by a drill's own limits, not by the step's. */
const spareSec = 120

export function planDrills(input: DrillInput, basis: Basis): Plan {
  const { cluster, token, drills, limits, strays } = input
  const params = { token, apps: drills.map(({ source }) => `${source.namespace}/${source.name}`), ...limits, strays }
  const head = { operation: drillOperation, cluster: cluster.name, params, scope: drillLock }
  return planOf(head, basis, [
    ...removeSteps(input, strays, []),
    ...drills.flatMap((drill) => drillSteps(input, drill)),
    // Last of all: that one is not proven keeps no other from being tried.
    ...drills.map(({ source }) => verdictStep(source, token)),
  ])
}

/**
 * `backup verify --abort`.
 * @throws GateError when there is nothing to remove
 */
export function planDrillAbort({ strays, ...place }: HoldPlace & { strays: string[] }, basis: Basis): Plan {
  if (strays.length === 0)
    throw new GateError('no drill has left anything', { next: 'k8sops backup status', runbook: backupRunbook })
  const head = { operation: 'backup.verify-abort', cluster: place.cluster.name, params: { strays }, scope: drillLock }
  return planOf(head, basis, removeSteps(place, strays, []))
}

function drillSteps(input: DrillInput, { source, workload, check: command, size, newest }: DrillOf): Step[] {
  const { cluster, target, token, at, limits } = input
  const { context } = target
  const app = `${source.namespace}/${source.name}`
  const namespace = drillNamespaceName(source)
  const recorded = check('drill-recorded', { app, token })
  const slots = { namespace, token, restoreSec: String(limits.restoreSec) }
  const step = (verb: string, title: string, pipeline: Command[], done: Check, timeoutSec = 60): Step => ({
    id: `${source.namespace}.${source.name}/${verb}`,
    title,
    unless: [done],
    orUnless: [recorded],
    verify: [done],
    action: { kind: 'exec', pipeline, retry: whileApiIsAway(cluster.endpoint) },
    interrupt: 'now',
    timeoutSec,
    runbook: backupRunbook,
  })
  const copied = (kind: string, name: string, as: string) => [
    getObjectInArgs(context, kind, { namespace: source.namespace, name }),
    copyArgs({ namespace, name: as }),
    applyInArgs(context, namespace),
  ]
  const secret = { namespace, name: 'drill-repository' }
  const what = command === undefined ? 'until it is Ready' : 'for its declared check'
  const answered = check('drill-answered', { ...slots, readySec: String(limits.readySec) })
  return [
    withBindings(
      step(
        'namespace',
        `Make namespace ${namespace}: with a quota, and nothing in it may send or receive`,
        [
          getNamespaceArgs(context, source.namespace),
          drillNamespaceArgs(namespace, token, size),
          applyAllArgs(context),
        ],
        check('drill-namespace-present', { namespace, token }),
      ),
    ),
    step(
      'secret',
      'Lend it the keys of the repository',
      copied('secrets', source.repository, secret.name),
      check('secret-present', { ...secret, keys: 'RESTIC_REPOSITORY,RESTIC_PASSWORD' }),
    ),
    step(
      'claim',
      `Make a claim in it, as large as ${source.namespace}/${source.claim}`,
      copied('persistentvolumeclaims', source.claim, source.claim),
      check('claim-present', { namespace, name: source.claim }),
    ),
    step(
      'restore',
      `Restore the newest snapshot of ${app} into it`,
      [
        getSourceArgs(context, { namespace: source.namespace, name: source.name }),
        destinationArgs(drillName, token, { previous: 0 }, secret),
        applyInArgs(context, namespace),
      ],
      check('drill-restored', slots),
      limits.restoreSec + spareSec,
    ),
    step(
      'start',
      `Start the image of ${workload.kind} ${workload.namespace}/${workload.name} on it, ${what}`,
      [
        getObjectInArgs(context, `${workload.kind.toLowerCase()}s.apps`, workload),
        drillAppArgs({ namespace, claim: source.claim, ...(command === undefined ? {} : { check: command }) }),
        applyInArgs(context, namespace),
      ],
      answered,
      limits.readySec + spareSec,
    ),
    {
      ...step(
        'record',
        'Write down on the cluster how it went, how much and how long',
        [
          getDrillArgs(context, namespace),
          drillRecordArgs({ app, token, at, limits, ...(newest ? { newest } : {}) }),
          applyRecordArgs(context, app),
        ],
        recorded,
      ),
      require: [answered],
    },
    ...removeSteps(input, [namespace], [recorded]),
  ]
}

/** The API server learns of a RoleBinding a moment after it was made. */
const withBindings = (step: Step): Step => {
  if (step.action.kind !== 'exec' || !step.action.retry) return step
  const { retry } = step.action
  return { ...step, action: { ...step.action, retry: { ...retry, while: [...retry.while, 'forbidden: User'] } } }
}

const verdictStep = ({ namespace, name }: SourceView, token: string): Step => ({
  id: `${namespace}.${name}/verdict`,
  title: `See whether the backup of ${namespace}/${name} is proven`,
  action: { kind: 'wait' },
  verify: [check('drill-proven', { app: `${namespace}/${name}`, token })],
  interrupt: 'now',
  finding: true,
  timeoutSec: 60,
  runbook: backupRunbook,
})

function removeSteps({ cluster, target }: HoldPlace, namespaces: string[], require: Check[]): Step[] {
  return namespaces.map((namespace): Step => {
    const gone = [check('namespaces-absent', { names: namespace })]
    return {
      id: `${namespace}/${require.length > 0 ? 'remove' : 'sweep'}`,
      title: `Remove namespace ${namespace}, with everything in it`,
      unless: gone,
      require,
      verify: gone,
      interrupt: 'now',
      timeoutSec: 900,
      runbook: backupRunbook,
      action: {
        kind: 'exec',
        pipeline: [deleteNamespaceArgs(target.context, namespace)],
        retry: whileApiIsAway(cluster.endpoint),
      },
    }
  })
}
