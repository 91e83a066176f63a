/** notification-controller as far as it reports: Receivers get their path. Providers and Alerts have no status; nothing is sent. */
import { createHash } from 'node:crypto'
import type { KubeObject } from '../../types.ts'
import type { ClusterView } from '../kube/cluster-view.ts'
import type { Lab } from '../types.ts'
import { type Operator, readSecret, ready, report, startOperator } from './operator.ts'

export function startNotificationController(lab: Lab, view: ClusterView): Operator {
  return startOperator(lab, view, {
    name: 'notification-controller',
    pod: { app: 'notification-controller' },
    kinds: [{ apiVersion: 'notification.toolkit.fluxcd.io/v1', kind: 'Receiver', reconcile }],
  })

  async function reconcile(receiver: KubeObject): Promise<number | undefined> {
    const { name, namespace = '', generation } = receiver.metadata
    const { secretRef } = receiver.spec as { secretRef: { name: string } }
    const token = (await readSecret(view, namespace, secretRef.name))?.data?.token
    if (token === undefined) {
      const message = `unable to read token from secret '${namespace}/${secretRef.name}'`
      await report(view, receiver, [ready('False', 'TokenNotFound', message)], { observedGeneration: generation })
      return 1_000
    }
    const seed = `${Buffer.from(token, 'base64').toString('utf8')}${name}${namespace}`
    const webhookPath = `/hook/${createHash('sha256').update(seed).digest('hex')}`
    const message = `Receiver initialized for path: ${webhookPath}`
    await report(view, receiver, [ready('True', 'Succeeded', message)], { observedGeneration: generation, webhookPath })
    return undefined
  }
}
