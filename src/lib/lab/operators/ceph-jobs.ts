/**
 * Ceph as its own client would find it, for the Jobs of `ceph osd remove` and `ceph expand`, and Rook's Job that purges an OSD (rook v1.19.4,
 * pkg/daemon/ceph/osd/remove.go). It answers while a monitor runs, whatever Rook's operator does.
 */
import { cephJobKeys } from '../../tools/ceph-job.args.ts'
import type { KubeObject } from '../../types.ts'
import { type ClusterView, matches } from '../kube/cluster-view.ts'
import { now } from '../kube/conditions.ts'
import type { Lab } from '../types.ts'
import { cephMap } from './ceph-map.ts'
import { type Operator, startOperator } from './operator.ts'

const askAgainMs = 500
export const diskBytes = 2e12

/** How a look of a container ends: well, or it is started again. */
type Answer = { ended: boolean; message: string }

export function startCephJobs(lab: Lab, view: ClusterView): Operator {
  const map = cephMap(lab)
  const operator = startOperator(lab, view, {
    name: 'ceph',
    pod: { app: 'rook-ceph-mon' },
    kinds: [{ apiVersion: 'v1', kind: 'Pod', labelSelector: cephJobKeys.verb, reconcile }],
  })
  const deployments = operator.follow({ apiVersion: 'apps/v1', kind: 'Deployment', labelSelector: 'app=rook-ceph-osd' })
  const unsubscribe = lab.faults.onChange(() => operator.again())

  async function reconcile(pod: KubeObject): Promise<number | undefined> {
    if (pod.status?.phase !== 'Running' || pod.metadata.deletionTimestamp) return undefined
    const { ended, message } = await answer(pod)
    await view.writer().patchStatus(pod, ended ? succeeded(pod, message) : again(pod, message))
    return ended ? undefined : askAgainMs
  }

  async function answer({ metadata }: KubeObject): Promise<Answer> {
    const { namespace = '', labels = {} } = metadata
    const id = (labels[cephJobKeys.subject] ?? '').replace('osd-', '')
    const done = { ended: true, message: '' }
    switch (labels[cephJobKeys.verb]) {
      case 'ask':
        return { ended: true, message: answerOf(namespace, id) }
      case 'drain':
        if (!map.out.has(id)) {
          map.out.add(id)
          map.moved()
        }
        return moving(`OSD(s) ${id} have PG pgs currently mapped to them.`)
      case 'settle':
        return moving('PG active+remapped+backfilling')
      case 'back':
        if (map.out.delete(id)) map.moved()
        return done
      case 'purge':
        return purge(namespace, id)
      case 'gone':
        return osdOf(namespace, id) ? { ended: false, message: `said=osd.${id} is still in Ceph's map` } : done
      default:
        return done
    }
  }

  const osdOf = (namespace: string, id: string) =>
    deployments.list.find((one) => matches(one, { 'ceph-osd-id': id }, namespace))
  const isUp = (namespace: string, id: string) =>
    view.runningPods().some((pod) => matches(pod, { app: 'rook-ceph-osd', ceph_daemon_id: id }, namespace))

  function answerOf(namespace: string, id: string): string {
    const others = deployments.list.filter((one) => matches(one, {}, namespace))
    const down = others.filter(
      ({ metadata }) =>
        metadata.labels?.['ceph-osd-id'] !== id && !isUp(namespace, metadata.labels?.['ceph-osd-id'] ?? ''),
    )
    const needed = down.length > 0 || lab.faults.active('ceph-osd-needed') !== undefined
    const said = needed ? 'Error EBUSY: unsafe to stop osd(s) at this time (12 PGs are or would become offline)' : ''
    return [`stop=${needed ? 16 : 0}`, `bytes=${diskBytes}`, `said=${said}`].join('\n')
  }

  function moving(what: string): Answer {
    const { left, since } = map.progress()
    if (left === 0) return { ended: true, message: '' }
    const text = what.replace('PG', String(left))
    return { ended: false, message: `since=${Math.floor(since / 1000)}\nsaid=${text}` }
  }

  /** Of an OSD that is up it would do nothing; of one whose data are not elsewhere it waits for ever. */
  async function purge(namespace: string, id: string): Promise<Answer> {
    const osd = osdOf(namespace, id)
    if (!osd) return { ended: true, message: '' }
    if (isUp(namespace, id) || map.progress().left > 0) return { ended: false, message: '' }
    const { metadata, spec } = osd
    const { template } = spec as { template?: { spec?: { nodeSelector?: Record<string, string> } } }
    const node = template?.spec?.nodeSelector?.['kubernetes.io/hostname'] ?? ''
    map.left.add(node)
    map.hosts.delete(node)
    map.out.delete(id)
    await view.writer().remove({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, name: metadata.name })
    return { ended: false, message: '' }
  }

  return {
    ...operator,
    stop() {
      unsubscribe()
      operator.stop()
    },
  }
}

interface ContainerStatus {
  name: string
  restartCount?: number
  lastState?: { terminated?: { message?: string } }
}

const statuses = ({ status }: KubeObject) => (status?.containerStatuses ?? []) as ContainerStatus[]
const terminated = (exitCode: number, message: string) => ({
  terminated: {
    exitCode,
    reason: exitCode === 0 ? 'Completed' : 'Error',
    message,
    startedAt: now(),
    finishedAt: now(),
  },
})

const succeeded = (pod: KubeObject, message: string) => ({
  phase: 'Succeeded',
  conditions: ['Ready', 'ContainersReady'].map((type) => ({
    type,
    status: 'False',
    reason: 'PodCompleted',
    lastTransitionTime: now(),
  })),
  containerStatuses: statuses(pod).map((one) => ({
    ...one,
    ready: false,
    started: false,
    state: terminated(0, message),
  })),
})

/** The container has ended without finding what it waits for, and runs again. */
const again = (pod: KubeObject, message: string) => ({
  containerStatuses: statuses(pod).map((one) =>
    message === '' || one.lastState?.terminated?.message === message
      ? one
      : { ...one, restartCount: (one.restartCount ?? 0) + 1, lastState: terminated(1, message) },
  ),
})
