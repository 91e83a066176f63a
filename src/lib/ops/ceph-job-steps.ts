/** Steps that `ceph osd remove` and `ceph expand` have in common. */
import { type CephJob, cephJobArgs, cephJobName, deleteCephJobsArgs } from '../tools/ceph-job.args.ts'
import { applyInArgs, getObjectInArgs, type Workload } from '../tools/kubectl-volsync.args.ts'
import type { Check, Step } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import { cephHealthy, cephRunbook } from './ceph-maintenance.ts'
import type { HoldPlace } from './flux-hold.ts'

/** One change of Ceph's map at a time. */
export const cephLock = 'ceph'

export interface OsdLimits {
  rebalanceSec: number
  /** So long nothing has to move until the run gives up. */
  stallSec: number
  settleSec: number
}

export const common = (id: string, title: string, timeoutSec: number) => ({
  id,
  title,
  verify: [] as Check[],
  interrupt: 'now' as const,
  timeoutSec,
  runbook: cephRunbook,
})

/** Starts a Job unless it is through, and waits for it. Applied once more it stays as it is. */
export function cephJobStep(
  { cluster, target }: HoldPlace,
  operator: Workload,
  job: CephJob,
  id: string,
  title: string,
  { timeoutSec, stallSec }: { timeoutSec: number; stallSec?: number },
): Step {
  const done = check('ceph-job-done', {
    namespace: job.namespace,
    job: cephJobName(job),
    stallSec: String(stallSec ?? ''),
  })
  return {
    ...common(id, title, timeoutSec),
    unless: [done],
    action: {
      kind: 'exec',
      pipeline: [
        getObjectInArgs(target.context, 'deployments.apps', operator),
        cephJobArgs(job),
        applyInArgs(target.context, job.namespace),
      ],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: [done],
  }
}

export function deleteJobsStep({ cluster, target }: HoldPlace, namespace: string, subject: string): Step {
  const gone = [check('ceph-jobs-absent', { namespace, subject })]
  return {
    ...common(`${subject}/tidy`, `Delete the Jobs of ${subject}`, 300),
    unless: gone,
    action: {
      kind: 'exec',
      pipeline: [deleteCephJobsArgs(target.context, namespace, subject)],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: gone,
  }
}

/** Rook looks once a minute: what it saw before it stood still is not what Ceph is now. */
const settledSec = 120

export const healthyStep = ({ cluster }: HoldPlace, operator: Workload, timeoutSec: number): Step => ({
  ...common('ceph/healthy', 'Wait until Ceph is well', timeoutSec),
  action: { kind: 'wait' },
  verify: [
    check('workload-ready', { kind: operator.kind, namespace: operator.namespace, name: operator.name }),
    ...cephHealthy(cluster).map((one) => ({ ...one, stableSec: settledSec })),
  ],
})
