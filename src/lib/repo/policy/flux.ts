/** NetworkPolicies of the distribution that flux-operator 0.59 installs (fluxcd/flux2, manifests/policies). */
import type { KubeObject } from '../../types.ts'

export function fluxNetworkPolicies(namespace: string): KubeObject[] {
  const policy = (name: string, spec: { [key: string]: unknown }): KubeObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    spec,
  })
  return [
    policy('allow-egress', {
      podSelector: {},
      ingress: [{ from: [{ podSelector: {} }] }],
      egress: [{}],
      policyTypes: ['Ingress', 'Egress'],
    }),
    policy('allow-scraping', {
      podSelector: {},
      ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 8080, protocol: 'TCP' }] }],
      policyTypes: ['Ingress'],
    }),
    policy('allow-webhooks', {
      podSelector: { matchLabels: { app: 'notification-controller' } },
      ingress: [{ from: [{ namespaceSelector: {} }] }],
      policyTypes: ['Ingress'],
    }),
  ]
}
