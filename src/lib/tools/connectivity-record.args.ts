/** Where the results of `connectivity test` are kept: a ConfigMap of the cluster, with a key for each part. Argv of kubectl 1.35 for it. */
import type { Command } from '../types.ts'

export const connectivityRecord = { namespace: 'flux-system', name: 'k8sops-connectivity' } as const

/** Our own probes run here, and it is thrown away with them. */
export const probeNamespace = 'k8sops-connectivity'

/** What each step of a test finds out by itself, and writes down by itself. */
export const connectivityParts = ['probes', 'announcements', 'cilium'] as const
export type ConnectivityPart = (typeof connectivityParts)[number]

/** `unproven`: it could not be seen either way, and that is not taken for a success. */
export type CheckState = 'passed' | 'failed' | 'unproven'

export interface CheckRow {
  check: string
  state: CheckState
  detail: string
}

export interface PartRecord {
  /** Of the test that found it. */
  token: string
  /** RFC 3339; when that began. */
  at: string
  suite: string
  rows: CheckRow[]
}

/** What the ConfigMap says; a key that can't be read is as if it were not there. */
export function recordedParts(data: Record<string, string> | undefined): Partial<Record<ConnectivityPart, PartRecord>> {
  return Object.fromEntries(
    connectivityParts.flatMap((part) => {
      const record = partOf(data?.[part])
      return record ? [[part, record]] : []
    }),
  )
}

function partOf(text: string | undefined): PartRecord | undefined {
  try {
    const { token, at, suite, rows } = JSON.parse(text ?? '') as PartRecord
    return typeof token === 'string' && Array.isArray(rows) ? { token, at, suite, rows } : undefined
  } catch {
    return undefined
  }
}

/** The ConfigMap with one part in it. */
export const recordOfPart = (part: ConnectivityPart, record: PartRecord): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { ...connectivityRecord, labels: { 'app.kubernetes.io/managed-by': 'k8sops' } },
  data: { [part]: JSON.stringify(record) },
})

/** Applies what comes on stdin; each part has a manager of its own, so that one leaves the others' results alone. */
export const applyPartArgs = (context: string, part: ConnectivityPart): Command => ({
  tool: 'kubectl',
  args: [
    '--context',
    context,
    'apply',
    '--server-side',
    '--force-conflicts',
    '--field-manager',
    `k8sops-connectivity-${part}`,
    '-f',
    '-',
  ],
})
