/** What `ceph osd remove` and `ceph expand` look at: Ceph, its OSDs, Rook's operator, and what an earlier removal has left. */
import type { CommandContext } from '../../lib/cli/define.ts'
import { GateError, UnreachableError, UsageError } from '../../lib/errors.ts'
import { osdIdOf, osdNodeOf } from '../../lib/gates/ceph-osds.ts'
import { cephRunbook } from '../../lib/ops/ceph-maintenance.ts'
import { type OsdPlace, osdRemoveOperation } from '../../lib/ops/ceph-osd-remove.ts'
import { cephKinds } from '../../lib/ops/ceph-status.ts'
import { type HoldableView, isHoldable } from '../../lib/ops/flux-choice.ts'
import { nameOf } from '../../lib/ops/flux-view.ts'
import { fluxOwner, type Parked, parkedView, workloadView } from '../../lib/ops/volsync-view.ts'
import { cephJobKeys, osdSubject } from '../../lib/tools/ceph-job.args.ts'
import type { Workload } from '../../lib/tools/kubectl-volsync.args.ts'
import type { Cluster, KubeObject, ObjectRef, Target } from '../../lib/types.ts'
import { observeHoldable } from '../flux/holding.ts'

export interface SeenCeph {
  cluster: Cluster
  target: Target
  ceph: KubeObject
  namespace: string
  pools: KubeObject[]
  osds: KubeObject[]
  operator: Workload
  /** Of Flux: what installs the operator. */
  releases: HoldableView[]
  /** What removals have scaled to 0. */
  parked: Parked[]
  /** Jobs of removals. */
  jobs: KubeObject[]
}

/** @throws UnreachableError when the cluster does not tell, GateError where there is no CephCluster or no operator */
export async function observeCephOsds(context: CommandContext): Promise<SeenCeph> {
  const [{ cluster, target, views }, kube] = await Promise.all([observeHoldable(context), context.kube()])
  const read = async (ref: ObjectRef): Promise<KubeObject[]> => {
    const listed = await kube.list(ref, context.signal)
    if (listed.ok) return listed.value
    if (listed.why === 'not-found') return []
    throw new UnreachableError(`Ceph of ${cluster.name} can't be read`, { output: listed.detail })
  }
  const [clusters, pools, osds, operators, jobs] = await Promise.all([
    read(cephKinds.clusters),
    read({ apiVersion: 'ceph.rook.io/v1', kind: 'CephBlockPool' }),
    read(cephKinds.osds),
    read({ apiVersion: 'apps/v1', kind: 'Deployment', labelSelector: 'app=rook-ceph-operator' }),
    read({ apiVersion: 'batch/v1', kind: 'Job', labelSelector: cephJobKeys.subject }),
  ])
  const [ceph] = clusters
  const [operator] = operators
  if (!ceph || !operator)
    throw new GateError(`${cluster.name} has no ${ceph ? "operator of Rook's" : 'CephCluster'}`, {
      runbook: cephRunbook,
    })
  const namespace = ceph.metadata.namespace ?? ''
  const here = ({ metadata }: KubeObject) => metadata.namespace === namespace
  const release = fluxOwner(operator.metadata.labels ?? {}, 'helm')
  return {
    cluster,
    target,
    ceph,
    namespace,
    pools: pools.filter(here),
    osds: osds.filter(here),
    jobs: jobs.filter(here),
    operator: workloadView('Deployment', operator),
    releases: views.filter(isHoldable).filter((view) => view.kind === 'HelmRelease' && nameOf(view) === release),
    parked: [operator, ...osds.filter(here)]
      .flatMap((object) => parkedView('Deployment', object) ?? [])
      .filter(({ by }) => by.startsWith(`${osdRemoveOperation}/`)),
  }
}

/** `3` for `3` and `osd.3`. @throws UsageError for anything else */
export function osdNumber(text: string): string {
  const [, id] = /^(?:osd\.)?(\d+)$/.exec(text) ?? []
  if (id === undefined)
    throw new UsageError(`${text} is no OSD`, { next: 'give its number, as in osd.3: k8sops ceph status' })
  return id
}

/** @throws UsageError when Rook has no such OSD, GateError for one whose node is not known */
export function osdPlace({ osds, namespace }: SeenCeph, id: string): OsdPlace {
  const found = osds.find((one) => osdIdOf(one) === id)
  if (!found)
    throw new UsageError(`Rook has no osd.${id}`, {
      next: `there are: ${osds.map((one) => `osd.${osdIdOf(one)} on ${osdNodeOf(one)}`).join(', ')}`,
    })
  const node = osdNodeOf(found)
  if (node === '')
    throw new GateError(`osd.${id} is bound to no node: it is on a claim`, {
      next: 'lower the count of its storageClassDeviceSet in Git, then by hand: docs/runbooks/rook-ceph-cluster.md',
      runbook: cephRunbook,
    })
  const host = found.metadata.labels?.['topology-location-host'] ?? node
  return { id, uid: found.metadata.uid ?? '', namespace, node, host, deployment: workloadView('Deployment', found) }
}

/** By which removal something is left of this OSD, or of the operator: the id of that. */
export function unfinished(
  { parked, jobs, releases }: SeenCeph,
  id: string,
): { token: string; left: string[] } | undefined {
  const own = jobs.filter(({ metadata }) => metadata.labels?.[cephJobKeys.subject] === osdSubject(id))
  const held = releases.filter(({ hold }) => hold?.id.startsWith(`${osdRemoveOperation}/`))
  const tokens = [
    ...parked.map(({ by }) => by),
    ...held.flatMap(({ hold }) => hold?.id ?? []),
    ...own.flatMap(({ metadata }) => metadata.annotations?.[cephJobKeys.by] ?? []),
  ]
  const [token] = tokens
  if (token === undefined) return undefined
  return {
    token,
    left: [
      ...parked.map(({ workload }) => `Deployment ${workload.namespace}/${workload.name} is at 0`),
      ...held.map((view) => `HelmRelease ${nameOf(view)} is suspended`),
      ...own.map(({ metadata }) => `Job ${metadata.namespace}/${metadata.name} is there`),
    ],
  }
}
