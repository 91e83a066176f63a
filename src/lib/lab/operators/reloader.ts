/**
 * Reloader's part: a workload with its annotation is rolled out anew when a Secret that External Secrets keeps, and that its pods use, has
 * changed. The rollout itself is the real controllers'.
 */
import { createHash } from 'node:crypto'
import { usesSecret } from '../../gates/secret-uses.ts'
import type { KubeObject } from '../../types.ts'
import { type ClusterView, hasRunningPod } from '../kube/cluster-view.ts'
import { keyOf } from '../kube/reconciler.ts'
import type { Lab } from '../types.ts'
import { type Operator, startOperator } from './operator.ts'

const workloads = ['Deployment', 'StatefulSet', 'DaemonSet']
const auto = 'reloader.stakater.com/auto'
/** Only these change by themselves here. */
const managed = 'reconcile.external-secrets.io/managed=true'

export function startReloader(lab: Lab, view: ClusterView): Operator {
  const pod = { 'app.kubernetes.io/name': 'reloader' }
  /** Digest by Secret. What it sees first is what the pods have started with. */
  const seen = new Map<string, string>()
  const operator = startOperator(lab, view, {
    name: 'reloader',
    pod,
    kinds: [{ apiVersion: 'v1', kind: 'Secret', labelSelector: managed, reconcile }],
    onStart: () => seen.clear(),
  })

  async function reconcile(secret: KubeObject): Promise<number | undefined> {
    const digest = createHash('sha256')
      .update(JSON.stringify(secret.data ?? {}))
      .digest('hex')
    const before = seen.get(keyOf(secret))
    seen.set(keyOf(secret), digest)
    if (before === undefined || before === digest || !hasRunningPod(view, pod)) return undefined
    const { namespace = '', name } = secret.metadata
    for (const kind of workloads) {
      const listed = await view.reads()?.list({ apiVersion: 'apps/v1', kind, namespace })
      for (const workload of listed?.ok ? listed.value : []) {
        const template = (workload.spec as { template: KubeObject }).template
        if (workload.metadata.annotations?.[auto] !== 'true' || !usesSecret(template, name)) continue
        const annotations = { 'reloader.stakater.com/last-reloaded-from': `${name} ${digest.slice(0, 12)}` }
        await view.writer().patch(workload, { spec: { template: { metadata: { annotations } } } })
        lab.log('reloader', `Secret ${namespace}/${name} has changed: ${kind} ${workload.metadata.name} is rolled out`)
      }
    }
    return undefined
  }

  return operator
}
