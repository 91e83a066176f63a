/** Probes of restore drills. */
import { drillName, drillRecords, recordKey } from '../../tools/drill-record.args.ts'
import type { KubeObject, KubePort, Verdict } from '../../types.ts'
import { type DrillOutcome, drillOutcome, restoreOutcome } from '../drill-outcome.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'
import { waiting } from './backups.ts'

type DrillProbe = 'drill-answered' | 'drill-proven' | 'drill-recorded' | 'drill-restored'

export function drillProbes({ now }: GatePorts, kube: KubePort): Record<DrillProbe, Probe> {
  const read = (apiVersion: string, kind: string, namespace: string, signal: AbortSignal) =>
    kube.list({ apiVersion, kind, namespace, name: drillName }, signal)
  const destinations = (namespace: string, signal: AbortSignal) =>
    read('volsync.backube/v1alpha1', 'ReplicationDestination', namespace, signal)

  const recorded = async (app: string, token: string, signal: AbortSignal): Promise<Verdict & { ok?: boolean }> => {
    const listed = await kube.list({ apiVersion: 'v1', kind: 'ConfigMap', ...drillRecords }, signal)
    if (!listed.ok) return unreadable(listed)
    const text = listed.value[0]?.data?.[recordKey(app)]
    const record = text === undefined ? undefined : parsed(text)
    if (record?.token !== token) return waiting(`no result of drill ${token} is written down`)
    return { status: 'pass', detail: `${record.result}: ${record.detail}`, ok: record.result === 'ok' }
  }

  return {
    async 'drill-restored'({ namespace = '', token = '', restoreSec = '' }, signal): Promise<Verdict> {
      const listed = await destinations(namespace, signal)
      if (!listed.ok) return unreadable(listed)
      const outcome = restoreOutcome(listed.value[0], token, { restoreSec: Number(restoreSec) }, now())
      return outcome.restored ? { status: 'pass', detail: `restored in ${outcome.restoreSec} s` } : verdictOf(outcome)
    },

    async 'drill-answered'({ namespace = '', token = '', restoreSec = '', readySec = '' }, signal): Promise<Verdict> {
      const [restores, pods, jobs] = await Promise.all([
        destinations(namespace, signal),
        read('v1', 'Pod', namespace, signal),
        read('batch/v1', 'Job', namespace, signal),
      ])
      if (!restores.ok || !pods.ok || !jobs.ok) return unreadable(...[restores, pods, jobs].filter((one) => !one.ok))
      const app: KubeObject | undefined = jobs.value[0] ?? pods.value[0]
      const limits = { restoreSec: Number(restoreSec), readySec: Number(readySec) }
      return verdictOf(drillOutcome(restores.value[0], app, token, limits, now()))
    },

    'drill-recorded': ({ app = '', token = '' }, signal) => recorded(app, token, signal),

    async 'drill-proven'({ app = '', token = '' }, signal): Promise<Verdict> {
      const { ok, ...verdict } = await recorded(app, token, signal)
      if (verdict.status !== 'pass' || ok) return verdict
      return { ...waiting(`the backup of ${app} is not proven: ${verdict.detail}`), final: true }
    },
  }
}

const verdictOf = ({ result, detail }: DrillOutcome): Verdict =>
  result === undefined ? waiting(detail) : { status: 'pass', detail: `${result}: ${detail}` }

function parsed(text: string): { token?: string; result?: string; detail?: string } | undefined {
  try {
    return JSON.parse(text) as { token?: string }
  } catch {
    return undefined
  }
}
