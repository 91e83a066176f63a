/** What drills have left and measured, and whose image they start. */
import { objectsOf } from '../../lib/ops/backup-facts.ts'
import { type DrillRecord, drillRecordsOf } from '../../lib/ops/drill-objects.ts'
import { drillRecords } from '../../lib/tools/drill-record.args.ts'
import type { KubeObject, KubePort } from '../../lib/types.ts'

/** By `namespace.name` of the backup. @throws UnreachableError when the cluster does not tell */
export async function readDrillRecords(
  kube: KubePort,
  cluster: string,
  signal: AbortSignal,
): Promise<Map<string, DrillRecord>> {
  const read = await kube.list({ apiVersion: 'v1', kind: 'ConfigMap', ...drillRecords }, signal)
  return drillRecordsOf(objectsOf(read, cluster)[0])
}

export async function readWorkloads(kube: KubePort, cluster: string, signal: AbortSignal): Promise<KubeObject[]> {
  const read = await Promise.all(
    ['Deployment', 'StatefulSet'].map((kind) => kube.list({ apiVersion: 'apps/v1', kind }, signal)),
  )
  return read.flatMap((listed) => objectsOf(listed, cluster))
}
