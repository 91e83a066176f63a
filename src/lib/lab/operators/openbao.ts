/**
 * OpenBao as Kubernetes sees it: the labels that its `service_registration "kubernetes"` keeps on each of its pods
 * (openbao 2.5, serviceregistration/kubernetes). The lab's is initialized and unsealed; nothing is stored in it.
 */
import type { KubeObject } from '../../types.ts'
import { type ClusterView, matches } from '../kube/cluster-view.ts'
import { keyOf } from '../kube/reconciler.ts'
import type { Lab } from '../types.ts'
import { type Operator, startOperator } from './operator.ts'

const server = { 'app.kubernetes.io/name': 'openbao', component: 'server' }

export function startOpenbao(lab: Lab, view: ClusterView): Operator {
  return startOperator(lab, view, {
    name: 'openbao',
    pod: server,
    kinds: [
      { apiVersion: 'v1', kind: 'Pod', labelSelector: 'app.kubernetes.io/name=openbao,component=server', reconcile },
    ],
  })

  async function reconcile(pod: KubeObject): Promise<undefined> {
    if (pod.status?.phase !== 'Running') return undefined
    const active = view
      .runningPods()
      .filter((each) => matches(each, server, pod.metadata.namespace))
      .map(keyOf)
      .sort()[0]
    const labels = {
      'openbao-active': String(active === keyOf(pod)),
      'openbao-initialized': 'true',
      'openbao-perf-standby': 'false',
      'openbao-sealed': 'false',
      'openbao-version': '2.5.3',
    }
    if (!matches(pod, labels)) await view.writer().patch(pod, { metadata: { labels } })
    return undefined
  }
}
