/** Probes of how far a test of the network has come, and of what it found. */
import {
  type ConnectivityPart,
  connectivityParts,
  connectivityRecord,
  probeNamespace,
  recordedParts,
} from '../../tools/connectivity-record.args.ts'
import type { KubePort, Verdict } from '../../types.ts'
import type { Probe } from '../evaluate.ts'
import type { GatePorts } from '../ports.ts'
import { unreadable } from '../unreadable.ts'

type ConnectivityProbe = 'connectivity-not-failed' | 'connectivity-recorded' | 'probes-answered'

export function connectivityProbes({ now }: GatePorts, kube: KubePort): Record<ConnectivityProbe, Probe> {
  const readRecord = (signal: AbortSignal) =>
    kube.list({ apiVersion: 'v1', kind: 'ConfigMap', ...connectivityRecord }, signal)

  return {
    async 'probes-answered'({ token = '', seconds = '0' }, signal): Promise<Verdict> {
      const read = await kube.list({ apiVersion: 'v1', kind: 'Pod', namespace: probeNamespace }, signal)
      if (!read.ok) return unreadable(read)
      const own = read.value.filter(({ metadata }) => metadata.annotations?.['k8sops.dev/connectivity-token'] === token)
      if (own.length === 0) return waiting([`no probe of ${token} is there`])
      const open = own.filter(({ status }) => !['Succeeded', 'Failed'].includes(String(status?.phase)))
      if (open.length === 0) return { status: 'pass', detail: `${own.length} probes have ended` }
      const begun = Math.min(...own.map(({ metadata }) => Date.parse(metadata.creationTimestamp ?? '')))
      const limitMs = Number(seconds) * 1000
      if (now() - begun > limitMs)
        return { status: 'pass', detail: `the time of ${open.length} of ${own.length} probes is over` }
      return waiting(open.map(({ metadata, status }) => `probe ${metadata.name}: ${String(status?.phase ?? 'new')}`))
    },

    async 'connectivity-recorded'({ part = '', token = '' }, signal): Promise<Verdict> {
      const read = await readRecord(signal)
      if (!read.ok && read.why !== 'not-found') return unreadable(read)
      const record = recordedParts(read.ok ? read.value[0]?.data : undefined)[part as ConnectivityPart]
      if (record?.token !== token)
        return waiting([`${part}: ${record ? `written down by ${record.token}` : 'nothing is written down'}`])
      return { status: 'pass', detail: `${record.rows.length} checks of ${part} are written down` }
    },

    async 'connectivity-not-failed'({ token = '' }, signal): Promise<Verdict> {
      const read = await readRecord(signal)
      if (!read.ok && read.why !== 'not-found') return unreadable(read)
      const parts = recordedParts(read.ok ? read.value[0]?.data : undefined)
      const missing = connectivityParts.filter((part) => parts[part]?.token !== token)
      if (missing.length > 0) return waiting([`nothing is written down of ${missing.join(', ')}`])
      const rows = connectivityParts.flatMap((part) => parts[part]?.rows ?? [])
      const failed = rows.filter(({ state }) => state === 'failed')
      if (failed.length > 0) {
        const lines = failed.map(({ check, detail }) => `${check}: ${detail}`)
        return { status: 'fail', detail: lines.join('; '), waitingFor: lines, final: true }
      }
      const unproven = rows.filter(({ state }) => state === 'unproven').map(({ check }) => check)
      const told = unproven.length > 0 ? `, ${unproven.length} unproven: ${unproven.join(', ')}` : ''
      return { status: 'pass', detail: `${rows.length - unproven.length} checks passed${told}` }
    },
  }
}

const waiting = (lines: string[]): Verdict => ({ status: 'fail', detail: lines.join('; '), waitingFor: lines })
