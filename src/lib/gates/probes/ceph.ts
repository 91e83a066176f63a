/** Probes of what Jobs have found out of Ceph, of the nodes that Rook looks at, and of the disks there. */
import type { Condition, KubeObject, KubePort, Result, TalosPort, Verdict } from '../../types.ts'
import { asksFor, messageLines, osdAnswer, reasonsToKeep } from '../ceph-osds.ts'
import { oneLine } from '../conditions.ts'
import type { Probe } from '../evaluate.ts'
import { listOf } from '../fill.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'
import { waiting } from './backups.ts'

type CephProbe = 'ceph-disk-clear' | 'ceph-job-done' | 'ceph-node-unasked' | 'ceph-osd-expendable'

/** The operator looks once a minute; as in gate ceph-healthy. */
const staleMs = 180_000

export function cephProbes({ now }: GatePorts, kube: KubePort, talos: TalosPort): Record<CephProbe, Probe> {
  const rook = 'ceph.rook.io/v1'

  /** What the containers of a Job's pods have said last, newest pod first. */
  const messagesOf = async (namespace: string, job: string, signal: AbortSignal): Promise<Result<string[]>> => {
    const labelSelector = `batch.kubernetes.io/job-name=${job}`
    const read = await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace, labelSelector }, signal)
    if (!read.ok) return read
    const newest = read.value.toSorted((a, b) => created(b) - created(a))
    return { ok: true, value: newest.flatMap(lastMessage) }
  }
  const cephIn = async (namespace: string, signal: AbortSignal): Promise<Result<KubeObject>> => {
    const read = await kube.list({ apiVersion: rook, kind: 'CephCluster', namespace }, signal)
    if (!read.ok) return read
    const [cluster] = read.value
    return cluster
      ? { ok: true, value: cluster }
      : { ok: false, why: 'not-found', detail: `no CephCluster is in ${namespace}` }
  }

  return {
    async 'ceph-job-done'({ namespace = '', job = '', stallSec = '' }, signal): Promise<Verdict> {
      const [read, messages] = await Promise.all([
        kube.list({ apiVersion: 'batch/v1', kind: 'Job', namespace, name: job }, signal),
        messagesOf(namespace, job, signal),
      ])
      if (!read.ok || !messages.ok) return unreadable(...[read, messages].filter((one) => !one.ok))
      const [found] = read.value
      if (!found) return waiting(`there is no Job ${namespace}/${job}`)
      const [said = ''] = messages.value
      if (holds(found, 'Complete')) return { status: 'pass', detail: `Job ${job} is through` }
      const { since, said: left = '' } = messageLines(said)
      if (holds(found, 'Failed'))
        return { ...waiting(`Job ${job} has failed: ${oneLine(left || said) || 'it said nothing'}`), final: true }
      const stillMs = now() - Number(since) * 1000
      if (stallSec !== '' && stillMs > Number(stallSec) * 1000)
        return {
          ...waiting(`nothing has moved for ${Math.round(stillMs / 1000)} s: ${oneLine(left)}`),
          final: true,
        }
      return waiting(left ? oneLine(left) : `Job ${job} is under way`)
    },

    async 'ceph-osd-expendable'({ namespace = '', osd = '', job = '', tolerate = '' }, signal): Promise<Verdict> {
      const [cluster, pools, osds, messages] = await Promise.all([
        cephIn(namespace, signal),
        kube.list({ apiVersion: rook, kind: 'CephBlockPool', namespace }, signal),
        kube.list({ apiVersion: 'apps/v1', kind: 'Deployment', namespace, labelSelector: 'app=rook-ceph-osd' }, signal),
        messagesOf(namespace, job, signal),
      ])
      if (!cluster.ok || !pools.ok || !osds.ok || !messages.ok)
        return unreadable(...[cluster, pools, osds, messages].filter((one) => !one.ok))
      const { lastChecked } = (cluster.value.status?.ceph ?? {}) as { lastChecked?: string }
      if (!(now() - Date.parse(lastChecked ?? '') <= staleMs))
        return waiting('Rook has not asked Ceph of late; its operator or the monitors are away')
      const answer = messages.value.map(osdAnswer).find((one) => one !== undefined)
      if (!answer) return waiting(`Job ${job} has not answered`)
      const without = { cluster: cluster.value, pools: pools.value, osds: osds.value }
      const reasons = reasonsToKeep({ osd, ...without, answer, tolerate: listOf(tolerate) })
      if (reasons.length === 0) return { status: 'pass', detail: `Ceph can make everything again without osd.${osd}` }
      return { status: 'fail', detail: reasons.join('; '), waitingFor: reasons, final: true }
    },

    async 'ceph-node-unasked'({ namespace = '', node = '' }, signal): Promise<Verdict> {
      const cluster = await cephIn(namespace, signal)
      if (!cluster.ok) return unreadable(cluster)
      if (asksFor(cluster.value, node)) return waiting(`CephCluster ${namespace} asks for the disks of ${node}`)
      return { status: 'pass', detail: `CephCluster ${namespace} does not ask for disks of ${node}` }
    },

    async 'ceph-disk-clear'({ node = '', device = '' }, signal): Promise<Verdict> {
      const read = await talos.get(node, 'discoveredvolumes', undefined, signal)
      if (!read.ok) return unreadable(read)
      // A machine shows at least what it has booted from.
      if (read.value.length === 0) return waiting(`${node} shows no disks`)
      const found = read.value.find(({ metadata }) => metadata.id === device)
      if (found?.spec.name === 'bluestore') return waiting(`disk ${device} of ${node} holds an OSD`)
      return { status: 'pass', detail: `disk ${device} of ${node} ${found ? 'holds no OSD' : 'is not there'}` }
    },
  }
}

const created = ({ metadata }: KubeObject): number => Date.parse(metadata.creationTimestamp ?? '') || 0

const holds = ({ status }: KubeObject, type: string): boolean =>
  ((status?.conditions ?? []) as Condition[]).some((one) => one.type === type && one.status === 'True')

interface Ended {
  terminated?: { message?: string }
}

/** Of the container that has ended last; of init containers, when one keeps the others from beginning. */
function lastMessage({ status = {} }: KubeObject): string[] {
  const { containerStatuses = [], initContainerStatuses = [] } = status as Record<
    'containerStatuses' | 'initContainerStatuses',
    { state?: Ended; lastState?: Ended }[] | undefined
  >
  return [...containerStatuses, ...initContainerStatuses].flatMap(({ state, lastState }) => {
    const message = state?.terminated?.message ?? lastState?.terminated?.message
    return message ? [message] : []
  })
}
