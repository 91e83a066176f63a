/** helm 3's and 4's record of a release: Secret `sh.helm.release.v1.NAME.vN`, JSON, gzipped, base64 twice. */
import { gunzipSync } from 'node:zlib'
import type { KubeObject, Result } from '../../types.ts'

export interface Release {
  name: string
  /** `deployed`, `failed`, `pending-install`, ... */
  status: string
  chartVersion: string
  /** Everything that it installed, as YAML documents. */
  manifest: string
}

export function readRelease(secret: KubeObject): Result<Release> {
  try {
    const inner = Buffer.from(secret.data?.release ?? '', 'base64').toString('latin1')
    const bytes = Buffer.from(inner, 'base64')
    // helm reads records that are not compressed, too (drivers' decodeRelease looks for gzip's magic number).
    const text = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes
    const record = JSON.parse(text.toString('utf8')) as {
      name: string
      info: { status: string }
      chart: { metadata: { version: string } }
      manifest: string
    }
    return {
      ok: true,
      value: {
        name: record.name,
        status: record.info.status,
        chartVersion: record.chart.metadata.version,
        manifest: record.manifest,
      },
    }
  } catch (error) {
    return { ok: false, why: 'bad-output', detail: `Secret ${secret.metadata.name}: ${(error as Error).message}` }
  }
}

export interface Workload {
  kind: 'Deployment' | 'DaemonSet' | 'StatefulSet'
  name: string
  namespace?: string
}

/** A top-level `kind` in block style, or in JSON as some charts' templates print it. */
const workloadKind = /^ *"?kind"?: *"?(Deployment|DaemonSet|StatefulSet)"?,?\s*$/m

/** The workloads among a manifest's documents; only those are parsed, since CRDs make up most of some manifests. */
export async function workloadsOf(manifest: string): Promise<Workload[]> {
  const documents = manifest.split(/^---.*$/m).filter((text) => workloadKind.test(text))
  if (documents.length === 0) return []
  const { parse } = await import('yaml')
  return documents.flatMap((text) => {
    const { kind, metadata } = parse(text) as { kind: string; metadata: { name: string; namespace?: string } }
    // A nested `kind` (a scale target) got past the pattern.
    if (!isWorkloadKind(kind)) return []
    return [{ kind, name: metadata.name, ...(metadata.namespace ? { namespace: metadata.namespace } : {}) }]
  })
}

const isWorkloadKind = (kind: string): kind is Workload['kind'] =>
  ['Deployment', 'DaemonSet', 'StatefulSet'].includes(kind)
