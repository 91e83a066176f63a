/** The fault `webhook-timeout`: an admission webhook that is registered and never answers. */
import { createServer, type Server } from 'node:https'
import type { Duplex } from 'node:stream'
import type { ClusterView } from '../kube/cluster-view.ts'
import { issueCertificate, newAuthority } from '../talos/certificates.ts'
import type { ActiveFault, Lab } from '../types.ts'
import { followFault } from './fault-follower.ts'

const port = 9443
const configurationName = 'lab-webhook-timeout'

/** The API groups that an operator's own validating webhook guards. */
const guarded: Record<string, { name: string; groups: string[] }> = {
  'cert-manager': { name: 'webhook.cert-manager.io', groups: ['cert-manager.io', 'acme.cert-manager.io'] },
  'external-secrets': { name: 'validate.externalsecret.external-secrets.io', groups: ['external-secrets.io'] },
}

/** Registers the webhook while the fault is on; returns how to end it. */
export function followWebhookTimeout(lab: Lab, view: ClusterView): () => void {
  let server: Server | undefined
  const sockets = new Set<Duplex>()

  const begin = async ({ params }: ActiveFault) => {
    const operator = params?.webhook ?? 'cert-manager'
    const webhook = guarded[operator]
    if (!webhook) throw new Error(`no webhook of ${operator}; known: ${Object.keys(guarded).join(', ')}`)
    await close()
    const authority = await newAuthority('CN=lab webhook')
    const { base } = lab.spec
    const pair = await issueCertificate(authority, {
      subject: 'CN=lab webhook',
      ips: [base],
      usage: 'server',
      days: 30,
    })
    // The request is read and never answered. A Service would send it to a pod address, which is not on this machine.
    server = createServer({ cert: pair.crt, key: pair.key })
    server.on('connection', (socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    const listening = Promise.withResolvers<void>()
    server.once('error', listening.reject)
    server.listen(port, base, listening.resolve)
    await listening.promise
    await view.writer().apply(
      {
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingWebhookConfiguration',
        metadata: { name: configurationName },
        webhooks: [
          {
            name: webhook.name,
            admissionReviewVersions: ['v1'],
            sideEffects: 'None',
            failurePolicy: 'Fail',
            // The API server's own default; cert-manager asks for 30.
            timeoutSeconds: 10,
            clientConfig: {
              url: `https://${base}:${port}/validate`,
              caBundle: Buffer.from(authority.crt).toString('base64'),
            },
            rules: [
              { apiGroups: webhook.groups, apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources: ['*'] },
            ],
          },
        ],
      },
      'k8sops-lab',
    )
  }
  const close = async () => {
    const closing = server
    server = undefined
    for (const socket of sockets) socket.destroy()
    if (!closing) return
    const closed = Promise.withResolvers<void>()
    closing.close(() => closed.resolve())
    await closed.promise
  }

  const unfollow = followFault(lab, view, 'webhook-timeout', {
    begin,
    async end() {
      await close()
      await view.writer().remove({
        apiVersion: 'admissionregistration.k8s.io/v1',
        kind: 'ValidatingWebhookConfiguration',
        name: configurationName,
      })
    },
  })
  return () => {
    unfollow()
    void close()
  }
}
