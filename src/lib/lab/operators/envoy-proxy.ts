/** The Deployment and the Service that Envoy Gateway makes of a Gateway (internal/infrastructure/kubernetes/proxy, v1.7). */
import { createHash } from 'node:crypto'
import type { KubeObject } from '../../types.ts'
import type { Manifest } from '../kube/writer.ts'
import type { Gateway } from './gateway-routes.ts'
import { ownerReference } from './operator.ts'

interface Provider {
  envoyDeployment?: {
    replicas?: number
    container?: { resources?: object; image?: string; imageRepository?: string }
    pod?: { priorityClassName?: string; topologySpreadConstraints?: object[] }
  }
  envoyService?: { externalTrafficPolicy?: string }
  envoyPDB?: object
}

/** Container ports of listeners are moved out of the privileged range. */
const containerPort = (port: number) => (port < 1024 ? port + 10_000 : port)

export function proxyName(gateway: Gateway): string {
  const { namespace, name } = gateway.metadata
  const hash = createHash('sha256').update(`${namespace}/${name}`).digest('hex').slice(0, 8)
  return `envoy-${`${namespace}-${name}`.slice(0, 48)}-${hash}`
}

/** @param proxy the EnvoyProxy of the Gateway's class, if it names one */
export function proxyObjects(gateway: Gateway, namespace: string, proxy?: KubeObject): Manifest[] {
  const { provider } = (proxy?.spec ?? {}) as { provider?: { kubernetes?: Provider } }
  const { envoyDeployment = {}, envoyService = {}, envoyPDB } = provider?.kubernetes ?? {}
  const labels = {
    'app.kubernetes.io/component': 'proxy',
    'app.kubernetes.io/managed-by': 'envoy-gateway',
    'app.kubernetes.io/name': 'envoy',
    'gateway.envoyproxy.io/owning-gateway-name': gateway.metadata.name,
    'gateway.envoyproxy.io/owning-gateway-namespace': gateway.metadata.namespace ?? '',
  }
  const name = proxyName(gateway)
  const metadata = { name, namespace, labels, ownerReferences: [ownerReference(gateway as unknown as Manifest)] }
  const { container = {}, pod = {}, replicas = 1 } = envoyDeployment
  const ports = [...new Set(gateway.spec.listeners.map(({ port }) => port))]
  const service: Manifest = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata, annotations: gateway.spec.infrastructure?.annotations ?? {} },
    spec: {
      type: 'LoadBalancer',
      externalTrafficPolicy: envoyService.externalTrafficPolicy ?? 'Local',
      selector: labels,
      ports: ports.map((port) => ({ name: `p-${port}`, port, targetPort: containerPort(port), protocol: 'TCP' })),
    },
  }
  const deployment: Manifest = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata,
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          ...pod,
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          containers: [
            {
              name: 'envoy',
              image: container.image ?? `${container.imageRepository ?? 'docker.io/envoyproxy/envoy'}:distroless`,
              resources: container.resources ?? {},
              ports: [
                ...ports.map((port) => ({ name: `p-${port}`, containerPort: containerPort(port), protocol: 'TCP' })),
                { name: 'metrics', containerPort: 19001, protocol: 'TCP' },
                { name: 'readiness', containerPort: 19003, protocol: 'TCP' },
              ],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      },
    },
  }
  const budget: Manifest = {
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata,
    spec: { ...envoyPDB, selector: { matchLabels: labels } },
  }
  return [deployment, service, ...(envoyPDB ? [budget] : [])]
}
