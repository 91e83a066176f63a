/** Watches a lab while something works on its nodes: which were out at the same time, and how many control planes ran. */
import { setTimeout as delay } from 'node:timers/promises'
import { createKubePort } from '../../src/lib/kube/client.ts'
import type { LabRecord } from '../../src/lib/lab/record.ts'
import type { KubeObject } from '../../src/lib/types.ts'
import { labStatus } from './lab.ts'

export interface Recorded {
  /** Every set of nodes that was out of service at one time, cordoned or with a machine that did not run. */
  out: string[][]
  /** The least number of control planes that ran at one time. */
  controlPlanes: number
  /** How often it looked. */
  looks: number
}

export interface Recorder {
  stop: () => Promise<Recorded>
}

export function recordService(record: LabRecord): Recorder {
  const kube = createKubePort({ kubeconfig: record.kubeconfig, context: record.context })
  const ending = new AbortController()
  const cordoned = new Set<string>()
  const away = new Set<string>()
  const seen = new Map<string, string[]>()
  const recorded = { controlPlanes: Number.POSITIVE_INFINITY, looks: 0 }
  const note = () => {
    const out = [...new Set([...cordoned, ...away])].sort()
    if (out.length > 0) seen.set(out.join(), out)
  }
  const watching = kube.watch({ apiVersion: 'v1', kind: 'Node' }, ending.signal, (nodes) => {
    if (!nodes.ok) return
    cordoned.clear()
    for (const node of nodes.value.filter(isCordoned)) cordoned.add(node.metadata.name)
    note()
  })
  const asking = (async () => {
    while (!ending.signal.aborted) {
      const { machines } = await labStatus(record)
      away.clear()
      for (const { node, stage } of machines) if (stage !== 'running') away.add(node)
      const running = machines.filter(({ node, stage }) => node.includes('-cp') && stage === 'running').length
      recorded.controlPlanes = Math.min(recorded.controlPlanes, running)
      recorded.looks += 1
      note()
      await delay(100, undefined, { signal: ending.signal }).catch(() => {})
    }
  })()
  return {
    async stop() {
      ending.abort()
      await Promise.all([watching, asking])
      return { ...recorded, out: [...seen.values()] }
    },
  }
}

const isCordoned = ({ spec }: KubeObject) => spec?.unschedulable === true
