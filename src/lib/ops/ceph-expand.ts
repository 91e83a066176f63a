/** `ceph expand`: Rook makes OSDs of new disks, and Ceph moves data onto them. */
import { type CephJob, restartOperatorArgs } from '../tools/ceph-job.args.ts'
import type { Workload } from '../tools/kubectl-volsync.args.ts'
import type { Basis, Plan, Step } from '../types.ts'
import { check, whileApiIsAway } from './bootstrap-input.ts'
import { cephJobStep, cephLock, deleteJobsStep, healthyStep, type OsdLimits } from './ceph-job-steps.ts'
import { cephHealthy, cephRunbook } from './ceph-maintenance.ts'
import type { HoldPlace } from './flux-hold.ts'
import { planOf } from './machine-plan.ts'

export const expandOperation = 'ceph.expand'

export interface ExpandInput extends HoldPlace {
  /** Of the CephCluster. */
  namespace: string
  operator: Workload
  nodes: string[]
  /** How many OSDs each of them has in the end. */
  osds: number
  token: string
  limits: OsdLimits & { makeSec: number }
}

/** The edit of Git has reached the CephCluster already. */
export function planExpand(input: ExpandInput, basis: Basis): Plan {
  const { cluster, target, namespace, operator, nodes, osds, token, limits } = input
  const params = { nodes, osds, token }
  const made = nodes.map((node) => check('ceph-node-osds', { namespace, node, count: String(osds) }))
  const job: CephJob = { namespace, subject: 'expand', verb: 'settle', token }
  const make: Step = {
    id: 'osds/make',
    title: `Let Rook look for disks, until ${nodes.join(', ')} ${nodes.length > 1 ? 'have' : 'has'} ${osds} OSD${osds > 1 ? 's' : ''}${nodes.length > 1 ? ' each' : ''}`,
    unless: made,
    require: cephHealthy(cluster),
    action: {
      kind: 'exec',
      pipeline: [restartOperatorArgs(target.context, operator)],
      retry: whileApiIsAway(cluster.endpoint),
    },
    verify: made,
    interrupt: 'now',
    timeoutSec: limits.makeSec,
    runbook: cephRunbook,
  }
  const title = 'Wait until Ceph has moved its data, and every placement group is whole'
  return planOf({ operation: expandOperation, cluster: cluster.name, params, scope: cephLock }, basis, [
    make,
    cephJobStep(input, operator, job, 'ceph/settle', title, {
      timeoutSec: limits.rebalanceSec,
      stallSec: limits.stallSec,
    }),
    healthyStep(input, operator, limits.settleSec),
    deleteJobsStep(input, namespace, 'expand'),
  ])
}
