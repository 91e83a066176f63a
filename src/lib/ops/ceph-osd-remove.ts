/**
 * `ceph osd remove`: an OSD leaves for good. Ceph is asked first whether it can do without it, and says itself when its data are elsewhere; only then
 * it is stopped and purged, by Rook's own Job. Rook's operator stands still for the purge and until the disk can't become the same OSD again
 * (rook v1.19, ceph-osd-mgmt.md); what is held stands on the objects, so that it can be brought back from any machine.
 */
import { GateError } from '../errors.ts'
import { type CephJob, type CephJobVerb, cephJobName, deleteCephJobArgs, osdSubject } from '../tools/ceph-job.args.ts'
import type { HoldNote } from '../tools/kubectl-hold.args.ts'
import type { Workload } from '../tools/kubectl-volsync.args.ts'
import { wipeDiskArgs } from '../tools/talosctl-node.args.ts'
import type { Basis, Check, Plan, Step, Target } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import { cephJobStep, cephLock, common, deleteJobsStep, healthyStep, type OsdLimits } from './ceph-job-steps.ts'
import { cephRunbook } from './ceph-maintenance.ts'
import type { HoldableView } from './flux-choice.ts'
import { type HoldPlace, heldByOthers, holdSteps, readySteps, releaseSteps } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'
import { heldBy, idleStep, parkStep, unparkStep } from './parked-workloads.ts'
import type { Parked } from './volsync-view.ts'

export const osdRemoveOperation = 'ceph.osd.remove'

/** An OSD as the cluster has it. */
export interface OsdPlace {
  /** Its number, which Rook gives to the next one once it is gone. */
  id: string
  /** Of its Deployment: which one is meant. */
  uid: string
  namespace: string
  node: string
  /** Failure domain as Rook labels it. */
  host: string
  deployment: Workload
}

export interface OsdDisk {
  /** Of the machine, which is dialled. */
  address: string
  /** As its resource is called, `nvme1n1`. */
  device: string
  /** By us; otherwise it is waited for until somebody has pulled or wiped it. */
  wipe: boolean
}

export interface OsdRemoveInput extends HoldPlace {
  target: Pick<Target, 'context' | 'talosconfig'>
  osd: OsdPlace
  /** Rook's. */
  operator: Workload
  /** HelmRelease of the operator; none where it is not Flux that installs it. */
  releases: HoldableView[]
  note: HoldNote
  /** Undefined: the CephCluster does not ask for the node's disks any more, and the disk stays as it is. */
  disk: OsdDisk | undefined
  limits: OsdLimits
}

/**
 * Everything up to the purge is done once that has happened: a run that goes on afterwards takes nothing out once more.
 * @throws GateError for what somebody else holds
 */
export function planOsdRemove(input: OsdRemoveInput, basis: Basis): Plan {
  const { cluster, osd, operator, note, disk, limits } = input
  const foreign = input.releases.filter(({ hold }) => hold !== null && hold.owner !== note.owner)
  if (foreign.length > 0) throw heldByOthers(foreign)
  const releases = input.releases.filter(({ suspended, suspendInGit }) => !suspended && suspendInGit !== true)
  const purged = purgedCheck(osd)
  // From there on whatever has the number, and the disk, is another one.
  const over = [purged, check('workload-unparked', { ...slotsOf(operator), by: note.id })]
  const before = (steps: Step[]): Step[] => steps.map((step) => ({ ...step, orUnless: [purged] }))
  const parked = (workload: Workload) => check('workload-parked', { ...slotsOf(workload), by: note.id })
  const params = {
    osd: osdName(osd),
    node: osd.node,
    token: note.id,
    reason: note.reason,
    by: note.owner,
    until: note.until,
    disk: disk ? `${disk.device} of ${osd.node}` : null,
    wipe: disk?.wipe === true,
  }
  const head = { operation: osdRemoveOperation, cluster: cluster.name, params, scope: cephLock }
  return planOf(head, basis, [
    ...before([
      // Both were answered before that, and look otherwise in the middle of it.
      ...askSteps(input).map((step) => ({
        ...step,
        unless: [check('ceph-job-begun', { namespace: osd.namespace, job: jobName(input, 'drain') })],
      })),
    ]),
    forgetAskStep(input),
    ...before([
      ...holdSteps(input, releases),
      jobStep(input, 'drain', `Mark ${osdName(osd)} out, and wait until Ceph says that it is safe to destroy`, {
        timeoutSec: limits.rebalanceSec,
        stallSec: limits.stallSec,
      }),
      ours(parkStep(input, operator, note.id)),
      ours(idleStep(operator, podsSec)),
      ours(parkStep(input, osd.deployment, note.id)),
      ours(idleStep(osd.deployment, podsSec)),
    ]),
    {
      ...jobStep(input, 'purge', `Purge ${osdName(osd)}: what its disk holds is lost`, { timeoutSec: 1800 }),
      unless: [purged],
      // A purge of something else, or of an OSD whose data are not elsewhere, is what all the rest is there to prevent.
      require: [jobDone(input, 'drain'), parked(operator), parked(osd.deployment)],
      verify: [purged],
      interrupt: 'after',
    },
    { ...jobStep(input, 'gone', `See that Ceph has no ${osdName(osd)} any more`, { timeoutSec: 600 }), orUnless: over },
    disk ? { ...diskStep(input, disk, [purged, parked(operator)]), orUnless: over } : unaskedStep(osd),
    ours(unparkStep(input, { by: note.id, workload: operator })),
    ...releaseSteps(input, releases.map(heldBy(note)), 'release'),
    ...readySteps(releases, podsSec),
    healthyStep(input, operator, limits.settleSec),
    deleteJobsStep(input, osd.namespace, osdSubject(osd.id)),
  ])
}

export interface OsdAbortInput extends HoldPlace {
  osd: OsdPlace
  operator: Workload
  token: string
  /** What the removal has scaled to 0. */
  parked: Parked[]
  held: HoldableView[]
  /** Its Deployment is there: it comes back. Otherwise it is purged, and only what was held comes back. */
  whole: boolean
  settleSec: number
}

/** `ceph osd remove --abort`: everything that the removal holds comes back, and the OSD with it as long as it was not purged. */
export function planOsdAbort(input: OsdAbortInput, basis: Basis): Plan {
  const { cluster, osd, operator, parked, held, whole, token, settleSec } = input
  const subject = osdSubject(osd.id)
  const params = { osd: osdName(osd), of: token, comesBack: whole }
  const head = { operation: 'ceph.osd.abort', cluster: cluster.name, params, scope: cephLock }
  const name = cephJobName({ namespace: osd.namespace, subject, verb: 'back', token })
  return planOf(head, basis, [
    // What still waits for its data to leave would take it out again.
    {
      ...deleteJobsStep(input, osd.namespace, subject),
      orUnless: [check('ceph-job-done', { namespace: osd.namespace, job: name, stallSec: '' })],
    },
    ...(whole ? [jobStep(input, 'back', `Mark ${osdName(osd)} in again`, { timeoutSec: 300 })] : []),
    ...parked.map((one) => ours(unparkStep(input, one))),
    ...releaseSteps(input, held, 'release'),
    ...(whole
      ? [
          {
            ...common(`${osdName(osd)}/return`, `Wait until ${osdName(osd)} runs`, podsSec),
            action: { kind: 'wait' as const },
            verify: [check('ceph-osds-running', { namespace: osd.namespace, host: osd.host })],
          },
        ]
      : []),
    ...(parked.some(({ workload }) => workload.name === operator.name) ? readySteps(held, podsSec) : []),
    healthyStep(input, operator, settleSec),
    { ...deleteJobsStep(input, osd.namespace, subject), id: `${subject}/sweep` },
  ])
}

export const osdName = ({ id }: Pick<OsdPlace, 'id'>): string => `osd.${id}`

const podsSec = 900

const purgedCheck = ({ namespace, id, uid }: OsdPlace): Check => check('ceph-osd-purged', { namespace, osd: id, uid })
const slotsOf = ({ kind, namespace, name }: Workload) => ({ kind, namespace, name })

const ours = (step: Step): Step => ({ ...step, runbook: cephRunbook })

interface JobsOf extends HoldPlace {
  osd: OsdPlace
  operator: Workload
}

type Tokened = JobsOf & ({ note: HoldNote } | { token: string })

const jobOf = (input: Tokened, verb: CephJobVerb): CephJob => ({
  namespace: input.osd.namespace,
  subject: osdSubject(input.osd.id),
  verb,
  osd: input.osd.id,
  token: 'note' in input ? input.note.id : input.token,
})
const jobName = (input: Tokened, verb: CephJobVerb): string => cephJobName(jobOf(input, verb))
const jobDone = (input: Tokened, verb: CephJobVerb, stallSec = ''): Check =>
  check('ceph-job-done', { namespace: input.osd.namespace, job: jobName(input, verb), stallSec })

const jobStep = (
  input: Tokened,
  verb: CephJobVerb,
  title: string,
  limits: { timeoutSec: number; stallSec?: number },
): Step => cephJobStep(input, input.operator, jobOf(input, verb), `${osdName(input.osd)}/${verb}`, title, limits)

const askSteps = (input: OsdRemoveInput): Step[] => [
  jobStep(input, 'ask', `Ask Ceph whether it can do without ${osdName(input.osd)}`, { timeoutSec: 300 }),
  {
    ...common(`${osdName(input.osd)}/expendable`, 'See whether Ceph can make everything again without it', 240),
    action: { kind: 'wait' },
    verify: [
      check('ceph-osd-expendable', {
        namespace: input.osd.namespace,
        osd: input.osd.id,
        job: jobName(input, 'ask'),
        tolerate: input.cluster.gates.ceph.tolerate.join(','),
      }),
    ],
    finding: true,
  },
]

/** Also when the answer was no: then it is all that the run has made. */
function forgetAskStep(input: OsdRemoveInput): Step {
  const { cluster, target, osd } = input
  const job = jobName(input, 'ask')
  const gone = [check('ceph-job-absent', { namespace: osd.namespace, job })]
  return {
    ...common(`${osdName(osd)}/asked`, 'Delete the Job that has asked', 120),
    unless: gone,
    action: {
      kind: 'exec',
      pipeline: [deleteCephJobArgs(target.context, osd.namespace, job)],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: gone,
    always: true,
  }
}

/**
 * It still carries what makes it the OSD that is gone.
 * @param require for a wipe: of an OSD that runs, or that may have come since, nothing is wiped
 */
function diskStep({ target, osd }: OsdRemoveInput, { address, device, wipe }: OsdDisk, require: Check[]): Step {
  const clear = [check('ceph-disk-clear', { node: address, device })]
  if (!wipe)
    return {
      ...common(`${osd.node}/disk`, `Wait until disk ${device} of ${osd.node} is pulled, or wiped`, 86_400),
      action: { kind: 'wait' },
      verify: clear,
    }
  return {
    ...common(`${osd.node}/disk`, `Wipe disk ${device} of ${osd.node}`, 600),
    unless: clear,
    require,
    action: { kind: 'exec', pipeline: [wipeDiskArgs(target.talosconfig, address, device)] },
    verify: clear,
    interrupt: 'after',
  }
}

const unaskedStep = ({ namespace, node }: OsdPlace): Step => ({
  ...common(`${node}/unasked`, `See that Rook does not look for disks on ${node}`, 300),
  action: { kind: 'wait' },
  verify: [check('ceph-node-unasked', { namespace, node })],
})

/** @throws GateError when the purge has begun: it comes to its end by itself, or not at all */
export function refuseAbort({ whole, purging }: { whole: boolean; purging: boolean }, osd: OsdPlace): void {
  if (!whole || !purging) return
  throw new GateError(`${osdName(osd)} is being purged, and can't come back`, {
    next: `kubectl -n ${osd.namespace} get jobs,pods -l app=rook-ceph-purge-osd; then k8sops run resume, or --abort once more`,
    runbook: cephRunbook,
  })
}
